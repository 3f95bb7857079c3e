"""The rows of a copy into a spool's file. Rows that are there already are left alone."""

import sqlite3
from collections.abc import Sequence

from app.spool.copy.rows import AuditRow, HistoryRow, HookRow, SeenRow
from app.spool.keys import delivery_seq
from app.spool.sql import Queries

_QUERIES = Queries("copy/sql/sqlite.sql")
_SECOND = 1_000_000


def put_hooks(connection: sqlite3.Connection, rows: Sequence[HookRow]) -> None:
    """Hooks and what is left to do with them."""
    hooks = [(*row[:5], len(row.payload), row.about, row.payload) for row in rows]
    deliveries = [
        (
            delivery_seq(row.seq, delivery.number),
            delivery.state,
            delivery.stream,
            delivery.due_at / _SECOND,
            delivery.waiting_since / _SECOND,
            row.received_at,
            len(row.payload),
            delivery.attempts,
            delivery.ambiguous,
            delivery.first_attempt_at,
            delivery.tried,
            delivery.fault,
            row.delivery_id,
            delivery.cause,
            None if delivery.buried_at is None else delivery.buried_at / _SECOND,
        )
        for row in rows
        for delivery in row.deliveries
    ]
    connection.executemany(_QUERIES["put_hook"], hooks)
    connection.executemany(_QUERIES["put_delivery"], deliveries)


def put_seen(connection: sqlite3.Connection, rows: Sequence[SeenRow]) -> None:
    """Dedup keys."""
    connection.executemany(_QUERIES["put_seen"], map(_seen, rows))


def put_history(connection: sqlite3.Connection, rows: Sequence[HistoryRow]) -> None:
    """What has ended."""
    connection.executemany(_QUERIES["put_history"], [(*row[:6], row.ended_at / _SECOND, *row[7:]) for row in rows])


def put_audit(connection: sqlite3.Connection, rows: Sequence[AuditRow]) -> None:
    """Entries of the audit."""
    connection.executemany(_QUERIES["put_audit"], [(row.number, row.at / _SECOND, *row[2:]) for row in rows])


def _seen(row: SeenRow) -> tuple[object, ...]:
    resend_at = None if row.resend_at is None else row.resend_at / _SECOND
    return row.dedup_key, row.delivery_id, row.at / _SECOND, row.resend_id, resend_at, row.unanswered
