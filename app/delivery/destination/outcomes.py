"""Writes the outcomes of posts to the spool: deliveries with the same attempts go together, in one call."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from app.backoff import delay
from app.delivery.destination import events
from app.delivery.destination.batch import Division, PendingEvent
from app.delivery.interfaces import DeliveryContext
from app.model import Attempt, Burial, Delivery, Stream
from app.splunk.answers import Verdict

Tried = tuple[Attempt, ...]


class OutcomeWriter:
    """One for each sender. Every coroutine here returns once the spool knows."""

    def __init__(self, stream: Stream, context: DeliveryContext) -> None:
        self.ending = False
        """Whether the sender is ending: what goes back is then due at once, for its successor."""
        self._stream = stream
        self._context = context

    async def write(
        self, division: Division[PendingEvent], verdict: Verdict, attempt: Attempt, *, least_s: float
    ) -> None:
        """After a post: settle, bury and release as ``division`` says. What is sent again at once is not written."""
        if division.delivered:
            await self.settle(division.delivered, attempt)
        if division.buried:
            await self._bury(division.buried, verdict, attempt)
        if division.release:
            await self.release(division.release, attempt, least_s=least_s, fault=verdict.words)

    async def settle(self, hec_events: Sequence[PendingEvent], *last: Attempt) -> None:
        """Settle as delivered; ``last`` is the post that did it, unless the hec_events hold it already."""
        now = self._context.clock()
        delays = [max(0.0, now - each.delivery.hook.received_at) for each in hec_events]
        for tried, deliveries in _alike(hec_events, last):
            await self._context.claims.settle(deliveries, tried=tried)
        self._context.observer.delivered(self._stream, delays_s=delays)

    async def _bury(self, hec_events: Sequence[PendingEvent], verdict: Verdict, attempt: Attempt) -> None:
        burials = [Burial(each.delivery, verdict.cause, verdict.words, (*each.tried, attempt)) for each in hec_events]
        for burial in burials:
            events.buried(burial)
        await self._context.claims.bury(burials)
        self._context.observer.buried(self._stream, cause=verdict.cause, count=len(burials))

    def give_back(self, hec_events: Sequence[PendingEvent], *, least_s: float = 0.0) -> None:
        """Release them, without waiting for it."""
        if hec_events:
            self._context.spawn(self.release(hec_events, least_s=least_s), "release")

    async def release(
        self, hec_events: Iterable[PendingEvent], *last: Attempt, least_s: float = 0.0, fault: str = ""
    ) -> None:
        """Release each with a backoff of its own, at least ``least_s`` seconds; what was never posted has no other."""
        limits, rng = self._context.limits, self._context.rng
        for tried, deliveries in _alike(hec_events, last):
            by_attempts: defaultdict[int, list[Delivery]] = defaultdict(list)
            for delivery in deliveries:
                by_attempts[delivery.attempts].append(delivery)
            for attempts, group in by_attempts.items():
                backoff = 0.0
                if tried and not self.ending:
                    backoff = delay(
                        attempts + 1, jitter=rng.random(), base_s=limits.retry_base_s, cap_s=limits.retry_max_s
                    )
                await self._context.claims.release(group, retry_in_s=max(least_s, backoff), tried=tried, fault=fault)


def _alike(hec_events: Iterable[PendingEvent], last: Tried) -> Iterable[tuple[Tried, list[Delivery]]]:
    """Group the deliveries by their attempts since they were claimed, ``last`` included; nearly always one group."""
    groups: defaultdict[Tried, list[Delivery]] = defaultdict(list)
    for hec_event in hec_events:
        groups[hec_event.tried].append(hec_event.delivery)
    return [((*tried, *last), deliveries) for tried, deliveries in groups.items()]
