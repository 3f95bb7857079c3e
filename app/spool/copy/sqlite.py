"""A SQLite spool as one side of a copy."""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from app.errors import SpoolError
from app.spool.copy.rows import ROWS, AuditRow, DeliveryRow, HistoryRow, HookRow, LedgerRow, Reached, SeenRow
from app.spool.keys import delivery_seq, hook_seq_of, place_of
from app.spool.sql import Queries
from app.spool.sqlite.file import (
    APPLICATION_ID,
    COPYING_ID,
    SCHEMA_VERSION,
    check_file,
    connect,
    lay_out,
    lock_file,
)

_QUERIES = Queries("copy/sql/sqlite.sql")
_SECOND = 1_000_000


class SqliteStore:
    """See ``app.spool.copying.Target``. Opening takes the file's lock: no relay has it open meanwhile."""

    def __init__(self, path: Path, *, make: bool) -> None:
        if not make and not path.exists():
            raise SpoolError(f"there is no spool {path}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_file(path)
            try:
                self._connection = self._open(path, make=make)
            except BaseException:
                self._lock.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"the spool {path} cannot be opened: {error}") from error
        self._path = path

    @staticmethod
    def _open(path: Path, *, make: bool) -> sqlite3.Connection:
        new = not path.exists() or path.stat().st_size == 0
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            if connection.execute("PRAGMA application_id").fetchone() != (COPYING_ID,) or not make:
                check_file(path, connection)
            elif connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
                raise SpoolError(f"the copy into {path} was begun by another version: remove it, copy again")
            lay_out(connection, new=new)
        if new:
            path.chmod(0o600)
        return connect(path)

    async def hooks(self, *, after: int) -> AsyncIterator[Sequence[HookRow]]:
        """See ``Store``."""
        while found := self._fetch("hooks", after, ROWS):
            first, after = found[0][0], found[-1][0]
            of: defaultdict[int, list[DeliveryRow]] = defaultdict(list)
            for row in self._fetch("deliveries", delivery_seq(first, 0), delivery_seq(after + 1, 0)):
                seq, state, stream, due_at, waiting_since, *rest, buried_at = row
                times = (_whole(due_at), _whole(waiting_since))
                shown = (place_of(seq), state, stream, *times, *rest, _whole_or_none(buried_at))
                of[hook_seq_of(seq)].append(DeliveryRow._make(shown))
            yield [HookRow._make([*row, of[row[0]]]) for row in found]

    async def seen(self) -> AsyncIterator[Sequence[SeenRow]]:
        """See ``Store``."""
        seq = 0
        while found := self._fetch("seen", seq, ROWS * 10):
            seq = found[-1][0]
            yield [
                SeenRow(key, delivery_id, _whole(at), resend_id, _whole_or_none(resend_at), bool(unanswered))
                for _, key, delivery_id, at, resend_id, resend_at, unanswered in found
            ]

    async def history(self, *, after: int) -> AsyncIterator[Sequence[HistoryRow]]:
        """See ``Store``."""
        while found := self._fetch("history", after, ROWS * 10):
            after = found[-1][0]
            rows = map(HistoryRow._make, found)
            yield [each._replace(ended_at=_whole(each.ended_at)) for each in rows]

    async def audit(self, *, after: int) -> AsyncIterator[Sequence[AuditRow]]:
        """See ``Store``."""
        while found := self._fetch("audit", after, ROWS):
            after = found[-1][0]
            yield [each._replace(at=_whole(each.at)) for each in map(AuditRow._make, found)]

    async def ledger(self) -> Sequence[LedgerRow]:
        """See ``Store``."""
        return [LedgerRow(*row) for row in self._fetch("ledger")]

    async def begin(self, source: str) -> Reached:
        """See ``Target``."""
        with self._transaction() as connection:
            if connection.execute("PRAGMA application_id").fetchone() == (COPYING_ID,):
                if connection.execute("SELECT source FROM copying").fetchone() != (source,):
                    raise SpoolError(f"{self._path} holds a copy of another spool that has not ended: remove it")
            elif connection.execute(_QUERIES["used"]).fetchone()[0]:
                raise SpoolError(f"{self._path} is not empty: a spool is copied into a new one")
            else:
                connection.execute(f"PRAGMA application_id = {COPYING_ID}")
                connection.execute("CREATE TABLE copying (source TEXT NOT NULL)")
                connection.execute("INSERT INTO copying VALUES (?)", (source,))
            return Reached(*connection.execute(_QUERIES["reached"]).fetchone())

    async def put_hooks(self, rows: Sequence[HookRow]) -> None:
        """See ``Target``."""
        hooks = [(*row[:5], len(row.payload), row.about, row.payload) for row in rows]
        deliveries = [
            (
                delivery_seq(row.seq, each.number),
                each.state,
                each.stream,
                each.due_at / _SECOND,
                each.waiting_since / _SECOND,
                row.received_at,
                len(row.payload),
                each.attempts,
                each.ambiguous,
                each.first_attempt_at,
                each.tried,
                each.fault,
                row.delivery_id,
                each.cause,
                None if each.buried_at is None else each.buried_at / _SECOND,
            )
            for row in rows
            for each in row.deliveries
        ]
        with self._transaction() as connection:
            connection.executemany(_QUERIES["put_hook"], hooks)
            connection.executemany(_QUERIES["put_delivery"], deliveries)

    async def put_seen(self, rows: Sequence[SeenRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.executemany(_QUERIES["put_seen"], map(_seen, rows))

    async def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.executemany(
                _QUERIES["put_history"], [(*each[:6], each.ended_at / _SECOND, *each[7:]) for each in rows]
            )

    async def put_audit(self, rows: Sequence[AuditRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.executemany(
                _QUERIES["put_audit"], [(each.number, each.at / _SECOND, *each[2:]) for each in rows]
            )

    async def put_ledger(self, rows: Sequence[LedgerRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM ledger")
            connection.executemany(_QUERIES["put_ledger"], rows)

    async def finish(self) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.execute(_QUERIES["put_fill"])
            connection.execute("DROP TABLE copying")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def close(self) -> None:
        """See ``Store``."""
        self._connection.close()
        self._lock.close()

    def _fetch(self, name: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(_QUERIES[name], values).fetchall()
        except sqlite3.Error as error:
            raise SpoolError(f"the spool {self._path} cannot be read: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise SpoolError(f"the spool {self._path} cannot be written: {error}") from error
            raise


def _whole(seconds: float) -> int:
    return round(seconds * _SECOND)


def _whole_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else _whole(seconds)


def _seen(row: SeenRow) -> tuple[object, ...]:
    resend_at = None if row.resend_at is None else row.resend_at / _SECOND
    return row.dedup_key, row.delivery_id, row.at / _SECOND, row.resend_id, resend_at, row.unanswered
