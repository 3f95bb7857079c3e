"""Moving the write-ahead log into the database file, beside the commits and not inside one of them.

Left to SQLite, every so many pages one commit pays for the move: 20 to 40 ms that the hooks of that group wait.
A thread with a connection of its own moves what is there several times a second instead; a commit pays only
when the log has outgrown its bound because it never came to rest.
``docs/decisions/0003-where-the-commit-runs.md`` has the measurements.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

INTERVAL_S = 0.2
JOBS_MAX = 256
"""So many jobs (4 MB of ordinary hooks) do not wait for the interval."""
LOG_BYTES_MAX = 32 * 1024 * 1024
"""From here on the writer empties the log itself, between two groups."""


class Checkpointer:
    """The thread. ``connect`` gives it a connection to the database at ``path``."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._log = path.with_name(path.name + "-wal")
        self._connect = connect
        self._jobs = 0
        self._enough = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="spool-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, connection: sqlite3.Connection, jobs: int) -> None:
        """Note that the log has grown by ``jobs``; called by the writer after each commit, with its connection."""
        self._jobs += jobs
        if self._jobs >= JOBS_MAX:
            self._enough.set()
        if os.stat(self._log).st_size > LOG_BYTES_MAX:  # noqa: PTH116 - a third of Path.stat's cost, after every commit
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """End the thread; closing the last connection then moves what is left."""
        self._stop = True
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        connection = self._connect()
        while not self._stop:
            self._enough.wait(INTERVAL_S)
            self._enough.clear()
            if not self._jobs:
                continue
            self._jobs = 0
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error:
                self._jobs = 1  # a full or broken disk: the log keeps everything, the next round tries again
        connection.close()
