"""Who may have how much of the spool, so that no tenant takes another's room. Pure.

Of several tenants none may hold more than its share, and the last tenth is for those that hold less than is left of
it: whoever fills the spool is refused, and everybody else goes on. Parked hooks have a small part of their own, of
which the oldest go. Of dead letters the largest pays first. ``docs/decisions/0052-shares.md``
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from app.errors import NotStored
from app.model import Hook

LAST_PART: Final = 0.1
"""Of the spool: for those who hold less than what is left."""
PARKED_PART_MAX: Final = 0.1
"""Of the spool: parked hooks have no more, whatever their budget says."""
EVICTED_MAX: Final = 500
"""Parked hooks that go at once, unless more have to."""
PARKED_KEPT: Final = 0.9
"""Of the budget of parked hooks: so much is left when some have to go."""
WHOLE: Final = 1.0
"""The share of a tenant that is alone."""
Refusal = Literal["", "spool_full", "share_full"]


class Held(NamedTuple):
    """Hooks, and their payload bytes."""

    hooks: int
    bytes: int

    def plus(self, other: "Held") -> "Held":
        """Both together."""
        return Held(self.hooks + other.hooks, self.bytes + other.bytes)

    def part(self, part: float) -> "Held":
        """So much of it, at least one hook."""
        return Held(max(1, int(self.hooks * part)), max(1, int(self.bytes * part)))

    def fits(self, limit: "Held") -> bool:
        """Whether neither is over its limit."""
        return self.hooks <= limit.hooks and self.bytes <= limit.bytes


NOTHING: Final = Held(0, 0)
WIDE: Final = Held(2**62, 2**62)


class Occupancy:
    """What is stored, altogether and by tenant, and what a group of hooks adds to it."""

    def __init__(self, limit: Held, total: Held, own: Mapping[str, Held]) -> None:
        self._limit = limit
        self.total = total
        self._own = dict(own)

    def refusal(self, tenant: str, size: int, share: float) -> Refusal:
        """Why a hook of so many bytes is not stored; empty: it is, and counted from now on."""
        more = Held(1, size)
        total = self.total.plus(more)
        if not total.fits(self._limit):
            return "spool_full"
        own = self._own.get(tenant, NOTHING).plus(more)
        if share < WHOLE and own.hooks > 1 and self._takes_others(own, total, share):
            return "share_full"
        self.total, self._own[tenant] = total, own
        return ""

    def _takes_others(self, own: Held, total: Held, share: float) -> bool:
        if not own.fits(self._limit.part(share)):
            return True
        left = Held(self._limit.hooks - total.hooks, self._limit.bytes - total.bytes)
        last = self._limit.part(1 - LAST_PART)
        return (total.hooks > last.hooks and own.hooks > left.hooks) or (
            total.bytes > last.bytes and own.bytes > left.bytes
        )


def may_be_shares(total: Held, more: Iterable[int], share: float, limit: Held) -> bool:
    """Whether hooks of these sizes may meet somebody's share: as long as all together fit into one, nobody does."""
    sizes = list(more)
    return not total.plus(Held(len(sizes), sum(sizes))).fits(limit.part(min(share, 1 - LAST_PART)))


def parked_budget(budget: Held, limit: Held) -> Held:
    """How much of the spool parked hooks may have."""
    most = limit.part(PARKED_PART_MAX)
    return Held(min(budget.hooks, most.hooks), min(budget.bytes, most.bytes))


def what_fits(sizes: Iterable[int], budget: Held) -> tuple[Held, set[int]]:
    """How much of hooks that come at once fits into a budget, and the places of those that do not."""
    more, refused = NOTHING, set()
    for place, size in enumerate(sizes):
        wanted = more.plus(Held(1, size))
        if wanted.fits(budget):
            more = wanted
        else:
            refused.add(place)
    return more, refused


def who_goes(oldest: Iterable[tuple[int, int]], held: Held, more: Held, budget: Held) -> tuple[list[int], Held]:
    """Of parked deliveries (seq and bytes, the oldest first) those that go so that ``more`` come in; what is left.

    Some more than have to, up to ``EVICTED_MAX``, so that the next that come cost nothing.
    """
    seqs: list[int] = []
    kept = budget.part(PARKED_KEPT)
    for seq, size in oldest:
        if held.plus(more).fits(kept if len(seqs) < EVICTED_MAX else budget):
            break
        seqs.append(seq)
        held = Held(held.hooks - 1, held.bytes - size)
    return seqs, held


def not_stored(why: Refusal, hook: Hook, share: float, limit: Held) -> NotStored:
    """The refusal of a hook, which says whose share is full."""
    if why == "spool_full":
        return NotStored("spool_full", hooks_max=limit.hooks, bytes_max=limit.bytes)
    return NotStored("share_full", tenant=hook.tenant or None, installation=hook.installation or None, share=share)


def payers(sizes: Mapping[str, int], bytes_max: int) -> dict[str, int]:
    """How many bytes each has to give up, so that all together have no more than ``bytes_max``.

    The largest come down to the next largest, and so on: who has no more than an equal part pays nothing.
    """
    level = 0
    left, rest = bytes_max, sorted(sizes.values())
    for place, size in enumerate(rest):
        equal = left // (len(rest) - place)
        if size > equal:
            level = equal
            break
        left -= size
    else:
        return {}
    return {name: size - level for name, size in sizes.items() if size > level}
