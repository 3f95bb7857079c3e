"""A lane: the queue of one (destination, hec_token, index). It decides what goes next; the sender posts it."""

import math
from collections import deque
from collections.abc import Sequence

from app.delivery.destination.batch import PendingEvent, take
from app.delivery.destination.breaker import BreakerState
from app.delivery.destination.pause import Pause


class Lane:
    """State of one lane. ``now`` is the loop's clock, in seconds."""

    __slots__ = ("_size", "index", "pause", "pieces", "posts", "queue", "since")

    def __init__(self, index: str | None) -> None:
        self.index = index
        self.queue: deque[PendingEvent] = deque()
        self.pieces: deque[tuple[PendingEvent, ...]] = deque()
        """Parts of batches to be posted again at once, each as a batch of its own."""
        self.posts = 0
        """Batches on their way."""
        self.pause = Pause()
        self.since = 0.0
        """When the first hec_event of the queue was put there."""
        self._size = 0

    def __repr__(self) -> str:
        """What waits and what is under way, in one line."""
        waiting = len(self.queue) + sum(map(len, self.pieces))
        return f"<Lane {self.index or 'default'} {self.pause.state.value}: {waiting} waiting, {self.posts} posts>"

    def unavailable_for_s(self, now: float, *, trial_s: float) -> float:
        """Seconds until this lane accepts hec_events: 0 if it does now, ``trial_s`` while one hec_event tries it."""
        if self.pause.state is BreakerState.CLOSED:
            return 0.0
        self.pause = self.pause.half_opened(now)
        if self.pause.state is BreakerState.HALF_OPEN and not self.empty:
            return trial_s
        return self.pause.left_s(now)

    def put(self, hec_event: PendingEvent, now: float) -> None:
        """Queue a hec_event; only while ``unavailable_for_s`` is 0."""
        if not self.queue:
            self.since = now
        self.queue.append(hec_event)
        self._size += hec_event.size

    def put_back(self, pieces: Sequence[Sequence[PendingEvent]]) -> None:
        """Queue parts of a refused batch ahead of everything else, each to be a batch of its own."""
        self.pieces.extend(tuple(piece) for piece in pieces)

    def ready_at(self, *, bytes_max: int, count_max: int, linger_s: float) -> float:
        """When the next batch may be posted: ``-inf`` is now, ``inf`` never as things stand."""
        state = self.pause.state
        if state is BreakerState.OPEN or (state is BreakerState.HALF_OPEN and self.posts):
            return math.inf
        if self.pieces or len(self.queue) >= count_max or self._size > bytes_max:
            return -math.inf
        if not self.queue:
            return math.inf
        return -math.inf if state is BreakerState.HALF_OPEN else self.since + linger_s

    def take(self, now: float, *, bytes_max: int, count_max: int) -> tuple[PendingEvent, ...]:
        """Remove and return the next batch; a single hec_event while the lane is being tried."""
        if self.pieces:
            return self.pieces.popleft()
        most = 1 if self.pause.state is BreakerState.HALF_OPEN else count_max
        taken = take(self.queue, bytes_max=bytes_max, count_max=most)
        self._size -= sum(each.size for each in taken)
        self.since = now
        return taken

    def clear(self) -> list[PendingEvent]:
        """Remove and return everything that waits."""
        waiting = [hec_event for piece in self.pieces for hec_event in piece] + list(self.queue)
        self.pieces.clear()
        self.queue.clear()
        self._size = 0
        return waiting

    @property
    def empty(self) -> bool:
        """Whether nothing waits here and nothing is under way."""
        return not (self.posts or self.queue or self.pieces)
