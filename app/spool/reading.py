"""What the spool reads from SQLite. Each runs on the reader's thread, on its own connection."""

import sqlite3
from typing import Any, NamedTuple

import orjson

from app.model import Cause, DeadLetter, Delivery, SpoolStats
from app.spool.queries import Queries
from app.spool.rows import delivery_of, stats_of, stream_of


class Wanted(NamedTuple):
    """What a claim asks for. ``leased`` and ``busy`` are JSON arrays; ``after`` is the stream served last."""

    after: str
    leased: str
    busy: str
    now: float
    limit: int
    per_stream: int
    bytes_max: int


def pick(queries: Queries, connection: sqlite3.Connection, *, wanted: Wanted, lease: str) -> tuple[list[Delivery], str]:
    """Due deliveries, round robin from the stream after ``wanted.after``; and the stream served last."""
    candidates = _candidates(queries, connection, wanted, after=wanted.after)
    if len(candidates) < wanted.limit and wanted.after:
        candidates += [each for each in _candidates(queries, connection, wanted, after="") if each[2] <= wanted.after]
    picked: list[int] = []
    size, last = 0, wanted.after
    for seq, length, stream in candidates[: wanted.limit]:
        size += length
        if picked and size > wanted.bytes_max:
            break
        picked.append(seq)
        last = stream
    if not picked:
        return [], wanted.after
    rows = connection.execute(queries["load"], (orjson.dumps(picked).decode(),)).fetchall()
    return [delivery_of(row, lease) for row in rows], last


def _candidates(
    queries: Queries, connection: sqlite3.Connection, wanted: Wanted, *, after: str
) -> list[tuple[int, int, str]]:
    (text,) = connection.execute(
        queries["candidates"],
        {
            "after": after,
            "leased": wanted.leased,
            "busy": wanted.busy,
            "now": wanted.now,
            "per_stream": wanted.per_stream,
            "most": wanted.limit,
        },
    ).fetchone()
    found: list[tuple[int, int, str]] = orjson.loads(text)
    return found


def rows(queries: Queries, connection: sqlite3.Connection, *, name: str) -> list[tuple[Any, ...]]:
    """All rows of a statement without parameters."""
    return connection.execute(queries[name]).fetchall()


def dead_letters(
    queries: Queries, connection: sqlite3.Connection, *, prefix: str | None, limit: int
) -> list[DeadLetter]:
    """The newest first, those of one tenant where ``prefix`` is its ``tenant/``."""
    found = connection.execute(queries["dead_letters"], {"prefix": prefix, "most": limit})
    return [
        DeadLetter(
            delivery_id=delivery_id,
            stream=stream_of(stream),
            cause=Cause(cause),
            detail=detail,
            attempts=attempts,
            received_at=received_at,
            buried_at=buried_at,
        )
        for delivery_id, stream, cause, detail, attempts, received_at, buried_at in found
    ]


def stats(queries: Queries, connection: sqlite3.Connection) -> SpoolStats:
    """The books and the rows, out of one read transaction."""
    connection.execute("BEGIN")
    try:
        ledger = connection.execute(queries["ledger"]).fetchall()
        states = connection.execute(queries["count_states"]).fetchall()
        fill = connection.execute(queries["fill"]).fetchone()
        oldest = connection.execute(queries["oldest_waiting"]).fetchone()
    finally:
        connection.execute("COMMIT")
    return stats_of(ledger, states, fill, oldest)
