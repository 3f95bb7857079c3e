"""Arbitrary batches, arbitrary answers, one step after the other: the pure part of delivering against the stand-in's.

No socket, no clock: ``take``, ``judge`` and ``divide`` of the relay on one side, reading and spoiling of the stand-in
on the other, so that thousands of scripts are run in seconds. ``tests/journey/test_delivery_property.py`` does the same
with lanes, disk and sockets.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.delivery.destination.batch import PendingEvent, divide, take
from app.delivery.destination.rate import Flow, shrink_body
from app.model import Attempt, Delivery, Hook, Stream
from app.sandbox.splunk import Fault, HecToken
from app.sandbox.splunk.plan import Ending, planned
from app.sandbox.splunk.protocol import Admission, Head, Outcome, Rules, received
from app.splunk.answers import Answer, Rest, Verdict, judge, judge_probe, parse_body
from app.splunk.answers import Fault as WireFault
from app.splunk.encode import join, mark
from tests.examples import machine
from tests.journey.arbitrary_faults import FAULTS, lies

STREAM = Stream("acme", "main")
EVENT_BYTES_MAX = 1_000
BODY_BYTES_MAX = 12_000
SHARP = Fault.busy(after=1)
"""Stands for "busy" with a number that is true, whatever the length of the batch."""
POISON = {
    "blank": '"event":" "',
    "bad time": '"time":"x","event":{"a":1}',
    "scientific time": '"time":1.79E9,"event":{"a":1}',
    "large": f'"event":"{"x" * (EVENT_BYTES_MAX + 1)}"',
    "larger than a body": f'"event":"{"x" * (BODY_BYTES_MAX + 1)}"',
    "broken": '"event":{"a":',
    "not a number": '"event":NaN',
}
HEALTHY = {"small": '"event":{"a":1}', "not ASCII": '"event":"ä"', "sizeable": f'"event":"{"x" * 900}"'}


@dataclass(frozen=True)
class Copy:
    """One hec_event in the stand-in's index."""

    id: str
    marked: bool


class Splunk:
    """The pure parts of the stand-in, and what they indexed."""

    def __init__(self) -> None:
        self.indexed: list[Copy] = []
        self._rules = Rules(event_bytes_max=EVENT_BYTES_MAX, body_bytes_max=BODY_BYTES_MAX)
        self._admission = Admission("event", HecToken("acme-token"), "")
        self._head = Head(method="POST", path="/services/collector/event", query={}, headers={})

    def outcome(self, body: bytes) -> Outcome:
        """What it would come to without a fault."""
        return received(self._admission, self._head, body, self._rules)

    def post(self, body: bytes, fault: Fault | None) -> Answer:
        """What comes back, as the relay's client tells it."""
        plan = planned(self.outcome(body), fault)
        if plan.takes_effect:
            self.indexed += [Copy(str(x.fields["relay_delivery_id"]), "relay_attempt" in x.fields) for x in plan.taken]
        if plan.ending is Ending.ANSWER:
            headers = dict(plan.answer.headers)
            return Answer(
                status=plan.answer.status,
                body=parse_body(plan.answer.body),
                content_type=plan.answer.content_type,
                retry_after=headers.get("Retry-After", ""),
            )
        late = plan.ending is Ending.HANG
        return Answer(fault=WireFault.READ_TIMEOUT if late else WireFault.RESET_AFTER_SENT)


