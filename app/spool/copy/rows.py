"""What a copy reads and writes: the rows that both engines show, and the two sides of a copy as protocols."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol

from app.spool.text import storable

ROWS = 200
"""Hooks, or other rows, in one transaction."""


class DeliveryRow(NamedTuple):
    """One delivery of a hook. Times are whole microseconds."""

    number: int
    state: int
    stream: str
    due_at: int
    waiting_since: int
    attempts: int
    ambiguous: int
    first_attempt_at: float | None
    """By the clock of the relay that posted: Unix seconds as they are."""
    tried: str
    fault: str
    cause: str | None
    buried_at: int | None


class HookRow(NamedTuple):
    """A hook with everything that is left to do with it."""

    seq: int
    delivery_id: str
    tenant: str
    installation: str
    received_at: float
    about: str
    payload: bytes
    deliveries: Sequence[DeliveryRow]


class SeenRow(NamedTuple):
    """A dedup key. Times are whole microseconds."""

    dedup_key: bytes
    delivery_id: str
    at: int
    resend_id: str | None
    resend_at: int | None
    unanswered: bool


class HistoryRow(NamedTuple):
    """A delivery that has ended. ``ended_at`` is whole microseconds."""

    number: int
    seq: int
    delivery_id: str
    stream: str
    state: int
    received_at: float
    ended_at: int
    bytes: int
    installation: str
    attempts: int
    ambiguous: int
    first_attempt_at: float | None
    tried: str
    fault: str
    cause: str | None
    about: str


class AuditRow(NamedTuple):
    """A change made by hand or by a budget. ``at`` is whole microseconds."""

    number: int
    at: int
    action: str
    actor: str
    reason: str
    changed: int
    delivery_ids: str


class LedgerRow(NamedTuple):
    """The books of one stream."""

    stream: str
    accepted: int
    delivered: int
    filtered: int
    discarded: int
    adopted: int


class Store(Protocol):
    """One side of a copy."""

    def hooks(self, *, after: int) -> AsyncIterator[Sequence[HookRow]]:
        """The hooks with a seq above ``after``, in its order."""
        ...

    def seen(self) -> AsyncIterator[Sequence[SeenRow]]:
        """The dedup keys, the oldest first."""
        ...

    def history(self, *, after: int) -> AsyncIterator[Sequence[HistoryRow]]:
        """What has ended, with a number above ``after``, in its order."""
        ...

    def audit(self, *, after: int) -> AsyncIterator[Sequence[AuditRow]]:
        """The audit, likewise."""
        ...

    async def ledger(self) -> Sequence[LedgerRow]:
        """The books, by stream. Where something could not be read they are made to balance without it."""
        ...

    @property
    def lost(self) -> Sequence[str]:
        """What could not be read so far, in words."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Reached(NamedTuple):
    """How far a copy that was cut off had come: the last hook's seq, and the last numbers of history and audit."""

    hook: int
    history: int
    audit: int


class Target(Store, Protocol):
    """The side that is written to. Each ``put`` is one transaction, and does nothing with rows that are there."""

    async def begin(self, source: str) -> Reached:
        """Mark it as a copy that has not ended; what is there from before.

        Raises:
            SpoolError: it holds something else than a copy of ``source`` that was cut off.
        """
        ...

    async def put_hooks(self, rows: Sequence[HookRow]) -> None:
        """Store hooks and their deliveries."""
        ...

    async def put_seen(self, rows: Sequence[SeenRow]) -> None:
        """Store dedup keys."""
        ...

    async def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """Store what has ended."""
        ...

    async def put_audit(self, rows: Sequence[AuditRow]) -> None:
        """Store entries of the audit."""
        ...

    async def put_ledger(self, rows: Sequence[LedgerRow]) -> None:
        """Have these books and no others."""
        ...

    async def finish(self) -> None:
        """It is whole: a relay may open it."""
        ...


def storable_row(row: Sequence[object]) -> tuple[object, ...]:
    """The row as both engines can have it."""
    return tuple(storable(value) if isinstance(value, str) else value for value in row)
