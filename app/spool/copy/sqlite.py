"""A SQLite spool as one side of a copy."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from app.errors import SpoolError
from app.spool.copy.rows import AuditRow, HistoryRow, HookRow, LedgerRow, Reached, SeenRow
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
from app.spool.sqlite.salvage import write
from app.spool.sqlite.salvage.read import TableReader

_QUERIES = Queries("copy/sql/sqlite.sql")


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
        self._tables = TableReader(path, self._connection)

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
        with self._reading():
            for _, rows in self._tables.hooks(after=after):
                yield rows

    async def seen(self) -> AsyncIterator[Sequence[SeenRow]]:
        """See ``Store``."""
        with self._reading():
            for _, rows in self._tables.seen(after=0):
                yield rows

    async def history(self, *, after: int) -> AsyncIterator[Sequence[HistoryRow]]:
        """See ``Store``."""
        with self._reading():
            for _, rows in self._tables.history(after=after):
                yield rows

    async def audit(self, *, after: int) -> AsyncIterator[Sequence[AuditRow]]:
        """See ``Store``."""
        with self._reading():
            for _, rows in self._tables.audit(after=after):
                yield rows

    async def ledger(self) -> Sequence[LedgerRow]:
        """See ``Store``."""
        with self._reading():
            return self._tables.ledger()

    @property
    def lost(self) -> Sequence[str]:
        """See ``Store``."""
        return self._tables.lost

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
        with self._transaction() as connection:
            write.put_hooks(connection, rows)

    async def put_seen(self, rows: Sequence[SeenRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            write.put_seen(connection, rows)

    async def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            write.put_history(connection, rows)

    async def put_audit(self, rows: Sequence[AuditRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            write.put_audit(connection, rows)

    async def put_ledger(self, rows: Sequence[LedgerRow]) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM ledger")
            connection.executemany(_QUERIES["put_ledger"], rows)

    async def finish(self) -> None:
        """See ``Target``."""
        with self._transaction() as connection:
            connection.execute(_QUERIES["put_fill"])
            connection.execute(_QUERIES["put_tenant_fill"])
            connection.execute("DROP TABLE copying")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def close(self) -> None:
        """See ``Store``."""
        self._connection.close()
        self._lock.close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
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
