"""The bytes of all bodies in progress, and whose reading stops when they are too many. Pure.

Bytes count as they come; what a request announces counts nothing. Bodies of requests that have shown nothing have half
of the room at most. Where there is too little, the body stops that has been coming longest, first of those who have
shown least: an honest hook is there in milliseconds. A body that is here in full is never given up.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

from app.server.places import Rank

_Request = TypeVar("_Request", bound=Hashable)


class Bodies(Generic[_Request]):
    """The bodies of one listener."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.unproven_max = bytes_max // 2
        self._held: dict[_Request, int] = {}
        self._coming: list[dict[_Request, None]] = [{} for _ in Rank]
        self._bytes = [0, 0, 0]
        self._ranks: dict[_Request, Rank] = {}

    @property
    def held(self) -> int:
        """Bytes of all bodies."""
        return sum(self._bytes)

    def grow(self, request: _Request, rank: Rank, count: int) -> list[_Request]:
        """So many bytes more have come; whose reading has to stop for that, it may be this one's."""
        rank = self._ranks.setdefault(request, rank)
        if request not in self._held:
            self._coming[rank][request] = None
        self._held[request] = self._held.get(request, 0) + count
        self._bytes[rank] += count
        stopped: list[_Request] = []
        while request not in stopped and self._is_too_much(rank):
            stopped.append(self._stop(Rank.PROVEN if self.held > self.bytes_max else Rank.UNPROVEN, request))
        return stopped

    def _is_too_much(self, rank: Rank) -> bool:
        too_much = rank is Rank.UNPROVEN and self._bytes[Rank.UNPROVEN] > self.unproven_max
        return too_much or self.held > self.bytes_max

    def _stop(self, most: Rank, request: _Request) -> _Request:
        """Give up the body that has been coming longest, of the lowest rank up to ``most``; at worst ``request``."""
        others = (other for rank in Rank if rank <= most for other in self._coming[rank] if other != request)
        victim = next(others, request)
        self.end(victim)
        return victim

    def complete(self, request: _Request) -> None:
        """It is here in full."""
        rank = self._ranks.get(request)
        if rank is not None:
            self._coming[rank].pop(request, None)

    def end(self, request: _Request) -> None:
        """Its bytes are given back."""
        rank = self._ranks.pop(request, None)
        if rank is not None:
            self._coming[rank].pop(request, None)
            self._bytes[rank] -= self._held.pop(request)
