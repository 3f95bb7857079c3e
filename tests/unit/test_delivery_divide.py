"""How an answer divides a batch, and that dividing on and on delivers or buries everything exactly once."""

from collections import Counter, deque
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.delivery.destination.batch import Batch, PendingEvent, divide, take
from app.delivery.destination.rate import Flow, batch_limit, decrease, increase, reset, shrink_body
from app.model import Attempt, Delivery, Hook, Secret, Stream
from app.splunk.answers import Answer, HecBody, Outcome, Rest, Verdict, judge
from app.splunk.encode import WAITED_BYTES_MAX


@dataclass(frozen=True)
class Splunk:
    """A Splunk as a function: which of a batch it takes, and what it says."""

    poison: frozenset[int]
    says: str
    busy: tuple[int | None, ...] = ()
    """For the first posts: how many are taken before code 9, ``None``: none and no number."""

    def __call__(self, batch: tuple[int, ...], post: int) -> tuple[tuple[int, ...], Answer]:
        """What it takes of the batch, and its answer."""
        bad = next((place for place, each in enumerate(batch) if each in self.poison), len(batch))
        number = self.busy[post] if post < len(self.busy) else None
        if number is not None and number < min(len(batch), bad + 1):
            return batch[:number], Answer(status=503, body=HecBody(code=9, invalid_event_number=number))
        if bad == len(batch):
            return batch, Answer(status=200, body=HecBody(code=0))
        return self._refused(batch, bad)

    def _refused(self, batch: tuple[int, ...], bad: int) -> tuple[tuple[int, ...], Answer]:
        match self.says:
            case "number":
                taken, body = batch[:bad], HecBody(code=6, invalid_event_number=bad)
            case "one too few":
                bad = max(0, bad - 1)
                taken, body = batch[:bad], HecBody(code=6, invalid_event_number=bad)
            case "nothing":
                taken, body = batch[:bad], HecBody(code=5)
            case _:
                return (), Answer(status=413 if self.says == "413" else 400)
        return taken, Answer(status=400, body=body)


def drive(count: int, splunk: Splunk) -> tuple[Counter[int], list[int], int]:
    """Post until nothing is left; what was taken how often, what was buried, and how many posts it took."""
    queue = deque([tuple(range(count))])
    taken: Counter[int] = Counter()
    settled: Counter[int] = Counter()
    buried: list[int] = []
    posts = 0
    while queue:
        batch = queue.popleft()
        got, answer = splunk(batch, posts)
        posts += 1
        assert posts < 20 * (count + 2), "it goes on for ever"
        taken.update(got)
        verdict = judge(answer, len(batch))
        division = divide(batch, verdict)
        settled.update(division.delivered)
        buried += division.buried
        queue.extendleft(tuple(each) for each in reversed(division.resend))
        if division.release:
            queue.append(tuple(division.release))
    assert not settled - taken, "called delivered, but Splunk never took it"
    assert sorted([*settled.elements(), *buried]) == list(range(count))
    return taken, buried, posts


CASES = st.integers(1, 40).flatmap(
    lambda count: st.tuples(st.just(count), st.frozensets(st.integers(0, count - 1), max_size=count))
)
BUSY = st.lists(st.none() | st.integers(0, 10), max_size=6).map(tuple)


@given(case=CASES, says=st.sampled_from(["number", "one too few", "413", "html"]), busy=BUSY)
def test_clean_refusals_deliver_once_and_bury_the_poison_alone(
    case: tuple[int, frozenset[int]], says: str, busy: tuple[int | None, ...]
) -> None:
    """Every healthy one is taken exactly once, every poisonous one buried, whatever Splunk calls the culprit."""
    count, poison = case
    taken, buried, _ = drive(count, Splunk(poison, says, busy))
    assert sorted(buried) == sorted(poison)
    assert taken == Counter(set(range(count)) - poison)


@given(case=CASES)
def test_an_unnamed_culprit_in_a_stream_buries_the_poison_alone(case: tuple[int, frozenset[int]]) -> None:
    """Splunk takes the head and does not say how much: nothing is lost, only poison is buried."""
    count, poison = case
    taken, buried, _ = drive(count, Splunk(poison, "nothing"))
    assert sorted(buried) == sorted(poison)
    assert set(taken) == set(range(count)) - poison


def test_one_culprit_costs_three_posts() -> None:
    """The batch, the suspect alone, the rest."""
    assert drive(500, Splunk(frozenset({250}), "number"))[2] == 3


