"""Why the spool commits as it does: pages, rows a statement, and where the checkpoint runs. No HTTP here."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.spool.sqlite.checkpointer import Checkpointer
from app.spool.sqlite.file import PAGE_BYTES, connect

GROUP = 32
HOOKS_A_SECOND = 5_000
PAYLOAD = bytes(range(256)) * 39


@dataclass(frozen=True)
class Way:
    """One way of writing groups of hooks."""

    words: str
    page_bytes: int = PAGE_BYTES
    autocheckpoint_pages: int = 0
    """0: a thread moves the log, as the spool does."""
    rows_a_statement: int = GROUP


WAYS = (
    Way("as the spool does"),
    Way("pages of 4096 bytes", page_bytes=4096),
    Way("a statement a row", rows_a_statement=1),
    Way("checkpoint inside a commit, every 16 MB", autocheckpoint_pages=16_000_000 // PAGE_BYTES),
    Way("checkpoint inside a commit, every 4 MB", autocheckpoint_pages=4_000_000 // PAGE_BYTES),
)


def measure(seconds: float) -> list[str]:
    """A line a way: milliseconds that a group waits for its commit, hooks coming in at a steady pace."""
    lines = [f"{'commit of ' + str(GROUP) + ' hooks of 10 kB':48}{'hooks/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}"]
    for way in WAYS:
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
            took, rate = _run(way, Path(folder) / "commit.db", seconds)
        took.sort()
        p50, p99, most = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99, 0.9999))
        lines.append(f"{way.words:48}{rate:>9.0f}{p50:>9.2f}{p99:>9.2f}{most:>9.2f}")
    return lines


def _run(way: Way, path: Path, seconds: float) -> tuple[list[float], float]:
    connection = _opened(way, path)
    checkpointer = None if way.autocheckpoint_pages else Checkpointer(path, partial(connect, path))
    write = _writer(way, connection)
    took: list[float] = []
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        connection.execute("BEGIN IMMEDIATE")
        write()
        connection.execute("COMMIT")
        if checkpointer is not None:
            checkpointer.committed(connection, GROUP)
        spent = time.perf_counter() - now
        took.append(spent)
        time.sleep(max(0.0, GROUP / HOOKS_A_SECOND - spent))
    rate = len(took) * GROUP / (time.perf_counter() - began)
    if checkpointer is not None:
        checkpointer.close()
    connection.close()
    return took, rate


def _opened(way: Way, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {way.page_bytes}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE payloads (payload BLOB)")
    connection.close()
    connection = connect(path)
    connection.execute(f"PRAGMA wal_autocheckpoint = {way.autocheckpoint_pages}")
    return connection


def _writer(way: Way, connection: sqlite3.Connection) -> Callable[[], None]:
    marks = ", ".join(["(?)"] * way.rows_a_statement)
    statement = f"INSERT INTO payloads (payload) VALUES {marks}"  # noqa: S608 - marks only

    def write() -> None:
        for _ in range(GROUP // way.rows_a_statement):
            connection.execute(statement, [PAYLOAD] * way.rows_a_statement)

    return write
