"""The thread that writes to the spool on SQLite: groups, slow and full disks, faults, and its own end."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.errors import NotStored, SpoolError
from app.spool.sqlite.checkpointer import LOG_BYTES_MAX
from app.spool.sqlite.spool import SqliteSpool
from app.spool.sqlite.writer import GroupCommit
from tests.contract.engines import hook
from tests.soon import soon


class _HungDisk(sqlite3.Connection):
    """Syncs once it is let go, and never on the thread that may not wait for it."""

    answers: threading.Event

    def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
        if sql == "COMMIT":
            assert threading.current_thread() is not threading.main_thread(), "the event loop's thread syncs"
            assert self.answers.wait(180)
        return super().execute(sql, *rest)  # type: ignore[arg-type] # passed on as it came


def _hung_disk() -> type[_HungDisk]:
    """A disk of its own, which answers until it is told otherwise."""

    class Disk(_HungDisk):
        answers = threading.Event()

    Disk.answers.set()
    return Disk


class _Numbers:
    """Stores numbers."""

    def __init__(self) -> None:
        self.groups: list[int] = []

    def __call__(self, connection: sqlite3.Connection, items: Sequence[int], /) -> Sequence[int]:
        self.groups.append(len(items))
        connection.executemany("INSERT INTO numbers VALUES (?)", [(each,) for each in items])
        return items

    def committed(self) -> None:
        """Nothing to do."""

    problem = remark = None

    def opening(self, connection: sqlite3.Connection, items: Sequence[int], /) -> None: ...

    def closing(self, connection: sqlite3.Connection, /) -> None: ...

    def probe(self, connection: sqlite3.Connection, /) -> None: ...

    def rolled_back(self, _error: Exception) -> None:
        """Nothing to do."""

    def unread(self, _item: object, _result: object) -> None:
        """Nobody asks."""


def _numbers(
    path: Path, *, pages: int | None = None, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> Callable[[], sqlite3.Connection]:
    def open_it() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=factory)
        connection.execute("PRAGMA journal_mode = WAL")
        if pages is not None:
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    connection = open_it()
    connection.execute("CREATE TABLE IF NOT EXISTS numbers (n)")
    connection.close()
    return open_it


async def _until_begun(store: _Numbers, *, groups: int = 1) -> None:
    """So many groups are written, and the last one's sync has been asked for or is about to be."""
    async with asyncio.timeout(180):
        while len(store.groups) < groups:
            await asyncio.sleep(0.001)


async def test_a_slow_disk_does_not_stall_the_event_loop(tmp_path: Path) -> None:
    """While it syncs the loop turns, and what comes in meanwhile shares the next sync."""
    store, disk = _Numbers(), _hung_disk()
    path = tmp_path / "slow.db"
    writer = GroupCommit(path, _numbers(path, factory=disk), store, jobs_max=1000, on_fatal=pytest.fail)
    assert await writer.put(0) == 0
    disk.answers.clear()
    waiting = [writer.put(1)]
    await _until_begun(store, groups=2)
    for number in range(2, 202):
        waiting.append(writer.put(number))
        await asyncio.sleep(0)
    assert store.groups == [1, 1]
    disk.answers.set()
    assert await asyncio.gather(*waiting) == list(range(1, 202))
    await writer.close()
    assert store.groups == [1, 1, 200]


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """Told as disk_full; what was stored stays; the writer goes on once there is room."""
    path = tmp_path / "full.db"
    writer = GroupCommit(path, _numbers(path, pages=4), _Numbers(), jobs_max=100, on_fatal=pytest.fail)
    stored = 0
    with pytest.raises(NotStored, match="disk_full"):  # noqa: PT012 - which of them meets the full disk is open
        for _ in range(10_000):
            await writer.put(10**15)
            stored += 1
    assert stored > 0
    with pytest.raises(SpoolError, match="disk_full"):
        await writer.do(lambda c: c.executemany("INSERT INTO numbers VALUES (?)", [("x" * 4000,)] * 9))
    await writer.do(lambda c: c.execute("DELETE FROM numbers"))
    assert await writer.put(1) == 1
    await writer.close()


async def test_one_fault_in_a_group_is_everybodys_and_the_next_group_is_fine(tmp_path: Path) -> None:
    """A transaction is whole or not at all: nobody is told stored when it was rolled back."""
    path = tmp_path / "fault.db"
    store, disk = _Numbers(), _hung_disk()
    writer = GroupCommit(path, _numbers(path, factory=disk), store, jobs_max=100, on_fatal=pytest.fail)
    assert await writer.put(0) == 0
    disk.answers.clear()
    first = writer.put(1)
    await _until_begun(store, groups=2)
    bad = writer.do(lambda c: c.execute("INSERT INTO nowhere VALUES (1)"))
    with_it = writer.put(2)
    disk.answers.set()
    assert await first == 1
    with pytest.raises(SpoolError):
        await bad
    with pytest.raises(NotStored, match="spool_unavailable"):
        await with_it
    assert await writer.put(3) == 3
    assert await writer.do(lambda c: c.execute("SELECT n FROM numbers ORDER BY n").fetchall()) == [(0,), (1,), (3,)]
    await writer.close()


def problem_of(writer: GroupCommit) -> str:
    """As it is now."""
    return writer.problem or ""