@pytest.mark.parametrize("rest", list(Rest))
def test_every_member_of_a_batch_has_one_place(rest: Rest) -> None:
    """Whatever the verdict, in the order in which they were."""
    verdict = Verdict(outcome=Outcome.REFUSED, words="", delivered=2, rest=rest, suspect=True)
    sent = list(range(5 if rest is not Rest.NOTHING else 2))
    division = divide(sent, verdict)
    placed = [*division.delivered, *division.buried, *division.release]
    assert [*placed, *(each for piece in division.resend for each in piece)] == sent


def hec_event(size: int = 10, *, attempts: int = 0, ambiguous: int = 0, tenant: str = "acme") -> PendingEvent:
    """A hec_event of so many bytes that failed so often."""
    stream = Stream(tenant, "main")
    hook = Hook(delivery_id="d", tenant=tenant, payload=b"")
    delivery = Delivery(seq=1, lease="l", stream=stream, hook=hook, attempts=attempts, ambiguous=ambiguous)
    return PendingEvent(delivery, b'{"fields":{"relay_delivery_id":"d"}}' + b" " * (size - 36))


def test_a_batch_keeps_both_limits_and_one_too_large_goes_alone() -> None:
    """Bytes include the line breaks between envelopes, and what is put on as they are posted."""
    queue = deque([hec_event(100)] * 5 + [hec_event(1000)] + [hec_event(100)] * 9)
    sizes = []
    while queue:
        taken = take(queue, bytes_max=4 * (100 + WAITED_BYTES_MAX + 1), count_max=7)
        sizes.append([len(each.envelope) for each in taken])
    assert sizes == [[100] * 4, [100], [1000], [100] * 4, [100] * 4, [100]]
    assert len(take(deque([hec_event()] * 9), bytes_max=10_000, count_max=7)) == 7


def test_what_failed_often_goes_in_small_company() -> None:
    """So that what breaks connections ends up alone."""
    assert [batch_limit(attempts=0, ambiguous=n, most=500) for n in range(7)] == [500, 500, 125, 31, 7, 1, 1]
    assert batch_limit(attempts=7, ambiguous=0, most=500) == 500
    assert batch_limit(attempts=20, ambiguous=0, most=500) == 1
    queue = deque([hec_event()] * 3 + [hec_event(ambiguous=5)] + [hec_event()] * 2)
    assert [len(take(queue, bytes_max=10_000, count_max=500)) for _ in range(3)] == [3, 1, 2]


def test_a_batch_of_two_streams_cannot_be_made() -> None:
    """It would show a tenant's hec_events to another."""
    secret = Secret("env:T", b"hec-secret")
    with pytest.raises(ValueError, match="another stream"):
        Batch(Stream("acme", "main"), "main", secret, (hec_event(), hec_event(tenant="other")))
    assert "hec-secret" not in repr(Batch(Stream("acme", "main"), "main", secret, (hec_event(),)))


def test_a_parcel_remembers_its_posts_and_that_it_may_have_arrived() -> None:
    """A clean post after an ambiguous one does not make it certain again."""
    lost, refused = Attempt(1.0, 0.5, "no answer in time", ambiguous=True), Attempt(2.0, 0.1, "Splunk is busy")
    posted = hec_event().posted(lost)
    assert b'"relay_attempt":2,' in posted.envelope
    again = posted.posted(refused)
    assert (again.tried, again.envelope) == ((lost, refused), posted.envelope)
    before = replace(hec_event(), delivery=replace(hec_event().delivery, attempts=3))
    assert b'"relay_attempt":5,' in before.posted(lost).envelope


def test_a_parcel_learns_later_what_became_of_its_last_post() -> None:
    """Accepted is told apart from indexed, and from lost."""
    accepted = hec_event().accepted(Attempt(1.0, 0.5, "success"))
    assert accepted.with_outcome("indexed").tried == (Attempt(1.0, 0.5, "success; indexed"),)
    assert accepted.with_outcome("nobody knows", ambiguous=True).tried[-1].ambiguous


def test_concurrency_grows_by_one_a_round_and_halves() -> None:
    """Additive increase while all posts are in use, multiplicative decrease, never below one or above the limit."""
    flow = Flow(posts=2.0)
    for _ in range(2):
        flow = increase(flow, saturated=True, posts_max=8, batch_max=500)
    assert 2.9 <= flow.posts <= 3.0
    assert increase(flow, saturated=False, posts_max=8, batch_max=500).posts == flow.posts
    for _ in range(100):
        flow = increase(flow, saturated=True, posts_max=8, batch_max=500)
    assert (flow.posts, flow.held) == (8.0, 4500)
    assert decrease(flow).posts == 4.0
    assert decrease(decrease(decrease(decrease(flow)))).posts == 1.0
    assert reset(flow) == Flow(posts=4.0)
    assert shrink_body(flow, body_bytes=100_000).body_bytes == 50_000
    assert shrink_body(flow, body_bytes=1_000).body_bytes == 10_000
