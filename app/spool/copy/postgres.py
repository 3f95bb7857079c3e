"""A spool on PostgreSQL as one side of a copy."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import SystemRandom
from typing import Any, Self, TypeVar

from app.errors import SpoolError
from app.spool.copy.rows import (
    ROWS,
    AuditRow,
    DeliveryRow,
    HistoryRow,
    HookRow,
    LedgerRow,
    Reached,
    SeenRow,
    storable_row,
)
from app.spool.keys import delivery_seq, hook_seq_of, place_of
from app.spool.postgres.complete import columns
from app.spool.postgres.connection import Connection, ReconnectingConnection
from app.spool.postgres.schema import SCHEMA_VERSION, check_version, lay_out, version_of
from app.spool.postgres.url import Address, read_url
from app.spool.sql import Queries
from app.spool.text import storable

_QUERIES = Queries("copy/sql/postgres.sql")
_SPOOL = Queries("postgres/sql/spool.sql")
_T = TypeVar("_T")
STEP_S = 600.0


class PostgresStore:
    """See ``app.spool.copying.Target``. Made by ``await PostgresStore.open(...)``."""

    def __init__(self, address: Address, link: ReconnectingConnection) -> None:
        self._address = address
        self._link = link

    @classmethod
    async def open(cls, url: str, *, make: bool) -> Self:
        """The spool in the database at ``url``; made if ``make`` is set and the database is empty.

        Raises:
            SpoolError: it cannot be used, or a relay is at work on it.
        """
        address = read_url(url)
        store = cls(address, ReconnectingConnection(address, SystemRandom()))
        try:
            await store._check(make=make)
        except BaseException:
            await store.close()
            raise
        return store

    async def _check(self, *, make: bool) -> None:
        async def version(connection: Connection) -> int | None:
            return await version_of(_SPOOL, connection, copying=make)

        found = await self._run(version)
        if found is None and make:
            await lay_out(_SPOOL, self._link, shown=self._address.shown)
            found = await self._run(version)
        if make and found is not None and found < SCHEMA_VERSION and (await self._fetch("is_marked"))[0][0]:
            raise SpoolError(
                f"the copy into {self._address.shown} was begun by an older version: drop its tables, copy again"
            )
        check_version(found, shown=self._address.shown)
        if (await self._fetch("at_work"))[0][0]:
            raise SpoolError(
                f"a relay is at work on {self._address.shown}, or ended less than a minute ago without saying so: "
                "stop it, or wait"
            )

    async def hooks(self, *, after: int) -> AsyncIterator[Sequence[HookRow]]:
        """See ``Store``."""
        while found := await self._fetch("hooks", after, ROWS):
            first, after = found[0][0], found[-1][0]
            of: defaultdict[int, list[DeliveryRow]] = defaultdict(list)
            for seq, *rest in await self._fetch("deliveries", delivery_seq(first, 0), delivery_seq(after + 1, 0)):
                of[hook_seq_of(seq)].append(DeliveryRow(place_of(seq), *rest))
            yield [HookRow._make([*row, of[row[0]]]) for row in found]

    async def seen(self) -> AsyncIterator[Sequence[SeenRow]]:
        """See ``Store``."""
        at, dedup_key = -(10**15), b""
        while found := await self._fetch("seen", at, dedup_key, ROWS * 10):
            rows = [SeenRow(*row) for row in found]
            at, dedup_key = rows[-1].at, rows[-1].dedup_key
            yield rows

    async def history(self, *, after: int) -> AsyncIterator[Sequence[HistoryRow]]:
        """See ``Store``."""
        while found := await self._fetch("history", after, ROWS * 10):
            after = found[-1][0]
            yield [HistoryRow._make(row) for row in found]

    async def audit(self, *, after: int) -> AsyncIterator[Sequence[AuditRow]]:
        """See ``Store``."""
        while found := await self._fetch("audit", after, ROWS):
            after = found[-1][0]
            yield [AuditRow._make(row) for row in found]

    async def ledger(self) -> Sequence[LedgerRow]:
        """See ``Store``."""
        return [LedgerRow(*row) for row in await self._fetch("ledger")]

    async def begin(self, source: str) -> Reached:
        """See ``Target``."""

        async def job(connection: Connection) -> Reached:
            async with connection.transaction():
                if (await connection.fetch(_QUERIES["is_marked"]))[0][0]:
                    if (await connection.fetch(_QUERIES["marked"]))[0][0] != source:
                        raise SpoolError(
                            f"{self._address.shown} holds a copy of another spool that has not ended: remove it"
                        )
                elif (await connection.fetch(_QUERIES["used"]))[0][0]:
                    raise SpoolError(f"{self._address.shown} is not empty: a spool is copied into a new one")
                else:
                    await connection.execute(_QUERIES["mark"])
                    await connection.execute(_QUERIES["put_mark"], source)
                return Reached(*(await connection.fetch(_QUERIES["reached"]))[0])

        return await self._run(job)

    async def put_hooks(self, rows: Sequence[HookRow]) -> None:
        """See ``Target``."""
        hooks = [(*row[:3], storable(row.installation), *row[4:7]) for row in rows]
        deliveries: list[tuple[Any, ...]] = [
            (
                delivery_seq(row.seq, each.number),
                *each[1:9],
                storable(each.fault),
                *each[10:],
                row.received_at,
                len(row.payload),
                len(row.deliveries),
                row.delivery_id,
            )
            for row in rows
            for each in row.deliveries
        ]

        async def job(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_QUERIES["put_hooks"], *columns(hooks))
                if deliveries:
                    await connection.execute(_QUERIES["put_deliveries"], *columns(deliveries))

        await self._run(job)

    async def put_seen(self, rows: Sequence[SeenRow]) -> None:
        """See ``Target``."""
        await self._fetch("put_seen", *columns(rows))

    async def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """See ``Target``."""
        await self._fetch("put_history", *columns([storable_row(each) for each in rows]))

    async def put_audit(self, rows: Sequence[AuditRow]) -> None:
        """See ``Target``."""
        await self._fetch("put_audit", *columns([storable_row(each) for each in rows]))

    async def put_ledger(self, rows: Sequence[LedgerRow]) -> None:
        """See ``Target``."""

        async def job(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_QUERIES["empty_ledger"])
                if rows:
                    await connection.execute(_QUERIES["put_ledger"], *columns(rows))

        await self._run(job)

    async def finish(self) -> None:
        """See ``Target``."""

        async def job(connection: Connection) -> None:
            async with connection.transaction():
                for name in (
                    "put_fill",
                    "put_tenant_fill",
                    "put_seq",
                    "put_history_number",
                    "put_audit_number",
                    "unmark",
                ):
                    await connection.execute(_QUERIES[name])

        await self._run(job)

    @property
    def lost(self) -> Sequence[str]:
        """See ``Store``. What a server cannot read ends the copy: it is for its own tools to mend."""
        return ()

    async def close(self) -> None:
        """See ``Store``."""
        await self._link.close()

    async def _run(self, job: Callable[[Connection], Awaitable[_T]]) -> _T:
        return await self._link.run(job, timeout_s=STEP_S)

    async def _fetch(self, name: str, *values: object) -> Sequence[Any]:
        async def job(connection: Connection) -> Sequence[Any]:
            return await connection.fetch(_QUERIES[name], *values)

        return await self._run(job)
