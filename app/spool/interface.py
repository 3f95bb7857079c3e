"""The spool's promise, in words. Every engine keeps it and proves it with ``tests/contract``.

1. **Durable before told.** ``accept`` returns only after hook and deliveries are synced to the disk. A
   process killed or a machine cut off at any instant loses nothing that was told accepted.
2. **Stored once.** A hook that shares a dedup key with one accepted within the dedup window is answered with
   the first one's id and stored no second time. Check and insert are one transaction.
3. **Claimed by one.** A claimed delivery is handed to nobody else until its lease runs out or it is released.
   Whoever lost the lease can change nothing any more: settle, release, bury and renew are fenced by it.
4. **Round robin.** One ``claim`` takes due deliveries from every stream that has some, so that one tenant's
   backlog hides no other's. Within a stream, earlier due goes first.
5. **Books that balance.** ``stats`` is one consistent look; see ``StreamCount``.
6. **Bounded.** Over its limits ``accept`` raises ``NotStored`` at once; what is stored stays.

Times that go in are relative (seconds from now): only the engine reads a clock, its database's own.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from app.model import Accepted, Burial, DeadLetter, Delivery, Hook, SpoolStats, Stream


class Spool(Protocol):
    """The durable queue between ``ingest`` and ``delivery``."""

    async def accept(self, hook: Hook, destinations: Sequence[str]) -> Accepted:
        """Store a hook with one delivery per destination (a parked hook: one, to the destination ``""``).

        Raises:
            NotStored: nothing is stored; the reason says which limit or fault it was.
        """
        ...

    async def claim(
        self, *, limit: int, per_stream: int, bytes_max: int, lease_s: float, busy: Collection[Stream] = ()
    ) -> list[Delivery]:
        """Take due deliveries for ``lease_s``, payload included, round robin over all streams not ``busy``.

        At most ``limit`` in all, ``per_stream`` of each stream, and payloads of ``bytes_max`` together (one
        larger than that comes alone). Parked deliveries are never claimed.
        """
        ...

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """Extend the lease to ``lease_s`` from now; the ``seq`` of those that are still ours."""
        ...

    async def settle(self, deliveries: Sequence[Delivery], *, filtered: bool = False) -> int:
        """Done and gone: delivered, or ``filtered`` by a route. How many were still ours."""
        ...

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        attempted: bool,
        ambiguous: bool = False,
        fault: str = "",
    ) -> int:
        """Give back, due again in ``retry_in_s``. ``attempted`` counts one attempt, ``ambiguous`` marks it.

        ``fault`` is kept as the last thing that went wrong, in words. How many were still ours.
        """
        ...

    async def bury(self, burials: Sequence[Burial]) -> int:
        """To the dead letters, payload kept. How many were still ours."""
        ...

    async def adopt(self, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """Give the parked hooks of an installation to the tenant that claims it now; how many hooks."""
        ...

    async def parked(self) -> Sequence[str]:
        """The installations that have parked hooks (``""`` stands for hooks that named none)."""
        ...

    async def expire(self, *, waiting_age_s: float, dedup_window_s: float, limit: int) -> int:
        """Bury what waited longer than ``waiting_age_s``, forget dedup keys older than the window.

        At most ``limit`` rows each; returns how many rows it changed, so that a caller can go on.
        """
        ...

    async def dead_letters(self, *, tenant: str | None = None, limit: int = 100) -> Sequence[DeadLetter]:
        """The dead letters, newest first."""
        ...

    async def redeliver(self, delivery_ids: Sequence[str]) -> int:
        """Make dead letters wait again, due now, with their ids and counts kept; how many."""
        ...

    async def discard(self, delivery_ids: Sequence[str]) -> int:
        """Remove dead letters for good (counted as discarded); how many."""
        ...

    async def stats(self) -> SpoolStats:
        """One consistent look at the books."""
        ...

    def on_due(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called, on the event loop, whenever deliveries have probably become due.

        A hint to look sooner: whoever delivers also polls.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the disk. Claims stay leased until their time."""
        ...
