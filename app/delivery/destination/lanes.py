"""All lanes of one destination: which of them posts next, and which are paused for their index."""

from collections.abc import Iterator

from app.delivery.destination import events
from app.delivery.destination.batch import PendingEvent
from app.delivery.destination.breaker import BreakerState
from app.delivery.destination.lane import Lane
from app.delivery.destination.outcomes import OutcomeWriter
from app.delivery.destination.pause import wait_s
from app.delivery.interfaces import DeliveryContext
from app.model import Stream
from app.splunk.answers import Scope, Verdict

LANE_AGAIN = 5
"""A delivery for a paused lane comes back after at least this many times ``retry_base_s``: each time that it does,
it is claimed and transformed for nothing.
"""


class Lanes:
    """The lanes by index. ``now`` is the event loop's clock, in seconds."""

    def __init__(self, stream: Stream, context: DeliveryContext, outcomes: OutcomeWriter) -> None:
        self.again_s = context.limits.retry_base_s * LANE_AGAIN
        """Shortest time, in seconds, until a delivery comes back to a paused lane."""
        self._stream = stream
        self._context = context
        self._outcomes = outcomes
        self._lanes: dict[str | None, Lane] = {}
        self._ending = False

    def __iter__(self) -> Iterator[Lane]:
        """Every lane, the one that posted longest ago first."""
        return iter(self._lanes.values())

    def put(self, hec_event: PendingEvent, index: str | None, now: float) -> float | None:
        """Queue a hec_event (``None``), or say in how many seconds to come back with it."""
        lane = self._lanes.get(index)
        if lane is None:
            lane = self._lanes[index] = Lane(index)
        again = lane.unavailable_for_s(now, trial_s=self.again_s)
        if again > 0:
            return max(again, self.again_s) * (1 + self._context.rng.random() / 4)
        lane.put(hec_event, now)
        return None

    def next_ready(self, *, bytes_max: int, linger_s: float) -> tuple[Lane | None, float]:
        """The lane that is ready first, and when; of those that are ready now, the one that posted longest ago."""
        best: Lane | None = None
        best_at = float("inf")
        count_max = self._context.limits.batch_hec_events_max
        for lane in self._lanes.values():
            at = lane.ready_at(bytes_max=bytes_max, count_max=count_max, linger_s=linger_s)
            if at < best_at:
                best, best_at = lane, at
        return best, best_at

    def take(self, lane: Lane, now: float, *, bytes_max: int, count_max: int) -> tuple[PendingEvent, ...]:
        """The next batch of a lane, which then goes to the end of the row, so that lanes take turns."""
        self._lanes[lane.index] = self._lanes.pop(lane.index)
        return lane.take(now, bytes_max=bytes_max, count_max=count_max)

    def pause(self, lane: Lane, verdict: Verdict, now: float) -> None:
        """Post nothing to this index for a while; then one hec_event tries it. What waits for it goes back."""
        was_open = lane.pause.state is BreakerState.OPEN
        at, jitter = self._context.clock(), self._context.rng.random()
        wait = wait_s(lane.pause, verdict, limits=self._context.limits, jitter=jitter, at=at)
        lane.pause = lane.pause.begun(verdict, now=now, at=at, wait_s=wait)
        left = lane.pause.left_s(now)
        self._outcomes.give_back(lane.clear(), least_s=max(left, self.again_s))
        if not was_open:
            self._observe()
            events.paused(self._stream, lane.index, lane.pause, again_in_s=left)

    def record_success(self, lane: Lane) -> None:
        """A post of the lane got through."""
        before, lane.pause = lane.pause, lane.pause.ended()
        if before.state is BreakerState.HALF_OPEN:
            self._observe()
            events.resumed(self._stream, lane.index, before, after_s=self._context.clock() - before.since)

    def give_back(self) -> None:
        """Release everything that waits."""
        for lane in self._lanes.values():
            self._outcomes.give_back(lane.clear())

    def end(self) -> None:
        """Nothing is put here any more."""
        if not self._ending and self._is_any_paused():
            self._context.observer.resumed(self._stream, scope=Scope.LANE)
        self._ending = True
        self.give_back()

    def states(self, now: float) -> list[events.LaneState]:
        """The lanes that do not deliver, and why."""
        for lane in self._lanes.values():
            lane.pause = lane.pause.half_opened(now)
        found = (events.state_of(self._stream, lane.index, lane.pause, now=now) for lane in self._lanes.values())
        return [state for state in found if state is not None]

    def _is_any_paused(self) -> bool:
        return any(lane.pause.state is not BreakerState.CLOSED for lane in self._lanes.values())

    def _observe(self) -> None:
        """The lanes of a destination share a label: it is paused while one of them is."""
        if self._is_any_paused() and not self._ending:
            self._context.observer.paused(self._stream, scope=Scope.LANE)
        else:
            self._context.observer.resumed(self._stream, scope=Scope.LANE)
