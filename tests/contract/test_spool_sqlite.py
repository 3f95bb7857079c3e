"""What is particular to the spool on SQLite: its file, its one owner, its writer."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.errors import NotStored, SpoolError
from app.spool.group_commit import GroupCommit
from app.spool.sqlite import SCHEMA_VERSION, SqliteSpool, connect
from tests.contract.engines import hook


async def _open(path: Path) -> SqliteSpool:
    return await SqliteSpool.open(path, hooks_max=1000, bytes_max=10**9, queue_hooks_max=1000)


async def test_its_folder_is_made_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Payloads hold what users of somebody's service did."""
    path = tmp_path / "new" / "spool.db"
    async with await _open(path) as spool:
        await spool.accept(hook(1), ["main"])
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


async def test_every_commit_is_synced(tmp_path: Path) -> None:
    """WAL with synchronous=FULL: the log is synced before an accept returns."""
    async with await _open(tmp_path / "spool.db"):
        pass
    connection = connect(tmp_path / "spool.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


async def test_it_has_one_owner(tmp_path: Path) -> None:
    """A second process (here: a second opening) is refused, and the first goes on."""
    path = tmp_path / "spool.db"
    async with await _open(path) as spool:
        with pytest.raises(SpoolError, match="one owner"):
            await _open(path)
        assert (await spool.accept(hook(1), ["main"])).fresh
    async with await _open(path):
        pass


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Checked before any write."""
    path = tmp_path / "spool.db"
    async with await _open(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="schema version"):
        await _open(path)
    assert path.read_bytes() == before


async def test_another_programs_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A typo in the URL must not write tables into somebody's database."""
    path = tmp_path / "browser.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE history (url TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="another program"):
        await _open(path)
    assert path.read_bytes() == before
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all " * 100)
    with pytest.raises(SpoolError, match="cannot be opened"):
        await _open(text)


async def test_an_unwritable_place_is_told_in_words(tmp_path: Path) -> None:
    """The sentence names the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="file/spool"):
        await _open(tmp_path / "file" / "spool.db")


class _SlowDisk(sqlite3.Connection):
    """Takes 100 ms to sync."""

    def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(0.1)
        return super().execute(sql, *rest)  # type: ignore[arg-type] # passed on as it came


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

    def rolled_back(self) -> None:
        """Nothing to do."""


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


async def test_a_slow_disk_does_not_stall_the_event_loop(tmp_path: Path) -> None:
    """While a sync takes 100 ms the loop turns, and what comes in meanwhile shares the next one."""
    store = _Numbers()
    path = tmp_path / "slow.db"
    writer = GroupCommit(path, _numbers(path, factory=_SlowDisk), store, jobs_max=1000)
    gaps: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    waiting = []
    for number in range(100):
        waiting.append(writer.put(number))
        await asyncio.sleep(0.002)
    assert await asyncio.gather(*waiting) == list(range(100))
    ticking.cancel()
    await writer.close()
    # Were the sync on the loop, every group would show as a gap; a busy machine makes one now and then.
    assert sum(gap > 0.09 for gap in gaps) * 2 < len(store.groups)
    assert len(store.groups) < 25


async def test_a_full_disk_refuses_and_recovers(tmp_path: Path) -> None:
    """Told as disk_full; what was stored stays; the writer goes on once there is room."""
    path = tmp_path / "full.db"
    writer = GroupCommit(path, _numbers(path, pages=4), _Numbers(), jobs_max=100)
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
    writer = GroupCommit(path, _numbers(path, factory=_SlowDisk), _Numbers(), jobs_max=100)
    first = writer.put(1)
    await asyncio.sleep(0.01)
    bad = writer.do(lambda c: c.execute("INSERT INTO nowhere VALUES (1)"))
    with_it = writer.put(2)
    assert await first == 1
    with pytest.raises(SpoolError):
        await bad
    with pytest.raises(NotStored, match="spool_unavailable"):
        await with_it
    assert await writer.put(3) == 3
    assert await writer.do(lambda c: c.execute("SELECT n FROM numbers ORDER BY n").fetchall()) == [(1,), (3,)]
    await writer.close()
