"""Where a trial's spool is, and what can be done to it there: a SQLite file, or a schema of a PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.torture import postgres_books, sqlite_books
from tests.torture.books import Books
from tests.torture.choices import LEASE_S, End, Life, Trouble
from tests.torture.database import Database
from tests.torture.doubles import Span
from tests.torture.postgres_wire import POINTS, PostgresWire
from tests.torture.shim import Point
from tests.torture.wire import Wire

_SHIM_POINTS = {End.ANSWERING: Point.ANSWERING, End.SETTLING: Point.SETTLING}


def schema_of(seed: int) -> str:
    """Where the trial of that seed has its spool in a database."""
    return f"torture_{seed}"


class Site(Protocol):
    """One spool."""

    shim_points: dict[End, Point]
    """Ends for which the relay's shim is armed."""
    trap_points: frozenset[End]
    """Ends that are met on the way to the spool; ``on_point`` was told which replica came to which."""
    settings: dict[str, str]
    """More of the relay's."""
    lease_s: float
    """After which another replica may have a delivery."""

    async def open(self) -> None:
        """Make it."""
        ...

    async def close(self) -> None:
        """Let go of it; a good one is removed with the folder."""
        ...

    def url(self, replica: int) -> str:
        """As that replica is told."""
        ...

    def spool_path(self) -> Path | None:
        """The file, if it is one."""
        ...

    async def trouble(self, life: Life) -> None:
        """What is done to the spool itself."""
        ...

    async def read_books(self) -> Books:
        """After every relay has ended."""
        ...

    def away(self) -> list[Span]:
        """When it was not there for a relay."""
        ...


class SqliteSite:
    """A file in the trial's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder.resolve() / "spool.db"
        self.shim_points = {
            **_SHIM_POINTS,
            End.VERIFIED: Point.VERIFIED,
            End.BATCH: Point.WRITING,
            End.COMMITTING: Point.COMMITTING,
            End.COMMITTED: Point.COMMITTED,
            End.CHECKPOINTING: Point.CHECKPOINTING,
        }
        self.trap_points: frozenset[End] = frozenset()
        self.settings = {"RELAY_LEASE_S": "6"}
        self.lease_s = float("inf")

    async def open(self) -> None:
        """The relay makes it."""

    async def close(self) -> None:
        """The trial's folder has it."""

    def url(self, replica: int) -> str:
        """The same for all, and there is one."""
        del replica
        return f"sqlite:///{self._path}"

    def spool_path(self) -> Path | None:
        """The file."""
        return self._path

    async def trouble(self, life: Life) -> None:
        """None of its own."""

    async def read_books(self) -> Books:
        """By SQLite itself."""
        return sqlite_books.read_books(self._path)

    def away(self) -> list[Span]:
        """Never."""
        return []


class PostgresSite:
    """A schema of a database that outlives the trial, and a wire to it for each replica."""

    def __init__(self, database: Database, schema: str, replicas: int, on_point: Callable[[int, End], bool]) -> None:
        self._database = database
        self._schema = schema
        self._known = len(database.away)
        self.shim_points = _SHIM_POINTS
        self.trap_points = POINTS
        self.settings = {"RELAY_LEASE_S": str(LEASE_S)}
        self.lease_s = LEASE_S

        def wire(replica: int) -> Wire:
            return PostgresWire(database.dial, lambda end: on_point(replica, end))

        self._wires = [wire(each) for each in range(replicas)]

    async def open(self) -> None:
        """An empty schema."""
        await self._database.make_schema(self._schema)
        for wire in self._wires:
            await wire.open()

    async def close(self) -> None:
        """The schema stays for whoever wants to look."""
        for wire in self._wires:
            await wire.close()

    def url(self, replica: int) -> str:
        """By the replica's own wire."""
        where = f"127.0.0.1:{self._wires[replica].port}"
        return f"postgresql://postgres@{where}/postgres?search_path={self._schema}&sslmode=disable"

    def spool_path(self) -> Path | None:
        """None."""
        return None

    async def trouble(self, life: Life) -> None:
        """Until it is over, or cancelled; it is there again afterwards."""
        if life.trouble is Trouble.CUT_SPOOL:
            await self._wires[life.replica].cut(life.trouble_s, hole=life.hole)
        elif life.trouble is Trouble.SPOOL_KILLED:
            await self._database.kill(life.trouble_s)
        elif life.trouble is Trouble.SPOOL_CRASHED:
            await self._database.kill_backend()
        elif life.trouble is Trouble.DISK_FULL:
            await self._database.fill_disk(life.trouble_s)

    async def read_books(self) -> Books:
        """By plain SQL."""
        return await postgres_books.read_books(self._database.url, self._schema)

    def away(self) -> list[Span]:
        """The database itself, or behind a cut wire."""
        return [*self._database.away[self._known :], *(cut for wire in self._wires for cut in wire.cuts)]
