"""One destination under one hec_token at work: its client, its lanes, its gate, how much it gets at once.

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
from app.delivery.destination.outcomes import OutcomeWriter
from app.delivery.destination.pause import wait_s
from app.delivery.destination.rate import Flow, decrease, increase, reset, shrink_body
from app.delivery.interfaces import DeliveryContext
from app.model import Attempt, Stream
from app.splunk.answers import Answer, Outcome, Rest, Scope, Verdict, judge, judge_probe
from app.splunk.codes import code_label
from app.splunk.encode import gzipped
from app.tenants.model import Destination

LANE_AGAIN = 5
"""A delivery for a paused lane comes back after so many ``retry_base_s`` at the soonest: each time it is claimed and
transformed for nothing.
"""
SHARE = 8
"""No destination holds more than this part of the payload bytes that may be claimed at once."""


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
        self._acks = AckTracker(destination, self._client, context, outcomes=self._outcomes, on_end=self._close_soon)
        self._breaker = DestinationBreaker(self.stream, context, probe=self._probe, on_resume=self._on_resume)
        self._lanes: dict[str | None, Lane] = {}
        self._lane_again_s = self._limits.retry_base_s * LANE_AGAIN
        self._flow = Flow()
        self._gzip_level = self._limits.gzip_level
        self._posts = 0
        self._users = 0
        """Posts and probes that use the client."""
        self._under_way: dict[Batch, float] = {}
        """Posts under way, and when they began (Unix seconds)."""
        self._closing = False
        self.ended = False
        """It was told to end, nothing is under way any more, and its connections are closed."""
        self._timer: asyncio.TimerHandle | None = None
        self._used_at = self._loop.time()
        if destination.hec_token is None:
            self._breaker.record_fault(NO_HEC_TOKEN)

    # What the dispatcher asks.

    @property
    def full(self) -> bool:
        """Nothing more should be claimed for it now: it is paused, or holds what it may hold."""
        return self._breaker.state is BreakerState.OPEN or self.starved

    @property
    def starved(self) -> bool:
        """It holds what it may hold; with each delivery that is done there is room again."""
        return self._acks.full or self.room <= 0

    @property
    def room(self) -> int:
        """How many deliveries more may be claimed for it, as far as those that it holds say."""
        claims = self._context.claims
        if claims.bytes_of(self.stream) >= self._limits.in_flight_bytes_max // SHARE:
            return 0
        return self._flow.held - (claims.held(self.stream) - self._acks.count)

    def put(self, hec_event: PendingEvent, index: str | None) -> float | None:
        """Take a hec_event (``None``), or say in how many seconds to come back with it. To be followed by ``pump``."""
        now = self._used_at = self._loop.time()
        if self._closing:
            return 0.0
        if self._breaker.state is BreakerState.OPEN:
            return self._breaker.left_s()
        lane = self._lanes.get(index)
        if lane is None:
            lane = self._lanes[index] = Lane(index)
        again = lane.unavailable_for_s(now, trial_s=self._lane_again_s)
        if again > 0:
            return max(again, self._lane_again_s) * (1 + self._context.rng.random() / 4)
        lane.put(hec_event, now)
        return None

    def states(self) -> list[events.LaneState]:
        """What does not deliver here, and why."""
        now = self._loop.time()
        for lane in self._lanes.values():
            lane.pause = lane.pause.half_opened(now)
        found = [events.state_of(self.stream, None, self._breaker.pause), self._acks.state()]
        if isinstance(self._client, FailoverClient):
            found += self._client.states()
        found += [events.state_of(self.stream, lane.index, lane.pause) for lane in self._lanes.values()]
        return [each for each in found if each is not None]

    # Posting.

    def pump(self) -> None:
        """Start every post that may start now; come back when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        while not self._closing and self._posts < self._posts_max():
            lane, at = self._next_lane()
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

    def _next_lane(self) -> tuple[Lane | None, float]:
        """The lane that is ready first, and when; of those that are ready now, the one whose turn it is."""
        best: Lane | None = None
        best_at = float("inf")
        # No company can come while nothing more is claimed.
        linger_s = 0.0 if self.room <= 0 else self._limits.linger_s
        for lane in self._lanes.values():
            at = lane.ready_at(
                bytes_max=self._body_bytes_max(), count_max=self._limits.batch_hec_events_max, linger_s=linger_s
            )
            if at < best_at:
                best, best_at = lane, at
        return best, best_at

    def _start(self, lane: Lane, now: float) -> None:
        hec_token = self.destination.hec_token
        if hec_token is None:
            raise RuntimeError("without a hec_token the gate is shut and nothing is posted")
        most = 1 if self._breaker.state is BreakerState.HALF_OPEN else self._limits.batch_hec_events_max
        hec_events = lane.take(now, bytes_max=self._body_bytes_max(), count_max=most)
        # To the end of the row, so that lanes take turns.
        self._lanes[lane.index] = self._lanes.pop(lane.index)
        if self._context.claims.stolen:
            hec_events = self._without_stolen(hec_events)
            if not hec_events:
                return
        lane.posts += 1
        self._posts += 1
        self._context.spawn(self._post(lane, Batch(self.stream, lane.index, hec_token, hec_events)), "post")

    def _without_stolen(self, hec_events: tuple[PendingEvent, ...]) -> tuple[PendingEvent, ...]:
        """Those that nobody else has by now; the others are forgotten here."""
        claims = self._context.claims
        stolen = [each.delivery for each in hec_events if each.delivery.seq in claims.stolen]
        if stolen:
            kept = tuple(each for each in hec_events if each.delivery.seq not in claims.stolen)
            claims.forget(stolen)
            return kept
        return hec_events

    async def _post(self, lane: Lane, batch: Batch) -> None:
        """Post one batch, and do what the answer says."""
        at = self._under_way[batch] = self._context.clock()
        body = batch.body(at)
        gzip_level = self._gzip_level
        saturated = self._posts >= int(self._flow.posts)
        begun = self._loop.time()
        self._users += 1
        try:
            answer = await self._client.post(body, hec_token=batch.hec_token, gzip_level=gzip_level)
            verdict = judge(answer, len(batch.hec_events), gzipped=gzipped(len(body), gzip_level))
            if verdict.confirm:
                verdict = await self._confirm(batch, verdict)
        finally:
            self._users -= 1
            self._posts -= 1
            lane.posts -= 1
        del self._under_way[batch]
        if answer.spare and verdict.scope is Scope.DESTINATION and self._breaker.state is BreakerState.CLOSED:
            verdict = replace(verdict, scope=Scope.NONE)  # that address is left out, the others go on
        seconds = self._loop.time() - begun
        attempt = Attempt(at, round(seconds, 3), verdict.words, verdict.ambiguous)
        division = divide(batch.hec_events, verdict)
        self._adapt(verdict, body_bytes=len(body), saturated=saturated)
        taken = len(division.delivered)
        if taken:
            verdict, division = self._acks.track(batch, answer, verdict, division, attempt)
        accepted = taken - len(division.delivered)
        self._acks.apply_answer(answer)
        events.attempted(batch, division, answer, verdict, accepted=accepted, body_bytes=len(body), seconds=seconds)
        self._count(batch, division, answer, verdict, body_bytes=len(body), seconds=seconds)
        self._apply_verdict(lane, verdict, division, attempt)
        self.pump()
        least_s = self._lane_again_s if verdict.scope is Scope.LANE else 0.0
        await self._outcomes.write(division, verdict, attempt, least_s=least_s)
        await self._close_when_done()

    async def _confirm(self, batch: Batch, verdict: Verdict) -> Verdict:
        """Something that may not be Splunk refuses a single hec_event, which is to be buried for it.

        Not if it refuses an empty post as well; and only if, after that went through, it refuses the hec_event
        once more: a proxy that was out of order for a moment has cost nobody a hec_event then.
        """
        refused = await self._probe()
        if refused is not None:
            return refused
        return verdict if batch.hec_events[0].refused_once else replace(verdict, rest=Rest.NOW)

    def _count(
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
        if again:
            observer.resent(self.stream, count=again, ambiguous=verdict.ambiguous)

    def _adapt(self, verdict: Verdict, *, body_bytes: int, saturated: bool) -> None:
        """Change how much goes out, after a verdict."""
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
            self._pause_all(verdict)
            return
        self._breaker.record_success()
        if verdict.scope is Scope.LANE:
            self._pause_lane(lane, verdict)
        else:
            self._record_lane_success(lane)
        if self._closing or self._breaker.state is BreakerState.OPEN or lane.pause.state is BreakerState.OPEN:
            self._outcomes.give_back(lane.clear())

    # Pausing and resuming.

    def _pause_all(self, verdict: Verdict) -> None:
        """Nothing goes out until a probe finds Splunk taking this hec_token; what waits here goes back."""
        self._flow = reset(self._flow)
        self._breaker.record_fault(verdict)
        for lane in self._lanes.values():
            self._outcomes.give_back(lane.clear())

    def _pause_lane(self, lane: Lane, verdict: Verdict) -> None:
        """Nothing goes to this index for a while; then one hec_event tries it."""
        fresh = lane.pause.state is not BreakerState.OPEN
        now, at = self._loop.time(), self._context.clock()
        wait = wait_s(lane.pause, verdict, limits=self._limits, jitter=self._context.rng.random(), at=at)
        lane.pause = lane.pause.begun(verdict, now=now, at=at, wait_s=wait)
        left = lane.pause.left_s(now)
        self._outcomes.give_back(lane.clear(), least_s=max(left, self._lane_again_s))
        if fresh:
            self._tell_of_lanes()
            events.paused(self.stream, lane.index, lane.pause, again_in_s=left)

    def _record_lane_success(self, lane: Lane) -> None:
        before, lane.pause = lane.pause, lane.pause.ended()
        if before.state is BreakerState.HALF_OPEN:
            self._tell_of_lanes()
            events.resumed(self.stream, lane.index, before, after_s=self._context.clock() - before.since)

    def _tell_of_lanes(self) -> None:
        """Lanes share a label: it is paused while one of them is."""
        observer = self._context.observer
        if any(lane.pause.state is not BreakerState.CLOSED for lane in self._lanes.values()) and not self._closing:
            observer.paused(self.stream, scope=Scope.LANE)
        else:
            observer.resumed(self.stream, scope=Scope.LANE)

    async def _probe(self) -> Verdict | None:
        """Whether Splunk takes the hec_token (``None``), or why not."""
        if self.destination.hec_token is None:
            return NO_HEC_TOKEN
        self._users += 1
        try:
            return judge_probe(await self._client.probe(hec_token=self.destination.hec_token))
        finally:
            self._users -= 1
            await self._close_when_done()

    def _on_resume(self) -> None:
        self.pump()
        self._context.wake()

    # Ending.

    def idle_since(self) -> float | None:
        """Since when (loop's clock) it has had nothing to do and nothing to wait for; ``None`` if it has."""
        waits = any(state.state == BreakerState.OPEN.value for state in self.states())
        busy = waits or self._users or self._context.claims.held(self.stream)
        return None if busy else self._used_at

    @property
    def _is_done(self) -> bool:
        """It was told to end, and nothing is under way any more."""
        return self._closing and not self._users and not self._acks.polling

    def end(self) -> None:
        """Start nothing more and give back what waits; what is under way ends, then the connections go."""
        if not self._closing and any(lane.pause.state is not BreakerState.CLOSED for lane in self._lanes.values()):
            self._context.observer.resumed(self.stream, scope=Scope.LANE)
        self._closing = self._outcomes.ending = True
        self._acks.end()
        self._breaker.close()
        if self._timer is not None:
            self._timer.cancel()
        for lane in self._lanes.values():
            self._outcomes.give_back(lane.clear())
        self._close_soon()

    def _close_soon(self) -> None:
        self._context.spawn(self._close_when_done(), "close")

    async def _close_when_done(self) -> None:
        if self._is_done:
            await self._client.close()
            self.ended = True

    async def abandon(self) -> None:
        """After its posts were cancelled: nobody knows whether Splunk took them."""
        fault = "the relay was stopped before Splunk answered"
        now = self._context.clock()
        try:
            for batch, at in self._under_way.items():
                attempt = Attempt(at, round(max(0.0, now - at), 3), fault, ambiguous=True)
                await self._outcomes.release(batch.hec_events, attempt, fault=fault)
            self._under_way.clear()
            await self._outcomes.release(self._acks.abandon(), fault=fault)
        finally:
            await self._client.close()
