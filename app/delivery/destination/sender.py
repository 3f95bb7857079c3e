"""One destination under one hec_token at work: batches go out, and its answers say what becomes of them.

Everything that changes state is synchronous; what awaits (posting, the spool) happens between. A destination whose
address or hec_token changes gets a new sender; the old one ends its posts and gives the rest back.
"""

import asyncio
from dataclasses import replace

from app.delivery.destination import events
from app.delivery.destination.acks import AckTracker
from app.delivery.destination.batch import Batch, Division, PendingEvent, divide
from app.delivery.destination.breaker import BreakerState
from app.delivery.destination.destination_breaker import NO_HEC_TOKEN, DestinationBreaker
from app.delivery.destination.failover import FailoverClient, open_all
from app.delivery.destination.lane import Lane
from app.delivery.destination.lanes import Lanes
from app.delivery.destination.lifecycle import ClientLifecycle
from app.delivery.destination.outcomes import OutcomeWriter
from app.delivery.destination.rate import Flow, decrease, increase, reset, shrink_body
from app.delivery.interfaces import DeliveryContext
from app.model import Attempt, Stream
from app.splunk.answers import Answer, Outcome, Rest, Scope, Verdict
from app.splunk.codes import code_label
from app.splunk.encode import gzipped
from app.tenants.model import Destination

SHARE = 8
"""No destination holds more than an eighth of the payload bytes that may be claimed at once."""