async def test_a_disk_that_hangs_is_answered_for_within_a_second(tmp_path: Path) -> None:
    """Who waits is told, and so is readiness; what was given up is not stored later, and the writer goes on."""
    store, disk = _Numbers(), _hung_disk()
    path = tmp_path / "hung.db"
    writer = GroupCommit(path, _numbers(path, factory=disk), store, jobs_max=9, on_fatal=pytest.fail)
    assert await writer.put(0) == 0
    disk.answers.clear()
    under_way = writer.put(1)
    await _until_begun(store, groups=2)
    queued, settled = writer.put(2), writer.do(lambda c: c.execute("INSERT INTO numbers VALUES (3)"))
    for waiting in (under_way, queued):
        with pytest.raises(NotStored, match="spool_unavailable"):
            await soon(waiting, 1.0)
    assert not settled.done()
    assert "the disk has not answered for" in problem_of(writer)
    disk.answers.set()
    await settled
    assert await writer.put(4) == 4
    assert problem_of(writer) == ""
    assert await writer.do(lambda c: c.execute("SELECT n FROM numbers ORDER BY n").fetchall()) == [
        (0,),
        (1,),
        (3,),
        (4,),
    ]
    assert await writer.close()


class _Fatal(_Numbers):
    """Meets what no code expects."""

    def closing(self, _connection: sqlite3.Connection, /) -> None:
        raise SystemExit("no code expects this")


async def test_a_writer_that_dies_leaves_nobody_waiting_and_says_so(tmp_path: Path) -> None:
    """Those in its group, those behind them and those who come later are told; so is whoever runs it."""
    path = tmp_path / "dead.db"
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    writer = GroupCommit(path, _numbers(path), _Fatal(), jobs_max=9, on_fatal=told.set_result)
    for waiting in [writer.put(1), writer.put(2), writer.do(lambda c: c.execute("SELECT 1"))]:
        with pytest.raises((NotStored, SpoolError), match="spool_unavailable"):
            await waiting
    assert "no code expects this" in await told
    with pytest.raises(NotStored, match="spool_unavailable"):
        writer.put(3)
    with pytest.raises(SpoolError, match="no code expects this"):
        writer.do(lambda c: c.execute("SELECT 1"))
    assert writer.problem == await told
    assert await writer.close()


class _NoCheckpoint(sqlite3.Connection):
    """Its disk is full for what would leave the log."""

    failed = 0

    def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            type(self).failed += 1
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *rest)  # type: ignore[arg-type] # passed on as it came


async def test_a_checkpoint_that_fails_undoes_no_commit_and_ends_no_thread(tmp_path: Path) -> None:
    """Also beyond the bound of the log, where the writer itself has to move it; readiness hears of it."""
    path = tmp_path / "log.db"
    writer = GroupCommit(path, _numbers(path, factory=_NoCheckpoint), _Numbers(), jobs_max=9, on_fatal=pytest.fail)
    large = "x" * (LOG_BYTES_MAX // 4)
    for number in range(6):
        await writer.do(lambda c: c.execute("INSERT INTO numbers VALUES (?)", (large,)))
        assert await writer.put(number) == number
    async with asyncio.timeout(180):
        while not (_NoCheckpoint.failed and writer.remarks):  # the answer does not wait for it
            await asyncio.sleep(0.01)
    assert writer.problem is None
    assert "database or disk is full" in writer.remarks[0]
    assert await writer.close()


async def test_readiness_knows_when_a_disk_that_failed_is_well_again(tmp_path: Path) -> None:
    """Without a hook that would have to be risked for it."""
    path = tmp_path / "full.db"
    writer = GroupCommit(path, _numbers(path), _Numbers(), jobs_max=9, on_fatal=pytest.fail)
    await writer.do(
        lambda c: c.execute("CREATE TRIGGER full BEFORE INSERT ON numbers BEGIN SELECT raise(ABORT, 'full'); END")
    )
    async with asyncio.timeout(30):
        while not problem_of(writer):
            with pytest.raises(NotStored):
                await writer.put(1)
            await asyncio.sleep(0.1)
        assert "full" in problem_of(writer)
        with sqlite3.connect(path) as other:
            other.execute("DROP TRIGGER full")
        other.close()
        while problem_of(writer):
            await asyncio.sleep(0.1)
    assert await writer.close()


@pytest.mark.parametrize("back", [False, True])
async def test_a_log_that_is_moved_away_loses_nothing(tmp_path: Path, *, back: bool) -> None:
    """Every commit survives a crash at once: what the lost file holds is moved into the database before the answer."""
    path = tmp_path / "spool.db"
    log, away = tmp_path / "spool.db-wal", tmp_path / "away"
    async with await SqliteSpool.open(path, hooks_max=99, bytes_max=10**6, queue_hooks_max=99) as spool:
        for number in range(4):
            await spool.accept(hook(number), ["main"])
            log.rename(away)
            await spool.accept(hook(number + 100), ["main"])
            shutil.copytree(tmp_path, crashed := tmp_path.with_name(f"{tmp_path.name}-{number}"))
            assert await claimable(crashed / "spool.db") == 2 * number + 2
            if back:
                away.rename(log)
        assert len(await spool.claim(limit=99, per_stream=99, bytes_max=10**6, lease_s=60)) == 8
        assert spool.evidence() == ([], [])
    assert await claimable(path) == 8


async def claimable(path: Path) -> int:
    """How many deliveries a relay finds that is started on it."""
    async with await SqliteSpool.open(path, hooks_max=99, bytes_max=10**6, queue_hooks_max=99) as spool:
        return len(await spool.claim(limit=99, per_stream=99, bytes_max=10**6, lease_s=60))
