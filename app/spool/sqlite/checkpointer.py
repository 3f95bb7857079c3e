"""Moving the write-ahead log into the database file, beside the commits and not inside one of them.

Left to SQLite, every so many pages one commit pays for the move: 20 to 40 ms that the hooks of that group wait.
A thread with a connection of its own moves what is there several times a second instead. Commits that come in
meanwhile keep the log from being empty, and only an empty log is begun anew; so after each pass of the thread the
writer moves the little that is left, between two groups.
``docs/decisions/0003-where-the-commit-runs.md`` has the measurements.

Nothing here can fail a commit or end a thread: what cannot be moved stays in the log, and the next round tries again.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

INTERVAL_S = 0.2
JOBS_MAX = 256
"""So many jobs (4 MB of ordinary hooks) do not wait for the interval."""
LOG_BYTES_MAX = 32 * 1024 * 1024
"""From this size on the writer empties the log itself, between two groups."""
BUSY_MS = 10_000
"""So long a connection waits for another process' lock."""
READERS_MS = 50
"""So long it waits for readers of the log when it does."""


class Checkpointer:
    """The thread. ``connect`` gives it a connection to the database at ``path``."""

    def __init__(
        self, path: Path, connect: Callable[[], sqlite3.Connection], *, log_bytes_max: int = LOG_BYTES_MAX
    ) -> None:
        self._log = path.with_name(path.name + "-wal")
        self._connect = connect
        self._bytes_max = log_bytes_max
        self._file: tuple[int, int] | None = None
        """Device and number of the log's file, once seen."""
        self._bytes = 0
        self._jobs = 0
        self._rest = False
        """The thread has moved what there was; what came in since is left."""
        self.fault = ""
        """Why the log could not be moved the last time; empty if it could."""
        self._enough = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="spool-checkpoint", daemon=True)
        self._thread.start()

    def has_log(self) -> bool:
        """Whether the log still lies where its name says. Called by the writer after each commit.

        A commit in a file that has lost its name is found by nobody after a crash.
        """
        try:
            found = os.stat(self._log)  # noqa: PTH116 - a third of Path.stat's cost, after every commit
        except OSError:
            return False
        self._bytes = found.st_size
        file = found.st_dev, found.st_ino
        self._file = self._file or file
        return file == self._file

    def rescue(self, connection: sqlite3.Connection) -> None:
        """Move all of a log that has lost its name; called by the writer, whose next connection has a log anew.

        Raises:
            sqlite3.Error: it cannot be moved.
        """
        if not empty_log(connection):
            raise sqlite3.OperationalError("the write-ahead log was moved or removed, and somebody still reads it")
        self._file = None

    def committed(self, connection: sqlite3.Connection, jobs: int) -> None:
        """The log has grown by ``jobs``. Called by the writer between two groups, with its connection."""
        self._jobs += jobs
        if self._jobs >= JOBS_MAX:
            self._enough.set()
        if self._rest:
            self._rest = False
            self._move(connection)
        if self._bytes > self._bytes_max:
            try:
                empty_log(connection)
            except sqlite3.Error as error:
                self.fault = str(error)

    def close(self) -> None:
        """End the thread; closing the last connection then moves what is left."""
        self._stop = True
        self._enough.set()
        self._thread.join()

    def _move(self, connection: sqlite3.Connection) -> bool:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            self.fault = str(error)
            return False
        self.fault = ""
        return True

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while not self._stop:
            self._enough.wait(INTERVAL_S)
            self._enough.clear()
            if not self._jobs:
                continue
            self._jobs = 0
            try:
                connection = connection or self._connect()
                moved = self._move(connection)
            except Exception as error:  # noqa: BLE001 - whatever it was, the log keeps everything
                self.fault, moved = str(error), False
            if moved:
                self._rest = True
            else:
                self._jobs = 1
                close(connection)
                connection = None  # after an error nothing that it believes is certain
        close(connection)


def empty_log(connection: sqlite3.Connection) -> bool:
    """Move all of it and give its room back, if no reader is in the way for long. Outside of a transaction.

    Raises:
        sqlite3.Error: it cannot be moved.
    """
    connection.execute(f"PRAGMA busy_timeout = {READERS_MS}")
    try:
        ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return not busy


def close(connection: sqlite3.Connection | None) -> None:
    """Close a connection that may be broken."""
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()
