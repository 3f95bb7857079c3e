"""The spool's promise, in words. Every engine keeps it and proves it with ``tests/contract``.

1. **Durable before told.** ``accept`` returns only after hook and deliveries are synced to the disk. A
   process killed or a machine cut off at any instant loses nothing that was told accepted.
2. **Every hook once.** A hook with the idempotency key of one that is remembered, or whose bytes are a resend of one
   (``identity``), is answered with that one's id and stored no second time. Any other is stored, marked with the id of
   the first whose very bytes it has. Check and insert are one transaction.
3. **Claimed by one.** A claimed delivery is handed to nobody else until its lease runs out or it is released.
   Whoever lost the lease can change nothing any more: settle, release, bury and renew are fenced by it.
4. **Round robin.** One ``claim`` takes due deliveries from every stream that has some, so that one tenant's
   backlog hides no other's. Within a stream, earlier due goes first.
5. **Books that balance.** ``stats`` is one consistent look; see ``StreamCount``.
   What is discarded is in the audit, which only grows.
6. **Bounded.** Over its limits ``accept`` raises ``NotStored`` at once; what is stored stays.
7. **Answered.** An ``accept`` has its answer within a second, whatever hangs (``limits.ANSWER_S``). What changes a
   lease waits for its outcome for as long as it takes; everything else that asks has a deadline. A part that dies
   says so (``on_fatal``), and what lately failed is in ``evidence``.

Times that go in are relative (seconds from now): only the engine reads a clock, its database's own.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from app.model import (
    Accepted,
    Attempt,
    AuditAuthor,
    AuditEntry,
    Burial,
    Delivery,
    DeliveryRecord,
    Hook,
    RetentionLimits,
    Search,
    SpoolEvidence,
    SpoolStats,
    Stream,
    SweepResult,
)


class Spool(Protocol):
    """The durable queue between ``ingest`` and ``delivery``."""

    async def accept(self, hook: Hook, destinations: Sequence[str], *, share: float = 1.0) -> Accepted:
        """Store a hook with one delivery per destination (a parked hook: one, to the destination ``""``).

        ``share`` is the part of the spool that the hook's tenant may hold (``shares``); 1: all of it. For a parked hook
        that is over the budget of parked hooks the oldest of these are discarded.

        Raises:
            NotStored: the reason says which limit or fault it was. Nothing is stored, or, where the database gave no
                answer in time, it is as if ``unanswered`` had been told.
        """
        ...

    def unanswered(self, hook: Hook, delivery_id: str) -> None:
        """The answer about ``hook``, accepted as ``delivery_id``, did not reach its sender in time.

        Its bytes may come again, then, and be the same hook. Known here from the next ``accept`` on, on the disk (and
        to other replicas) soon; a process that is killed before that leaves it unknown. Does not wait.
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

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> int:
        """Done: delivered, or ``filtered`` by a route. Only the history knows them from now on.

        ``tried`` are the posts since they were claimed, the same for all, the last one being the one that delivered.
        How many were still ours.
        """
        ...

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        tried: Sequence[Attempt] = (),
        fault: str = "",
    ) -> int:
        """Give back, due again in ``retry_in_s``. ``tried`` are the posts since they were claimed, the same for all.

        Each counts as an attempt, and as an ambiguous one if it was. ``fault`` is kept as the last thing that went
        wrong, in words (empty: what was kept stays). How many were still ours.
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

    async def expire(self, budgets: RetentionLimits, *, limit: int) -> SweepResult:
        """Keep to the budgets: bury what waited too long, discard dead letters, forget history and dedup keys.

        At most ``limit`` rows of each kind. How long something waits counts from when it was accepted, adopted or
        last redelivered. What is discarded lands in the audit, one entry a stream and budget, with the actor
        ``relay``.
        """
        ...

    async def find(self, search: Search, *, limit: int, before: int | None = None) -> Sequence[DeliveryRecord]:
        """Deliveries that match, highest ``seq`` first, only those with a ``seq`` below ``before``."""
        ...

    async def redeliver(
        self, seqs: Sequence[int], *, change: AuditAuthor, per_s: float | None = None, starts_in_s: float = 0.0
    ) -> int:
        """Make dead letters wait again with their ids and counts kept; how many.

        Due in ``starts_in_s``, or from then on spread over time in the order of ``seqs`` so that ``per_s`` of them
        become due in a second: whoever redelivers many in several calls goes on where the last call ended. What is
        no dead letter (any more) is left alone. The audit has it in the same transaction.
        """
        ...

    async def discard(self, seqs: Sequence[int], *, change: AuditAuthor) -> int:
        """Remove dead letters for good (counted as discarded, kept in the history); how many. Audited likewise."""
        ...

    async def audit(self, *, limit: int, before: int | None = None) -> Sequence[AuditEntry]:
        """What was changed by hand or by a budget, newest first, only entries with a ``number`` below ``before``."""
        ...

    async def stats(self) -> SpoolStats:
        """One consistent look at the books."""
        ...

    async def oldest_waiting(self, stream: Stream) -> float | None:
        """``received_at`` of the oldest of a stream's waiting deliveries; ``None`` if none waits.

        Looked for among the 10,000 that are due first, so that a backlog costs no more than that.
        """
        ...

    def on_due(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called, on the event loop, whenever deliveries have probably become due.

        A hint to look sooner: whoever delivers also polls.
        """
        ...

    def on_fatal(self, tell: Callable[[str], None]) -> None:
        """Have ``tell`` called once, on the event loop, with words, when a part has died that the spool needs.

        Whoever runs the spool then ends the process: what is stored is found at the next start.
        """
        ...

    def evidence(self) -> SpoolEvidence:
        """What lately succeeded and what did not, from memory: it waits for nothing."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the disk. Claims stay leased until their time."""
        ...