class DestinationSender:
    """See the module. Everything runs on the event loop's thread."""

    def __init__(self, destination: Destination, context: DeliveryContext) -> None:
        self.destination = destination
        self.stream = Stream(destination.tenant, destination.name)
        self._context = context
        self._limits = context.limits
        self._loop = asyncio.get_running_loop()
        self._client = open_all(destination, context)
        self._outcomes = OutcomeWriter(self.stream, context)
        self._acks = AckTracker(destination, self._client, context, outcomes=self._outcomes, on_end=self._on_acks_end)
        self._life = ClientLifecycle(self._client, context, acks=self._acks, outcomes=self._outcomes)
        self._breaker = DestinationBreaker(self.stream, context, probe=self._probe, on_resume=self._on_resume)
        self._lanes = Lanes(self.stream, context, self._outcomes)
        self._flow = Flow()
        self._gzip_level = self._limits.gzip_level
        self._posts = 0
        """Batches on their way: posted and not yet answered."""
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = self._loop.time()
        if destination.hec_token is None:
            self._breaker.record_fault(NO_HEC_TOKEN)

    def __repr__(self) -> str:
        """Where it stands, in one line."""
        state = "ended" if self.ended else "ending" if self._life.ending else self._breaker.state.value
        held, posts = self._context.claims.held(self.stream), int(self._flow.posts)
        return (
            f"<DestinationSender {self.stream.tenant}/{self.stream.destination} {state}: "
            f"{self._posts} of {posts} posts, {held} of {self._flow.held} held, {list(self._lanes)}>"
        )

    # What the dispatcher asks.

    @property
    def full(self) -> bool:
        """Whether nothing more should be claimed for it now: it is paused, or holds what it may hold."""
        return self._breaker.state is BreakerState.OPEN or self.starved

    @property
    def starved(self) -> bool:
        """Whether it holds what it may hold; each delivery that is done makes room again."""
        return self._acks.full or self.room <= 0

    @property
    def room(self) -> int:
        """How many more deliveries may be claimed for it."""
        claims = self._context.claims
        if claims.bytes_of(self.stream) >= self._limits.in_flight_bytes_max // SHARE:
            return 0
        return self._flow.held - (claims.held(self.stream) - self._acks.count)

    def put(self, hec_event: PendingEvent, index: str | None) -> float | None:
        """Take a hec_event (``None``), or say in how many seconds to come back with it. ``pump`` is to follow."""
        now = self._used_at = self._loop.time()
        if self._life.ending:
            return 0.0
        if self._breaker.state is BreakerState.OPEN:
            return self._breaker.left_s()
        return self._lanes.put(hec_event, index, now)

    def states(self) -> list[events.LaneState]:
        """What does not deliver here, and why."""
        now = self._loop.time()
        found = [events.state_of(self.stream, None, self._breaker.pause, now=now), self._acks.state()]
        if isinstance(self._client, FailoverClient):
            found += self._client.states()
        return [state for state in found if state is not None] + self._lanes.states(now)

    # Posting.

    def pump(self) -> None:
        """Start every post that may start now; come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        while not self._life.ending and self._posts < self._posts_max():
            # Nothing can join a batch while nothing more is claimed, so that nothing waits for it.
            linger_s = 0.0 if self.room <= 0 else self._limits.linger_s
            lane, at = self._lanes.next_ready(bytes_max=self._body_bytes_max(), linger_s=linger_s)
            if lane is None:
                return
            if at > now:
                self._timer = self._loop.call_at(at, self.pump)
                return
            self._start(lane, now)

    def _posts_max(self) -> int:
        if not self._context.claims.lease_is_safe:
            return 0
        match self._breaker.state:
            case BreakerState.CLOSED:
                return min(int(self._flow.posts), self._limits.concurrency_max)
            case BreakerState.HALF_OPEN:
                return 1
            case BreakerState.OPEN:
                return 0

    def _body_bytes_max(self) -> int:
        return min(self._limits.batch_bytes_max, self._flow.body_bytes or self._limits.batch_bytes_max)

    def _start(self, lane: Lane, now: float) -> None:
        hec_token = self.destination.hec_token
        if hec_token is None:
            raise RuntimeError("without a hec_token the breaker is open and nothing is posted")
        count_max = 1 if self._breaker.state is BreakerState.HALF_OPEN else self._limits.batch_hec_events_max
        hec_events = self._lanes.take(lane, now, bytes_max=self._body_bytes_max(), count_max=count_max)
        if self._context.claims.stolen:
            hec_events = self._without_stolen(hec_events)
            if not hec_events:
                return
        lane.posts += 1
        self._posts += 1
        self._context.spawn(self._post(lane, Batch(self.stream, lane.index, hec_token, hec_events)), "post")

    def _without_stolen(self, hec_events: tuple[PendingEvent, ...]) -> tuple[PendingEvent, ...]:
        """Those that nobody else has claimed meanwhile; the others are forgotten here."""
        claims = self._context.claims
        stolen = [each.delivery for each in hec_events if each.delivery.seq in claims.stolen]
        if stolen:
            kept = tuple(each for each in hec_events if each.delivery.seq not in claims.stolen)
            claims.forget(stolen)
            return kept
        return hec_events

    async def _post(self, lane: Lane, batch: Batch) -> None:
        """Post one batch, and do what the answer says."""
        at = self._context.clock()
        body = batch.body(at)
        gzip_level = self._gzip_level
        saturated = self._posts >= int(self._flow.posts)
        begun = self._loop.time()
        try:
            with self._life.posting(batch, at):
                answer = await self._client.post(body, hec_token=batch.hec_token, gzip_level=gzip_level)
                verdict = batch.judge(answer, gzipped=gzipped(len(body), gzip_level))
                if verdict.confirm:
                    verdict = await self._confirm(batch, verdict)
        finally:
            self._posts -= 1
            lane.posts -= 1
        # From here to `write` nothing awaits: whoever looks meanwhile sees the state before this answer or after it.
        if answer.spare and verdict.scope is Scope.DESTINATION and self._breaker.state is BreakerState.CLOSED:
            verdict = replace(verdict, scope=Scope.NONE)  # that address is left out, the others go on
        seconds = self._loop.time() - begun
        attempt = Attempt(at, round(seconds, 3), verdict.words, verdict.ambiguous)
        division = divide(batch.hec_events, verdict)
        self._adapt(verdict, body_bytes=len(body), saturated=saturated)
        taken = len(division.delivered)
        if taken:
            # Before anything is told or written: what awaits its ack is accepted, and not delivered.
            verdict, division = self._acks.track(batch, answer, verdict, division, attempt)
        accepted = taken - len(division.delivered)
        self._acks.apply_answer(answer)
        events.attempted(batch, division, answer, verdict, accepted=accepted, body_bytes=len(body), seconds=seconds)
        self._observe(batch, division, answer, verdict, body_bytes=len(body), seconds=seconds)
        # Pauses before `pump`, which would post into them; `pump` before `write`, so that the next post need not
        # wait for the disk.
        self._apply_verdict(lane, verdict, division, attempt)
        self.pump()
        least_s = self._lanes.again_s if verdict.scope is Scope.LANE else 0.0
        await self._outcomes.write(division, verdict, attempt, least_s=least_s)
        await self._life.close_when_done()

    async def _confirm(self, batch: Batch, verdict: Verdict) -> Verdict:
        """The verdict on a single hec_event that was refused, perhaps not by Splunk, and would be buried for it.

        It is buried only if an empty post gets through and the hec_event is then refused once more: so a proxy that
        was out of order for a moment costs nobody a hec_event.
        """
        refused = await self._probe()
        if refused is not None:
            return refused
        return verdict if batch.hec_events[0].refused_once else replace(verdict, rest=Rest.NOW)

    def _observe(
        self,
        batch: Batch,
        division: Division[PendingEvent],
        answer: Answer,
        verdict: Verdict,
        *,
        body_bytes: int,
        seconds: float,
    ) -> None:
        observer = self._context.observer
        observer.attempted(
            self.stream,
            outcome=verdict.outcome,
            hec_code=code_label(answer.code),
            hec_events=len(batch.hec_events),
            body_bytes=body_bytes,
            seconds=seconds,
        )
        again = len(division.release) + sum(map(len, division.resend))
        if self.destination.heartbeat_s is not None:
            self._context.tally.add(self.stream, hec_code=code_label(answer.code), resent=again)
        if again:
            observer.resent(self.stream, count=again, ambiguous=verdict.ambiguous)

    def _adapt(self, verdict: Verdict, *, body_bytes: int, saturated: bool) -> None:
        """Change how much goes out at once, after a verdict."""
        if verdict.gzip_off:
            self._gzip_level = 0
        if verdict.shrink:
            self._flow = shrink_body(self._flow, body_bytes=body_bytes)
        if verdict.slow_down:
            self._flow = decrease(self._flow)
        elif verdict.outcome is Outcome.DELIVERED:
            self._flow = increase(
                self._flow,
                saturated=saturated,
                posts_max=self._limits.concurrency_max,
                batch_max=self._limits.batch_hec_events_max,
            )

    def _apply_verdict(self, lane: Lane, verdict: Verdict, division: Division[PendingEvent], attempt: Attempt) -> None:
        """Pause or resume after a verdict, and queue what is to be sent again at once."""
        lane.put_back(
            [[each.posted(attempt, refused_once=verdict.confirm) for each in piece] for piece in division.resend]
        )
        if verdict.scope in (Scope.DESTINATION, Scope.HEC_TOKEN):
            self._flow = reset(self._flow)
            self._breaker.record_fault(verdict)
            self._lanes.give_back()
            return
        self._breaker.record_success()
        if verdict.scope is Scope.LANE:
            self._lanes.pause(lane, verdict, self._loop.time())
        else:
            self._lanes.record_success(lane)
        if self._life.ending or self._breaker.state is BreakerState.OPEN or lane.pause.state is BreakerState.OPEN:
            self._outcomes.give_back(lane.clear())

    async def _probe(self) -> Verdict | None:
        return await self._life.probe(self.destination.hec_token)

    def _on_resume(self) -> None:
        self.pump()
        self._context.wake()

    def _on_acks_end(self) -> None:
        self._life.close_soon()

    # Ending.

    @property
    def ended(self) -> bool:
        """It was told to end, nothing is under way any more, and its connections are closed."""
        return self._life.ended

    def idle_since(self) -> float | None:
        """Since when (loop's clock) it has had nothing to do and nothing to wait for; ``None`` if it has."""
        waits = any(state.state == BreakerState.OPEN.value for state in self.states())
        busy = waits or self._life.in_use or self._context.claims.held(self.stream)
        return None if busy else self._used_at

    def end(self) -> None:
        """Start nothing more and give back what waits; what is under way ends, then the connections go."""
        self._life.end()
        self._breaker.close()
        if self._timer is not None:
            self._timer.cancel()
        self._lanes.end()

    async def abandon(self) -> None:
        """After its posts were cancelled: give back what nobody knows about, and close."""
        await self._life.abandon()
