"""What a SQLite spool holds, read from its file by plain SQL once its relay has ended."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.torture.books import STATES, Account, Books, Row


def read_books(path: Path, *, recover: bool = False) -> Books:
    """The whole of it, and what is wrong with the file itself; never raises for that.

    The file is opened read-only; the relay has ended, so that no lock is held and the log is empty or will be read.
    With ``recover`` it is opened as a relay does that starts, and the log is recovered.
    """
    try:
        return _read(path, "rw" if recover else "ro")
    except sqlite3.Error as error:
        return _nothing(f"the spool cannot be read: {error}")


def _nothing(fault: str) -> Books:
    return Books(accounts={}, waiting=(), parked=(), dead=(), causes={}, faults=[fault])


def _read(path: Path, mode: str) -> Books:
    with closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=5)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":  # its rows may hold anything, also what its tables do not allow
            return _nothing(f"the file is damaged: {sound}")
        rows = connection.execute("SELECT state, stream, delivery_id, cause FROM deliveries").fetchall()
        ledger = connection.execute(
            "SELECT stream, accepted, delivered, filtered, discarded, adopted FROM ledger"
        ).fetchall()
        faults = _faults(connection)
    held: dict[str, list[Row]] = {state: [] for state in STATES}
    causes: dict[str, int] = {}
    for state, stream, delivery_id, cause in rows:
        held[STATES[state]].append((stream, delivery_id))
        if cause:
            causes[cause] = causes.get(cause, 0) + 1
    return Books(
        accounts={stream: Account(*counts) for stream, *counts in ledger},
        waiting=held["waiting"],
        parked=held["parked"],
        dead=held["dead"],
        causes=causes,
        faults=faults,
    )


def _faults(connection: sqlite3.Connection) -> list[str]:
    """What would be a fault whatever had been accepted."""
    faults = []
    fill = connection.execute("SELECT hooks, bytes FROM fill").fetchall()
    stored = connection.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM hooks").fetchall()
    if fill != stored:
        faults.append(f"it says it holds (hooks, bytes) {fill}, and holds {stored}")
    for what, query in (
        ("hooks without a delivery", "SELECT count(*) FROM hooks WHERE seq NOT IN (SELECT seq >> 6 FROM deliveries)"),
        ("deliveries without a hook", "SELECT count(*) FROM deliveries WHERE seq >> 6 NOT IN (SELECT seq FROM hooks)"),
    ):
        (count,) = connection.execute(query).fetchone()
        if count:
            faults.append(f"{count} {what}")
    return faults
