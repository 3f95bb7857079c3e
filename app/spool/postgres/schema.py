"""Is this database one that the spool may be kept in: its schema's version, and its server's care for the disk."""

from collections.abc import Mapping, Sequence
from random import SystemRandom

from app.errors import SpoolError
from app.spool.postgres.connection import REFUSED, Connection, ReconnectingConnection
from app.spool.postgres.url import read_url
from app.spool.sql import Queries

MIGRATIONS = ("0001_spool.sql", "0002_history.sql", "0003_identity.sql", "0004_shares.sql")
"""Applied in this order, each once; the schema's version is how many. Forward only."""
SCHEMA_VERSION = len(MIGRATIONS)
MIGRATE_S = 600.0
_DANGERS: Mapping[str, str] = {
    "fsync": "a power cut can lose or damage what was answered 202",
    "full_page_writes": "a power cut can damage pages that were being written",
    "synchronous_commit": "the last moments before a crash can be lost although they were answered 202",
}


async def version_of(queries: Queries, connection: Connection, *, copying: bool = False) -> int | None:
    """The schema's version; ``None`` if there is none.

    Raises:
        SpoolError: a copy into it has not ended, and ``copying`` is not set.
    """
    _, laid_out, marked = (await connection.fetch(queries["tables"]))[0]
    if marked and not copying:
        raise SpoolError("the copy into this spool has not ended: run relay spool copy again")
    if not laid_out:
        return None
    version: int | None = (await connection.fetch(queries["version"]))[0][0]
    return version


def check_version(version: int | None, *, shown: str) -> None:
    """Whether this relay can work with it.

    Raises:
        SpoolError: it is newer, older or not there; the text says what to do.
    """
    if version is None:
        raise SpoolError(f"the database {shown} holds no spool and is not empty: run: relay spool migrate")
    if version < SCHEMA_VERSION:
        raise SpoolError(
            f"the spool {shown} has schema version {version}, this relay needs {SCHEMA_VERSION}: "
            "run: relay spool migrate"
        )
    if version > SCHEMA_VERSION:
        raise SpoolError(
            f"the spool {shown} has schema version {version}, this relay knows {SCHEMA_VERSION}: "
            "run the relay version that migrated it, or a newer one"
        )


async def check_safety(queries: Queries, connection: Connection, *, shown: str, unsynced_ok: bool) -> None:
    """Whether what it says is committed is on its disk. A database that does not know the question is believed.

    Raises:
        SpoolError: it is not, and nobody said that this is fine.
    """
    try:
        async with connection.transaction():
            rows = await connection.fetch(queries["safety"])
    except REFUSED:
        return
    said: dict[str, str] = {name: setting for name, setting in rows}  # noqa: C416 - rows are the driver's, not pairs
    if said.get("transaction_read_only") == "on":
        raise SpoolError(f"the spool {shown} is read-only: a standby, or a database set so")
    if unsynced_ok:
        return
    for name, danger in _DANGERS.items():
        if said.get(name) == "off":
            raise SpoolError(
                f"the spool {shown} runs with {name}=off: {danger}. Turn it on, or set RELAY_SPOOL_UNSYNCED=allow"
            )


class Greeting:
    """What is asked of a database at every connect.

    Raises:
        SpoolError: of each of its methods, as ``check_version`` and ``check_safety`` say.
    """

    def __init__(self, queries: Queries, *, shown: str, unsynced_ok: bool) -> None:
        self._queries = queries
        self._shown = shown
        self._unsynced_ok = unsynced_ok

    async def first(self, connection: Connection) -> None:
        """Before it is known whether there is a schema."""
        await check_safety(self._queries, connection, shown=self._shown, unsynced_ok=self._unsynced_ok)

    async def check(self, connection: Connection) -> None:
        """Whether the schema is this relay's."""
        check_version(await version_of(self._queries, connection), shown=self._shown)

    async def again(self, connection: Connection) -> None:
        """Both."""
        await self.first(connection)
        await self.check(connection)


async def lay_out(queries: Queries, link: ReconnectingConnection, *, shown: str) -> None:
    """Make the schema in a database without any table; in another nothing happens."""

    async def is_empty(connection: Connection) -> bool:
        if await version_of(queries, connection) is not None:
            return False
        return not (await connection.fetch(queries["tables"]))[0][0]

    if await link.run(is_empty, timeout_s=MIGRATE_S):
        await migrate(queries, link, shown=shown)


async def migrate(queries: Queries, link: ReconnectingConnection, *, shown: str) -> tuple[int, int]:
    """Bring the schema to this relay's version: the version before and after.

    A schema is made whole, in one transaction: nobody who starts at the same time finds it half made. A schema that is
    there is brought on by one transaction for each version. Who migrates at the same time waits, and finds it done.

    Raises:
        SpoolError: it is newer already, or the role may not.
    """

    async def version(connection: Connection) -> int | None:
        return await version_of(queries, connection)

    before = await link.run(version, timeout_s=MIGRATE_S) or 0
    if before > SCHEMA_VERSION:
        check_version(before, shown=shown)
    missing = range(before + 1, SCHEMA_VERSION + 1)
    for numbers in [missing] if before == 0 else [[number] for number in missing]:
        try:
            await link.run(lambda connection: _apply(queries, connection, numbers), timeout_s=MIGRATE_S)  # noqa: B023 - awaited here
        except SpoolError as error:
            if (await link.run(version, timeout_s=MIGRATE_S) or 0) < numbers[-1]:
                raise SpoolError(f"the schema cannot be made: {error}") from None
    await link.run(_tune, timeout_s=MIGRATE_S)
    return before, max(before, SCHEMA_VERSION)


async def migrate_url(url: str) -> tuple[int, int]:
    """``migrate`` for the database at a URL.

    Raises:
        SpoolError: as there, or it cannot be reached.
    """
    try:
        address = read_url(url)
    except ValueError as error:
        raise SpoolError(f"the spool's URL {error}") from None
    link = ReconnectingConnection(address, SystemRandom())
    try:
        return await migrate(Queries("postgres/sql/spool.sql"), link, shown=address.shown)
    finally:
        await link.close()


async def _apply(queries: Queries, connection: Connection, numbers: Sequence[int]) -> None:
    async with connection.transaction():
        for number in numbers:
            if number > 1:  # whoever comes second waits here, and fails when the first one has committed
                await connection.execute(queries["set_version"], number)
            await connection.execute(Queries.text(f"postgres/sql/migrations/{MIGRATIONS[number - 1]}"))
            if number == 1:
                await connection.execute(queries["set_version"], number)


async def _tune(connection: Connection) -> None:
    tuning = Queries("postgres/sql/tuning.sql")
    for name in tuning.names:
        try:
            async with connection.transaction():
                await connection.execute(tuning[name])
        except REFUSED:
            continue
