"""What the spool reads from SQLite. Each runs on the reader's thread, on its own connection."""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from app.model import SpoolStats
from app.spool.rows import stats_of
from app.spool.sql import Queries
from app.spool.sqlite.salvage.walk import is_damage


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
    picked: list[int] = []
    size, last = 0, wanted.after
    for seq, length, stream in _candidates(queries, connection, wanted):
        size += length
        if picked and size > wanted.bytes_max:
            break
        picked.append(seq)
        last = stream
    if not picked:
        return [], wanted.after
    return _load(queries, connection, picked), last


def _candidates(queries: Queries, connection: sqlite3.Connection, wanted: ClaimedRow) -> list[Any]:
    """Seq, payload bytes and stream. Of a damaged file each stream by itself, less those that cannot be read."""
    try:
        (text,) = connection.execute(queries["candidates"], wanted._asdict()).fetchone()
        return list(orjson.loads(text))
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    streams = [stream for stream, *_ in connection.execute(queries["ledger"]).fetchall()]
    found: list[Any] = []
    for stream in sorted(streams, key=lambda name: (name <= wanted.after, name)):
        try:
            rows = connection.execute(queries["candidates_of"], {**wanted._asdict(), "stream": stream}).fetchall()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        else:
            found += rows
    return found[: wanted.limit]


def _load(queries: Queries, connection: sqlite3.Connection, seqs: Sequence[int]) -> list[Any]:
    """What was picked, payload included. What cannot be read is found by halving."""
    try:
        return connection.execute(queries["load"], (orjson.dumps(seqs).decode(),)).fetchall()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    if len(seqs) == 1:
        return connection.execute(queries["load_bare"], seqs).fetchall()
    half = len(seqs) // 2
    return _load(queries, connection, seqs[:half]) + _load(queries, connection, seqs[half:])


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
        tenants = connection.execute(queries["all_tenant_fill"]).fetchall()
    finally:
        connection.execute("COMMIT")
    return stats_of(ledger, states, fill, oldest, dead=dead, history=history, tenants=tenants)
