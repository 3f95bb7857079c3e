"""How full the spool is, as far as this process knows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app.spool.shares import NOTHING, Held, Occupancy, may_be_shares

Wanted = tuple[str, int, float]
"""Of a hook: its tenant, its bytes, and the tenant's share."""


class Fill:
    """What was seen last, with what this process has added and removed since, and is about to add."""

    def __init__(self, limit: Held) -> None:
        self.limit = limit
        self._total = NOTHING
        self._own: dict[str, Held] = {}
        """By tenant, as seen last: others may have changed it since, and what was removed is still in it."""
        self._coming: defaultdict[str, Held] = defaultdict(lambda: NOTHING)
        """By tenant: of batches under way."""
        self.ended = 0
        """How many batches have ended: what a statement saw that began before that may lack them."""

    def begin(self, wanted: Iterable[Wanted]) -> int:
        """A batch is being stored. How many have ended before."""
        for tenant, size, _ in wanted:
            self._coming[tenant] = self._coming[tenant].plus(Held(1, size))
        return self.ended

    def end(self, wanted: Iterable[Wanted], *, stored: Iterable[tuple[str, int]]) -> None:
        """It is stored, as far as it is."""
        self.ended += 1
        for tenant, size, _ in wanted:
            self._coming[tenant] = self._coming[tenant].plus(Held(-1, -size))
        for tenant, size in stored:
            more = Held(1, size)
            self._total = self._total.plus(more)
            self._own[tenant] = self._own.get(tenant, NOTHING).plus(more)

    def remove(self, held: Mapping[str, Held]) -> None:
        """So much less is stored."""
        for less in held.values():
            self._total = self._total.plus(Held(-less.hooks, -less.bytes))

    def see(self, total: Held, own: Mapping[str, Held]) -> None:
        """So much is stored."""
        self._total = total
        self._own.update(own)

    def admits(self, wanted: Sequence[Wanted]) -> bool:
        """Whether all of these may be stored as far as is known; else somebody has to look."""
        sizes, share = [size for _, size, _ in wanted], min(each[2] for each in wanted)
        occupancy = self.occupancy()
        if not may_be_shares(occupancy.total, sizes, share, self.limit):
            return True
        if any(tenant not in self._own for tenant, *_ in wanted):
            return False
        return not any(occupancy.refusal(*each) for each in wanted)

    def occupancy(self) -> Occupancy:
        """To be filled, without changing this."""
        total, own = self._total, dict(self._own)
        for tenant, more in self._coming.items():
            total = total.plus(more)
            own[tenant] = own.get(tenant, NOTHING).plus(more)
        return Occupancy(self.limit, total, own)