class AnyAnswer(RuleBasedStateMachine):
    """One lane, its spool a queue; what is accepted waits, is delivered or is buried, at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.splunk = Splunk()
        self.queue: deque[PendingEvent] = deque()
        self.pieces: deque[tuple[PendingEvent, ...]] = deque()
        self.flow = Flow()
        self.healthy: set[str] = set()
        self.poison: set[str] = set()
        self.condemned: set[str] = set()
        """Healthy ones that a lie named alone: nobody can know better."""
        self.delivered: list[str] = []
        self.buried: list[str] = []
        self.faults = "clean"

    @initialize(faults=st.sampled_from(list(FAULTS)))
    def begin(self, faults: str) -> None:
        """What may go wrong in this example."""
        self.faults = faults

    @rule(kinds=st.lists(st.sampled_from([*[*HEALTHY] * 4, *POISON]), min_size=1, max_size=20))
    def accept(self, kinds: Sequence[str]) -> None:
        """Hooks come in, some of them poison."""
        for kind in kinds:
            number = len(self.healthy) + len(self.poison)
            name = f"{number:032x}"
            (self.poison if kind in POISON else self.healthy).add(name)
            hook = Hook(delivery_id=name, tenant="acme", payload=b"")
            delivery = Delivery(seq=number, lease="", stream=STREAM, hook=hook, attempts=0, ambiguous=0)
            event = (HEALTHY | POISON)[kind]
            self.queue.append(PendingEvent(delivery, f'{{"fields":{{"relay_delivery_id":"{name}"}},{event}}}'.encode()))

    @rule(data=st.data(), most=st.integers(1, 30), gzip=st.booleans())
    def post(self, data: st.DataObject, most: int, *, gzip: bool) -> None:
        """One batch goes out, and something may go wrong."""
        hec_events = self.next_batch(most)
        if hec_events:
            fault = data.draw(st.one_of(FAULTS[self.faults], st.just(SHARP)))
            if fault is SHARP:
                fault = Fault.busy(after=data.draw(st.integers(0, len(hec_events) - 1)))
            self.send(hec_events, fault, gzip=gzip)

    def next_batch(self, most: int) -> tuple[PendingEvent, ...]:
        """What a lane would take."""
        if self.pieces:
            return self.pieces.popleft()
        return take(self.queue, bytes_max=self.flow.body_bytes or BODY_BYTES_MAX, count_max=most)

    def send(self, hec_events: tuple[PendingEvent, ...], fault: Fault | None, *, gzip: bool) -> None:
        """Post it, and do what the answer says, as a sender does."""
        body = join([each.envelope for each in hec_events])
        honest = self.splunk.outcome(body).is_success
        verdict = judge(self.splunk.post(body, fault), len(hec_events), gzipped=gzip)
        if verdict.confirm:
            verdict = self.confirmed(hec_events[0], verdict)
        division = divide(hec_events, verdict)
        self.delivered += [each.delivery.hook.delivery_id for each in division.delivered]
        self.buried += [each.delivery.hook.delivery_id for each in division.buried]
        if honest and lies(fault):
            self.condemned |= {each.delivery.hook.delivery_id for each in division.buried}
        attempt = Attempt(0.0, 0.0, verdict.words, verdict.ambiguous)
        self.pieces.extend(
            tuple(each.posted(attempt, refused_once=verdict.confirm) for each in piece) for piece in division.resend
        )
        self.queue.extend(released(each, attempt) for each in division.release)
        if verdict.shrink:
            self.flow = shrink_body(self.flow, body_bytes=len(body))

    def confirmed(self, hec_event: PendingEvent, verdict: Verdict) -> Verdict:
        """An empty post first, and refused once more."""
        assert judge_probe(self.splunk.post(b"", None)) is None
        return verdict if hec_event.refused_once else replace(verdict, rest=Rest.NOW)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each is in exactly one place, and what is called delivered is indexed."""
        waiting = [*self.queue, *(hec_event for piece in self.pieces for hec_event in piece)]
        places = Counter([each.delivery.hook.delivery_id for each in waiting] + self.delivered + self.buried)
        assert places == Counter(self.healthy | self.poison)
        assert set(self.delivered) <= {each.id for each in self.splunk.indexed} <= self.healthy

    @invariant()
    def only_culprits_are_buried(self) -> None:
        """A healthy hec_event only if a lie named it alone."""
        assert set(self.buried) <= self.poison | self.condemned

    @invariant()
    def doubles_are_marked_and_clean_faults_make_none(self) -> None:
        """Of each at most one copy that does not say it may be a double."""
        unmarked = [each.id for each in self.splunk.indexed if not each.marked]
        assert len(unmarked) == len(set(unmarked))
        if self.faults == "clean":
            assert len(unmarked) == len(self.splunk.indexed)
            assert set(unmarked) == set(self.delivered)

    def teardown(self) -> None:
        """Splunk is well again: everything comes to its end, and soon."""
        posts = 0
        while hec_events := self.next_batch(10):
            self.send(hec_events, None, gzip=True)
            posts += 1
            assert posts <= 12 * (len(self.healthy) + len(self.poison)), "resending has no end"
        self.nothing_is_lost()
        self.only_culprits_are_buried()
        self.doubles_are_marked_and_clean_faults_make_none()
        assert set(self.delivered) == self.healthy - set(self.buried)
        assert self.poison <= set(self.buried)


def released(hec_event: PendingEvent, attempt: Attempt) -> PendingEvent:
    """As it comes back after a release and another claim."""
    tried = (*hec_event.tried, attempt)
    delivery = replace(
        hec_event.delivery,
        attempts=hec_event.delivery.attempts + len(tried),
        ambiguous=hec_event.delivery.ambiguous + sum(each.ambiguous for each in tried),
    )
    envelope = mark(hec_event.envelope, delivery.attempts + 1) if delivery.ambiguous else hec_event.envelope
    return PendingEvent(delivery, envelope)


TestAnyAnswer = AnyAnswer.TestCase
TestAnyAnswer.settings = machine(200, steps=25)
