"""The rows of a spool's file as a copy shows them, whole or damaged.

Of a damaged file everything is read that can be. A delivery whose hook is lost becomes a dead letter; one whose own
row is lost is known from an index, and where not even that says so, the hook goes to every destination its tenant
ever had: rather twice than never.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.model import Cause
from app.spool.copy.rows import ROWS, AuditRow, DeliveryRow, HistoryRow, HookRow, LedgerRow, SeenRow
from app.spool.keys import (
    DEAD,
    DESTINATIONS_MAX,
    PARKED,
    WAITING,
    delivery_seq,
    hook_seq_of,
    place_of,
    stream_key,
    stream_of,
)
from app.spool.sql import Queries
from app.spool.sqlite.salvage.pages import find_hooks
from app.spool.sqlite.salvage.walk import KEY_MAX, Gap, Walked, is_damage, walk

_QUERIES = Queries("copy/sql/sqlite.sql")
_SECOND = 1_000_000
_HOOKS_MAX = KEY_MAX // DESTINATIONS_MAX
UNKNOWN = "unknown"
"""The destination of a hook of which nothing says where it was to go."""
HOOK_LOST = "what was stored of it is damaged, its payload is lost"


def whole(seconds: float) -> int:
    """Microseconds, as a copy has them."""
    return round(seconds * _SECOND)


def _text(stored: bytes) -> str:
    """Damaged text is text all the same."""
    return stored.decode("utf-8", "replace")


def _whole_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else whole(seconds)


class StoredDelivery(NamedTuple):
    """A row of the statement ``deliveries``. Times are Unix seconds."""

    seq: int
    state: int
    stream: str
    due_at: float
    waiting_since: float
    attempts: int
    ambiguous: int
    first_attempt_at: float | None
    tried: str
    fault: str
    cause: str | None
    buried_at: float | None
    delivery_id: str
    received_at: float

    @classmethod
    def assumed(cls, seq: int, stream: str, *, at: float) -> "StoredDelivery":
        """One of which its number and stream are all that is known. It may have been posted before."""
        state = WAITING if stream_of(stream).tenant else PARKED
        return cls(seq, state, stream, at, at, 0, 1, None, "", "", None, None, f"{seq:032x}", at)

    def dead(self) -> "StoredDelivery":
        """The same as a dead letter without a payload."""
        fault = f"{HOOK_LOST}; before: {self.fault}" if self.fault else HOOK_LOST
        buried_at = self.buried_at or max(self.received_at, self.waiting_since)
        return self._replace(state=DEAD, cause=Cause.UNREADABLE.value, fault=fault, buried_at=buried_at)

    def row(self) -> DeliveryRow:
        """As a copy has it."""
        times = whole(self.due_at), whole(self.waiting_since)
        head = place_of(self.seq), self.state, self.stream, *times
        return DeliveryRow._make((*head, *self[5:11], _whole_or_none(self.buried_at)))


class TableReader:
    """Reads over a connection, one page after the other."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        connection.text_factory = _text
        self._payloads: set[int] = set()
        """Hooks of which nothing is left."""
        self._ways: set[int] = set()
        """Hooks of which nothing says where they were to go."""
        self._tables: dict[str, None] = {}
        """What else is not whole, in words."""

    @property
    def lost(self) -> list[str]:
        """What could not be read so far, in words; empty: everything could."""
        words = []
        if self._payloads:
            words.append(f"the payloads of {len(self._payloads)} hooks, whose deliveries are dead letters")
        if self._ways:
            words.append(f"where {len(self._ways)} hooks were to go: they go to every destination of their tenant")
        return words + list(self._tables)

    def hooks(self, *, after: int) -> Iterator[tuple[int, Sequence[HookRow]]]:
        """Pages of hooks with a seq above ``after``, in its order, and how far each has come."""
        while (walked := self._walk("hooks", after, ROWS, last=_HOOKS_MAX)).reached is not None:
            left, gaps = self._left(after + 1, walked.reached)
            lost = {seq for seq in left if any(seq in gap for gap in walked.gaps)}
            found = walked.rows + self._found(lost)
            rows = [self._hook(row, left.get(row[0], []), gaps) for row in found]
            rows += [self._without_hook(seq, left[seq]) for seq in lost.difference(row[0] for row in found)]
            after = walked.reached
            yield after, sorted(rows, key=lambda row: row.seq)

    def _found(self, lost: Collection[int]) -> list[Any]:
        """Those of the hooks to which no tree leads any more that lie somewhere in the file all the same."""
        if not lost:
            return []
        (page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
        return list(find_hooks(self._path, lost, page_bytes=page_bytes))

    def _left(self, first: int, last: int) -> tuple[defaultdict[int, list[StoredDelivery]], Sequence[Gap]]:
        """The deliveries of these hooks, by hook; and the gaps between them."""
        walked = self._walk("deliveries", delivery_seq(first, 0) - 1, KEY_MAX, last=delivery_seq(last + 1, 0) - 1)
        found = [StoredDelivery._make(row) for row in walked.rows]
        left: defaultdict[int, list[StoredDelivery]] = defaultdict(list)
        for each in found + self._known(walked.gaps):
            left[hook_seq_of(each.seq)].append(each)
        return left, walked.gaps

    def _known(self, gaps: Sequence[Gap]) -> list[StoredDelivery]:
        """What the index of what is due knows of these gaps."""
        known: list[StoredDelivery] = []
        for stream in self._streams() if gaps else ():
            try:
                for seq, due_at in self._connection.execute(_QUERIES["known"], (stream,)):
                    if any(seq in gap for gap in gaps):
                        known.append(StoredDelivery.assumed(seq, stream, at=due_at))
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
        return known

    def _hook(self, row: Sequence[Any], left: list[StoredDelivery], gaps: Sequence[Gap]) -> HookRow:
        seq, tenant, received_at = row[0], row[2], row[4]
        if not left and any(gap.first < delivery_seq(seq + 1, 0) and delivery_seq(seq, 0) <= gap.last for gap in gaps):
            self._ways.add(seq)
            streams = [key for key in self._streams() if stream_of(key).tenant == tenant]
            left = [
                StoredDelivery.assumed(delivery_seq(seq, place), stream, at=received_at)
                for place, stream in enumerate(streams or [stream_key(tenant, UNKNOWN)])
            ]
        return HookRow._make([*row, [each.row() for each in left]])

    def _without_hook(self, seq: int, left: Sequence[StoredDelivery]) -> HookRow:
        self._payloads.add(seq)
        first = left[0]
        about = (first.delivery_id, stream_of(first.stream).tenant, "", first.received_at, "", b"")
        return HookRow(seq, *about, [each.dead().row() for each in left])

    def seen(self, *, after: int) -> Iterator[tuple[int, Sequence[SeenRow]]]:
        """Pages of dedup keys, the oldest first, and how far each has come."""
        while (walked := self._walk("seen", after, ROWS * 10)).reached is not None:
            after = walked.reached
            yield (
                after,
                [
                    SeenRow(key, delivery_id, whole(at), resend_id, _whole_or_none(resend_at), bool(unanswered))
                    for _, key, delivery_id, at, resend_id, resend_at, unanswered in walked.rows
                ],
            )

    def history(self, *, after: int) -> Iterator[tuple[int, Sequence[HistoryRow]]]:
        """Pages of what has ended."""
        while (walked := self._walk("history", after, ROWS * 10)).reached is not None:
            after = walked.reached
            rows = map(HistoryRow._make, walked.rows)
            yield after, [each._replace(ended_at=whole(each.ended_at)) for each in rows]

    def audit(self, *, after: int) -> Iterator[tuple[int, Sequence[AuditRow]]]:
        """Pages of the audit."""
        while (walked := self._walk("audit", after, ROWS)).reached is not None:
            after = walked.reached
            rows = map(AuditRow._make, walked.rows)
            yield after, [each._replace(at=whole(each.at)) for each in rows]

    def ledger(self) -> list[LedgerRow]:
        """The books. If anything was lost they are made to balance again: what is gone without a trace is discarded."""
        rows = self._ledger()
        if not self.lost:
            return rows
        kept = Counter(each.stream for _, page in self.hooks(after=0) for hook in page for each in hook.deliveries)
        return balanced(rows, kept)

    def _streams(self) -> list[str]:
        return [row.stream for row in self._ledger()]

    def _ledger(self) -> list[LedgerRow]:
        rows: list[LedgerRow] = []
        try:
            rows.extend(LedgerRow(*row) for row in self._connection.execute(_QUERIES["ledger"]))
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._tables["books of streams: they begin anew"] = None
        return rows

    def _walk(self, name: str, after: int, limit: int, last: int = KEY_MAX) -> Walked:
        """Rows of a statement whose parameters are the key after which to begin, and how many."""

        def fetch(after: int, limit: int) -> Iterator[Any]:
            return self._connection.execute(_QUERIES[name], (after, limit))

        walked = walk(fetch, after=after, limit=limit, last=last, weigh=_WEIGHTS.get(name, _one))
        spoilt = [row[0] for row in walked.rows if not _is_sound(row, _KINDS.get(name, {}))]
        if spoilt:
            rows = [row for row in walked.rows if row[0] not in set(spoilt)]
            walked = Walked(rows, [*walked.gaps, *(Gap(key, key) for key in spoilt)])
        if walked.gaps and name in _WORDS:
            self._tables[_WORDS[name]] = None
        return walked


PAYLOAD_BYTES = 20_000
"""A hook with so much payload counts as two rows of a page: 200 of them are four megabytes."""


def _one(_row: object) -> int:
    return 1


_WEIGHTS: Mapping[str, Callable[[Any], int]] = {"hooks": lambda row: 1 + len(row[6]) // PAYLOAD_BYTES}
_WORDS = {"seen": "dedup keys", "history": "parts of the history", "audit": "parts of the audit"}
_KINDS: Mapping[str, Mapping[int, type]] = {
    "hooks": {1: str, 2: str, 3: str, 4: float, 5: str, 6: bytes},
    "deliveries": {1: int, 2: str, 3: float, 4: float, 5: int, 6: int, 8: str, 9: str, 12: str, 13: float},
    "seen": {1: bytes, 2: str, 3: float},
    "history": {1: int, 2: str, 3: str, 4: int, 5: float, 6: float},
    "audit": {1: float, 2: str, 3: str, 4: str, 5: int, 6: str},
}
"""What stands in a column of a row that is sound: damage within a page makes other values, and no error."""


def _is_sound(row: Sequence[Any], kinds: Mapping[int, type]) -> bool:
    return all(isinstance(row[column], kind) for column, kind in kinds.items())


def balanced(ledger: Sequence[LedgerRow], kept: Counter[str]) -> list[LedgerRow]:
    """The books of streams of which so many deliveries are stored."""
    by_stream = {row.stream: row for row in ledger}
    made = []
    for stream in sorted(by_stream.keys() | kept.keys()):
        row = by_stream.get(stream, LedgerRow(stream, 0, 0, 0, 0, 0))
        gone = row.accepted - row.delivered - row.filtered - row.discarded - row.adopted - kept[stream]
        made.append(row._replace(accepted=row.accepted + max(0, -gone), discarded=row.discarded + max(0, gone)))
    return made
