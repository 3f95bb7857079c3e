"""One connection to PostgreSQL that comes back by itself; the only place that knows the driver.

Whoever asks while it is down gets a ``SpoolError`` at once: connecting again is tried at growing intervals, with
jitter, so that a fleet of replicas does not fall on a database that has just come up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

import asyncpg

from app.errors import SpoolError
from app.spool.postgres.url import Address, password_in

_T = TypeVar("_T")

CONNECT_S = 3.0
"""Of each host."""
STAGGER_S = 0.3
"""After so long without an answer of one host the next is asked too."""
RETRY_BASE_S = 0.05
RETRY_CAP_S = 2.0
CLASH_TRIES = 10
"""Two transactions that the database will not have side by side (40001, 40P01): the later one is tried again."""
APPLICATION_NAME = "sentry-splunk-relay"

_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)
_LOST_STATES = frozenset({"25006", "53300", "57P01", "57P02", "57P03", "26000", "42P05", "08P01"})
"""Read-only (a failover), too many clients, shut down, starting, and what a pooler in between causes."""
_STARTING = "57P03"
_CLASH_STATES = frozenset({"40001", "40P01", "CR000"})
_POOLED_STATES = frozenset({"26000", "42P05"})


class Connection(Protocol):
    """The driver's connection, as far as it is used."""

    async def execute(self, query: str, *values: object) -> str:
        """Run a statement; its tag."""
        ...

    async def fetch(self, query: str, *values: object) -> Sequence[Any]:
        """Run a statement; its rows, which unpack as tuples do."""
        ...

    def transaction(self) -> Any:  # noqa: ANN401 - the driver's
        """``async with`` it. Inside of another it is a savepoint."""
        ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """LISTEN."""
        ...


class UnavailableError(SpoolError):
    """The database cannot be asked just now. What was being asked may have happened all the same."""


class FullError(SpoolError):
    """The database has no room left."""


class RepeatedError(SpoolError):
    """What should be stored is there already (23505)."""


class DamagedError(SpoolError):
    """The server cannot read what it has stored."""


