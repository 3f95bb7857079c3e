"""The file of a spool on SQLite: locked by its one owner, checked, laid out, migrated, and connected to."""

import fcntl
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import IO

from app.errors import SpoolError
from app.spool.sql import Queries
from app.spool.sqlite.checkpointer import BUSY_MS

APPLICATION_ID = 0x53535231
"""``SSR1``, in the file's header: tells a spool from any other SQLite file."""
COPYING_ID = 0x53535243
"""``SSRC``: a spool that is being copied into. No relay opens it."""
MIGRATIONS = ("0001_spool.sql", "0002_history.sql", "0003_latest.sql", "0004_identity.sql", "0005_shares.sql")
"""What makes each version of the schema out of the one before."""
SCHEMA_VERSION = len(MIGRATIONS)
BACK_S = 5.0
"""How much later than now something may have been written."""
CACHE_KIB = 16_384
PAGE_BYTES = 8_192
"""A payload of 10 KB then takes two pages to write instead of three; see decision 0003."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection as the spool wants it: no implicit transactions, every commit synced."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=BUSY_MS / 1000
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # checkpointer.py
    connection.execute("PRAGMA secure_delete = FAST")  # decision 47
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def prepare(path: Path, queries: Queries, now: float) -> tuple[IO[str], int]:
    """Lock, check before any write, make what is missing; the lock and the last seq. ``now``: the wall's clock."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        foreign = path.exists() and not _lock_of(path).exists()
        lock = lock_file(path)
        try:
            new = not path.exists() or path.stat().st_size == 0
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                if not new:
                    check_file(path, connection)
                lay_out(connection, new=new)
                (latest,) = connection.execute(queries["latest"]).fetchone()
                if latest - now > BACK_S:  # the clock was set back while nobody ran, or just before a crash
                    set_back(queries, connection, now=now, back_s=latest - now)
                (seq,) = connection.execute(queries["last_seq"]).fetchone()
            if new:
                path.chmod(0o600)
                _sync_folder(path.parent)
        except BaseException:
            if foreign:  # nothing of ours stays beside a file that is no spool
                _lock_of(path).unlink()
            lock.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"the spool {path} cannot be opened: {error}") from error
    return lock, int(seq)


def set_back(queries: Queries, connection: sqlite3.Connection, *, now: float, back_s: float) -> None:
    """The clock was set back: what is due later by that, or has waited since later than now, is not."""
    connection.execute(queries["set_back"], {"now": now, "back": back_s})
    connection.execute(queries["now_is"], (now,))


def lock_file(path: Path) -> IO[str]:
    """Become the owner of the spool at ``path``, for as long as what is returned is open."""
    name = _lock_of(path)
    lock = os.fdopen(os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_lock_of(path, lock):
            return lock
    except BlockingIOError:
        pass
    lock.close()  # another has it, or has removed it since and made its own
    raise SpoolError(f"the spool {path} is open in another process; a SQLite spool has one owner")


def is_lock_of(path: Path, lock: IO[str]) -> bool:
    """Whether the lock's name is still that of the file that is locked. Removed, it keeps nobody away."""
    try:
        named = os.stat(_lock_of(path), follow_symlinks=False)  # noqa: PTH116 - at every claim
    except OSError:
        return False
    return os.path.samestat(named, os.fstat(lock.fileno()))


def keep_lock(path: Path, lock: IO[str]) -> IO[str]:
    """The lock; taken anew if its name was removed.

    Raises:
        SpoolError: another process has it by now.
        OSError: it cannot be taken.
    """
    if lock.closed or is_lock_of(path, lock):
        return lock
    taken = lock_file(path)
    lock.close()
    return taken


def doubt_about(path: Path) -> str | None:
    """What is unwise about the place, in words."""
    if path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write in {path.parent}, and so replace the spool: chmod go-w"
    return None


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def check_file(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a file that is no spool, or not one that this relay can work with."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == COPYING_ID:
        raise SpoolError(f"the copy into {path} has not ended: run relay spool copy again")
    if application_id != APPLICATION_ID and (tables or application_id):
        raise SpoolError(f"{path} is a SQLite file of another program, not a spool")
    if version > SCHEMA_VERSION:
        raise SpoolError(
            f"the spool {path} has schema version {version}, this relay knows {SCHEMA_VERSION}: "
            "run the relay version that wrote it, or a newer one"
        )


def lay_out(connection: sqlite3.Connection, *, new: bool) -> None:
    """Make what is missing, and bring what an older relay wrote to this schema, in one transaction."""
    if new:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        steps = "".join(Queries.text(f"sqlite/sql/migrations/{file}") for file in MIGRATIONS[version:])
        if version == 0:
            steps += f"PRAGMA application_id = {APPLICATION_ID};"  # one that is being copied into stays marked as such
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _sync_folder(folder: Path) -> None:
    """The file's own entry in its folder has to survive a power cut too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
