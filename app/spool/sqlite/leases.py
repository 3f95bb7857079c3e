"""Who holds which delivery until when, for an engine with a single owner.

Kept in memory: the process that dies takes its leases with it, which is what a restart wants, and a claim
costs the disk nothing.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.model import Delivery
from app.spool.keys import stream_key


class HeldLease(NamedTuple):
    """One leased delivery."""

    lease: str
    until: float


class Leases:
    """``seq`` to its lease. Every time is the caller's clock."""

    def __init__(self) -> None:
        self._held: dict[int, HeldLease] = {}
        """Those of one claim share the value."""
        self._soonest = math.inf
        """Nothing runs out before."""

    def take(self, seqs: Iterable[int], lease: str, until: float) -> None:
        """Hand these out; they must be free."""
        self._held.update(dict.fromkeys(seqs, HeldLease(lease, until)))
        self._soonest = min(self._soonest, until)

    def held(self, now: float) -> list[int]:
        """Those that nobody else may have now. Forgets what ran out."""
        if self._soonest <= now:
            self._held = {seq: held for seq, held in self._held.items() if held.until > now}
            self._soonest = min((held.until for held in self._held.values()), default=math.inf)
        return list(self._held)

    def ours(self, deliveries: Sequence[Delivery], now: float) -> list[Delivery]:
        """Those of them whose lease is still in force."""
        return [
            each
            for each in deliveries
            if (held := self._held.get(each.seq)) and held.lease == each.lease and held.until > now
        ]

    def extend(self, deliveries: Sequence[Delivery], until: float) -> None:
        """Let these run until then."""
        by_lease: dict[str, list[int]] = {}
        for each in deliveries:
            by_lease.setdefault(each.lease, []).append(each.seq)
        for lease, seqs in by_lease.items():
            self.take(seqs, lease, until)

    def pin(self, deliveries: Sequence[Delivery]) -> dict[int, HeldLease]:
        """Keep these from running out while a change to them is being written; the leases as they were."""
        before = {each.seq: self._held[each.seq] for each in deliveries}
        self.extend(deliveries, math.inf)
        return before

    def unpin(self, before: dict[int, HeldLease]) -> None:
        """The change was not written: the leases are as they were."""
        self._held.update(before)
        self._soonest = -math.inf  # to be found out

    def drop(self, deliveries: Sequence[Delivery]) -> None:
        """They are free again, or gone."""
        for each in deliveries:
            self._held.pop(each.seq, None)


def per_stream(deliveries: Iterable[Delivery]) -> dict[str, int]:
    """How many of them each stream has, by the stream's key."""
    counts = Counter([each.stream for each in deliveries])
    return {stream_key(*stream): count for stream, count in counts.items()}