class ReconnectingConnection:
    """A connection and who is using it: one job at a time, in order of asking."""

    def __init__(
        self, address: Address, rng: Random, *, greet: Callable[[Connection], Awaitable[None]] | None = None
    ) -> None:
        self._address = address
        self._rng = rng
        self._greet = greet
        self._connection: Any = None
        self._good = ""
        """The URL of the host that answered last."""
        self._turn = asyncio.Lock()
        self._tries = 0
        self._not_before = 0.0
        self._fault = "not connected yet"
        self._closed = False
        self.starting = False
        """The database was there when last asked, and said that it is starting (57P03)."""

    @property
    def up(self) -> bool:
        """Whether it was connected when last looked at."""
        return self._connection is not None and not self._connection.is_closed()

    @property
    def again_in_s(self) -> float:
        """How long until connecting is tried again."""
        return max(0.0, self._not_before - time.monotonic())

    async def run(self, job: Callable[[Connection], Awaitable[_T]], *, timeout_s: float, snapshot: bool = False) -> _T:
        """The job's result, on the connection. Each statement is a transaction unless the job makes one.

        With ``snapshot`` all of it reads from one.

        Raises:
            UnavailableError: not connected, or it came to an end meanwhile.
            FullError, RepeatedError, DamagedError: as they say.
            SpoolError: the database refused it.
        """
        async with self._turn:
            for attempt in range(1, CLASH_TRIES + 1):
                connection = await self._connected()
                try:
                    return await self._bounded(connection, job, timeout_s, snapshot=snapshot)
                except asyncpg.PostgresError as error:
                    clash = error.sqlstate in _CLASH_STATES
                    if not clash or attempt == CLASH_TRIES:
                        raise self._named(error) from None
                    await asyncio.sleep(self._rng.random() * 0.01 * attempt)
                except _LOST as error:
                    raise self._named(error) from None
        raise AssertionError  # the last attempt returns or raises

    async def connect(self) -> None:
        """Connect now if it is not connected.

        Raises:
            SpoolError: it cannot be reached, or the greeting refused it.
        """
        async with self._turn:
            await self._connected()

    async def close(self) -> None:
        """Let go of the connection."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=1)
            except (*_LOST, asyncpg.PostgresError, TimeoutError):
                connection.terminate()

    def drop(self) -> None:
        """Cut it off; the next job connects anew."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _bounded(
        self,
        connection: Any,  # noqa: ANN401 - the driver's
        job: Callable[[Connection], Awaitable[_T]],
        timeout_s: float,
        *,
        snapshot: bool = False,
    ) -> _T:
        """Whatever is cut short leaves a connection of unknown state behind: it is not used again."""
        try:
            async with asyncio.timeout(timeout_s):
                if not self._address.pooler and not snapshot:
                    return await job(connection)
                isolation = "repeatable_read" if snapshot else None
                # A pooler keeps one server for us as long as a transaction lasts.
                async with connection.transaction(isolation=isolation, readonly=snapshot):
                    return await job(connection)
        except TimeoutError:
            self.drop()
            raise UnavailableError(f"the spool cannot be used: no answer within {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self.drop()
            raise

    async def _connected(self) -> Any:  # noqa: ANN401 - the driver's
        if self._closed:
            raise UnavailableError("the spool is closed")
        if self.up:
            return self._connection
        if self.again_in_s:
            raise UnavailableError(self._fault)
        self._connection = None
        connection: Any = None
        try:
            connection = await self._open()
            if self._greet is not None:
                await self._bounded(connection, self._greet, CONNECT_S)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            self._later()
            if isinstance(error, (asyncpg.PostgresError, TimeoutError, *_LOST)):
                raise self._named(error) from None
            raise
        self._tries, self._not_before = 0, 0.0
        self._connection = connection
        return connection

    async def _open(self) -> Any:  # noqa: ANN401 - the driver's
        """The first host that takes us. Each has a deadline of its own, and one that is silent delays the next little.

        The one that was good the last time is asked first.
        """
        order = sorted(self._address.dsns, key=lambda dsn: dsn != self._good)
        asked = [asyncio.create_task(self._ask(dsn, STAGGER_S * place)) for place, dsn in enumerate(order)]
        faults: list[BaseException] = []
        taken: Any = None
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    self._good, taken = await answer
                except (asyncpg.PostgresError, TimeoutError, SpoolError, *_LOST) as fault:
                    faults.append(fault)
                else:
                    break
        except asyncio.CancelledError:
            await _let_go(asked, but=None)
            raise
        await _let_go(asked, but=taken)
        if taken is not None:
            return taken
        raise max(faults, key=_tells_more)

    async def _ask(self, dsn: str, after_s: float) -> tuple[str, Any]:
        await asyncio.sleep(after_s)
        try:
            return dsn, await asyncpg.connect(
                dsn,
                password=password_in(dsn),
                timeout=CONNECT_S,
                statement_cache_size=0 if self._address.pooler else 100,
                server_settings=None if "application_name=" in dsn else {"application_name": APPLICATION_NAME},
            )
        except (ValueError, asyncpg.ClientConfigurationError):  # its text may hold parts of the URL
            raise SpoolError(
                f"the spool {self._address.shown}: the driver cannot read a parameter of the URL, or a file that one "
                "of them names"
            ) from None

    def _later(self) -> None:
        step = min(RETRY_CAP_S, RETRY_BASE_S * 2 ** min(self._tries, 10))
        self._tries += 1
        self._not_before = time.monotonic() + step * (0.5 + self._rng.random() / 2)

    def _named(self, error: BaseException) -> SpoolError:
        """The error as the spool's own, and without what a driver may quote."""
        state = getattr(error, "sqlstate", None)
        self.starting = state == _STARTING
        words = f"{self._address.shown}: {_words(error)}"
        if state is not None and state in _POOLED_STATES:
            words += "; if a pooler stands between, add pooler=yes to the URL"
        if isinstance(error, (TimeoutError, *_LOST)) or state in _LOST_STATES:
            self.drop()
            self._fault = f"the spool cannot be used: {words}"
            return UnavailableError(self._fault)
        if isinstance(error, asyncpg.UniqueViolationError):
            return RepeatedError(words)
        if isinstance(error, asyncpg.DiskFullError):
            return FullError(f"disk_full: {words}")
        if isinstance(error, DAMAGED):
            return DamagedError(f"what is stored cannot be read: {words}")
        return SpoolError(f"the spool cannot be used: {words}")


DAMAGED: tuple[type[Exception], ...] = (asyncpg.InternalServerError, asyncpg.PostgresIOError)
"""What a statement raises when the server cannot read what it has stored (XX000, XX001, XX002, 58030)."""
REFUSED: type[Exception] = asyncpg.PostgresError
"""What a statement raises inside a job when the database does not take it."""


def _tells_more(fault: BaseException) -> int:
    """Of several hosts: an answer of a server says more than none, and a refused connection more than silence."""
    if isinstance(fault, TimeoutError):
        return 0
    return 2 if isinstance(fault, (asyncpg.PostgresError, SpoolError)) else 1


def _words(error: BaseException) -> str:
    """The first line alone: the others may quote rows."""
    if isinstance(error, PermissionError) and ".postgresql" in str(error.filename):
        return f"{error}; set HOME to a folder that this user may read"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return (str(error).splitlines() or [type(error).__name__])[0]


async def _let_go(asked: Sequence[asyncio.Task[tuple[str, Any]]], *, but: object) -> None:
    """Call off who is still asked, and close every connection that was made all the same; ``but`` stays, if all goes.

    Cut off itself, it closes that one too: then nobody is left who would.
    """
    for task in asked:
        task.cancel()
    try:
        await asyncio.gather(*asked, return_exceptions=True)
    except asyncio.CancelledError:
        but = None
        raise
    finally:
        for task in asked:
            if task.done() and not task.cancelled() and task.exception() is None and task.result()[1] is not but:
                task.result()[1].terminate()
