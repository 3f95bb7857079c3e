"""Who holds a connection, and who gives way when there are too many. Pure: ``now`` is an argument.

Nothing is kept free for nobody: whoever comes is let in, and the one that deserves its place least leaves. That is the
one that has waited longest without a request in progress, with a grace that grows with what it has shown:

    UNPROVEN     nothing                                                                    no grace
    KNOWN        its address has lately delivered a verified hook, or is a trusted proxy's  1 s
    PROVEN       it has itself delivered a verified hook                                    30 s

A hook takes milliseconds, so it is never the one that has waited longest; a silent connection is, whoever holds it.
Unproven connections have no more than three quarters of all places, and the proven ones of one tenant no more than one.
"""

from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, TypeVar

_Holder = TypeVar("_Holder", bound=Hashable)


class Rank(IntEnum):
    """What a connection, or a request, has shown of itself."""

    UNPROVEN = 0
    KNOWN = 1
    PROVEN = 2


GRACE_S = {Rank.UNPROVEN: 0.0, Rank.KNOWN: 1.0, Rank.PROVEN: 30.0}


class Places(Generic[_Holder]):
    """The connections of one listener."""

    def __init__(self, places_max: int) -> None:
        self.places_max = places_max
        self.unproven_max = max(1, places_max - places_max // 4)
        self._tenant_max = max(1, places_max // 4)
        self._ranks: dict[_Holder, Rank] = {}
        self._counts = [0, 0, 0]
        self._waiting: list[dict[_Holder, float]] = [{} for _ in Rank]
        """By rank, since when they wait; in that order."""
        self._tenants: dict[_Holder, str] = {}
        self._of_tenant: dict[str, int] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ranks)

    def rank(self, holder: _Holder) -> Rank:
        """What it has shown."""
        return self._ranks[holder]

    def enter(self, holder: _Holder, rank: Rank, now: float) -> None:
        """It has connected."""
        self._ranks[holder] = rank
        self._counts[rank] += 1
        self._waiting[rank][holder] = now

    def leave(self, holder: _Holder) -> None:
        """It is closed."""
        rank = self._ranks.pop(holder)
        self._counts[rank] -= 1
        self._waiting[rank].pop(holder, None)
        tenant = self._tenants.pop(holder, None)
        if tenant is not None:
            self._of_tenant[tenant] -= 1
            if not self._of_tenant[tenant]:
                del self._of_tenant[tenant]

    def working(self, holder: _Holder) -> None:
        """Its request is here in full: it cannot be asked to leave until that is answered."""
        self._waiting[self._ranks[holder]].pop(holder, None)

    def waiting(self, holder: _Holder, now: float) -> None:
        """It has been answered and may ask again."""
        waiting = self._waiting[self._ranks[holder]]
        waiting.pop(holder, None)
        waiting[holder] = now

    def proved(self, holder: _Holder, tenant: str) -> None:
        """It has delivered a verified hook of ``tenant``; kept in mind while that tenant has not too many places."""
        if self._ranks[holder] is Rank.PROVEN or self._of_tenant.get(tenant, 0) >= self._tenant_max:
            return
        before = self._ranks[holder]
        since = self._waiting[before].pop(holder, None)
        self._counts[before] -= 1
        self._counts[Rank.PROVEN] += 1
        self._ranks[holder] = Rank.PROVEN
        if since is not None:
            self._waiting[Rank.PROVEN][holder] = since
        self._tenants[holder] = tenant
        self._of_tenant[tenant] = self._of_tenant.get(tenant, 0) + 1

    @property
    def crowded(self) -> bool:
        """Whether somebody has to leave."""
        return len(self._ranks) > self.places_max or self._counts[Rank.UNPROVEN] > self.unproven_max

    def who_leaves(self, newcomer: _Holder) -> _Holder | None:
        """The one that deserves its place least; ``None`` if all others have a request in progress."""
        if self._counts[Rank.UNPROVEN] > self.unproven_max:
            return self._longest_waiting(Rank.UNPROVEN, newcomer)
        candidates = [
            (self._waiting[rank][holder] + GRACE_S[rank], rank, holder)
            for rank in Rank
            if (holder := self._longest_waiting(rank, newcomer)) is not None
        ]
        return min(candidates, key=lambda one: one[:2])[2] if candidates else None

    def _longest_waiting(self, rank: Rank, newcomer: _Holder) -> _Holder | None:
        return next((holder for holder in self._waiting[rank] if holder != newcomer), None)
