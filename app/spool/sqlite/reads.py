"""What the spool reads from SQLite. Each runs on the reader's thread, on its own connection."""

import sqlite3
from typing import Any, NamedTuple

import orjson

from app.model import SpoolStats
from app.spool.rows import stats_of
from app.spool.sql import Queries


class ClaimedRow(NamedTuple):
    """What a claim asks for. ``leased`` and ``busy`` are JSON arrays; ``after`` is the stream served last."""

    after: str
    leased: str
    busy: str
    now: float
    limit: int
    per_stream: int
    bytes_max: int


def pick(queries: Queries, connection: sqlite3.Connection, *, wanted: ClaimedRow) -> tuple[list[Any], str]:
    """Rows of due deliveries, round robin from the stream after ``wanted.after``; and the stream served last."""
    (text,) = connection.execute(queries["candidates"], wanted._asdict()).fetchone()
    picked: list[int] = []
    size, last = 0, wanted.after
    for seq, length, stream in orjson.loads(text):
        size += length
        if picked and size > wanted.bytes_max:
            break
        picked.append(seq)
        last = stream
    if not picked:
        return [], wanted.after
    return connection.execute(queries["load"], (orjson.dumps(picked).decode(),)).fetchall(), last


def rows(queries: Queries, connection: sqlite3.Connection, *, name: str) -> list[tuple[Any, ...]]:
    """All rows of a statement without parameters."""
    return connection.execute(queries[name]).fetchall()


def oldest_of(queries: Queries, connection: sqlite3.Connection, *, stream: str) -> float | None:
    """When the oldest of a stream's waiting deliveries was received."""
    (oldest,) = connection.execute(queries["oldest_of"], (stream,)).fetchone()
    return None if oldest is None else float(oldest)


def stats(queries: Queries, connection: sqlite3.Connection) -> SpoolStats:
    """The books and the rows, out of one read transaction."""
    connection.execute("BEGIN")
    try:
        ledger = connection.execute(queries["ledger"]).fetchall()
        states = connection.execute(queries["count_states"]).fetchall()
        fill = connection.execute(queries["fill"]).fetchone()
        oldest = connection.execute(queries["oldest_waiting"]).fetchone()
        dead = connection.execute(queries["graves"]).fetchone()
        (history,) = connection.execute(queries["remembered"]).fetchone()
    finally:
        connection.execute("COMMIT")
    return stats_of(ledger, states, fill, oldest, dead=dead, history=history)
