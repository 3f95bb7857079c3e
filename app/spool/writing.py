"""What the spool changes in SQLite beside accepting. Each runs on the writer's thread, in its transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

import orjson

from app.model import Burial, Cause, Delivery
from app.spool.accepting import DESTINATIONS_MAX, WAITING, execute_rows
from app.spool.leases import key, per_stream
from app.spool.queries import Queries


def settle(deliveries: Sequence[Delivery], column: str, queries: Queries, connection: sqlite3.Connection) -> None:
    """Remove them, book them, and remove the hooks that have nothing left to deliver."""
    _remove(queries, connection, [each.seq for each in deliveries])
    execute_rows(connection, queries, column, list(per_stream(deliveries).items()))


def _remove(queries: Queries, connection: sqlite3.Connection, seqs: Sequence[int]) -> None:
    connection.execute(queries["delete_deliveries"], (_json(seqs),))
    hooks = {seq // DESTINATIONS_MAX for seq in seqs}
    count, size, gone = connection.execute(queries["left_over"], (_json(hooks),)).fetchone()
    connection.execute(queries["delete_hooks"], (gone,))
    connection.execute(queries["add_fill"], (-count, -size))


def release(
    deliveries: Sequence[Delivery], row: dict[str, object], queries: Queries, connection: sqlite3.Connection
) -> None:
    """Make them due again at ``row["due_at"]``."""
    seqs = _json(each.seq for each in deliveries)
    connection.execute(queries["release"], {**row, "seqs": seqs})


def bury(burials: Sequence[Burial], now: float, queries: Queries, connection: sqlite3.Connection) -> None:
    """Make dead letters of them."""
    connection.executemany(
        queries["bury"],
        [
            {
                "cause": each.cause.value,
                "detail": each.detail,
                "now": now,
                "attempted": each.attempted,
                "seq": each.delivery.seq,
            }
            for each in burials
        ],
    )


def adopt(
    queries: Queries,
    connection: sqlite3.Connection,
    *,
    installation: str,
    tenant: str,
    destinations: Sequence[str],
    now: float,
) -> int:
    """Give a bounded number of parked hooks to their tenant; how many."""
    hooks = connection.execute(queries["find_parked"], (installation,)).fetchall()
    if not hooks:
        return 0
    seqs = [seq for seq, *_ in hooks]
    connection.execute(queries["delete_deliveries"], (_json(seq * DESTINATIONS_MAX for seq in seqs),))
    connection.execute(queries["adopt_hooks"], (tenant, _json(seqs)))
    rows = [
        (
            seq * DESTINATIONS_MAX + number,
            WAITING,
            key(tenant, destination),
            now,
            received_at,
            size,
            delivery_id,
        )
        for seq, delivery_id, received_at, size in hooks
        for number, destination in enumerate(destinations)
    ]
    execute_rows(connection, queries, "insert_deliveries", rows)
    execute_rows(connection, queries, "book_accepted", [(key(tenant, each), len(hooks)) for each in destinations])
    execute_rows(connection, queries, "book_adopted", [(key("", ""), len(hooks))])
    return len(hooks)


def expire(
    queries: Queries,
    connection: sqlite3.Connection,
    *,
    now: float,
    leased: str,
    waiting_age_s: float,
    dedup_window_s: float,
    limit: int,
) -> int:
    """Bury what waited too long, forget old dedup keys; how many rows in all."""
    found = connection.execute(
        queries["find_expired"], {"before": now - waiting_age_s, "leased": leased, "most": limit}
    ).fetchall()
    if found:
        connection.execute(
            queries["expire"],
            {
                "seqs": _json(seq for seq, _ in found),
                "now": now,
                "unclaimed": Cause.UNCLAIMED.value,
                "expired": Cause.EXPIRED.value,
                "detail": f"waited longer than {waiting_age_s:g} s",
            },
        )
    forgotten = connection.execute(queries["forget_seen"], {"before": now - dedup_window_s, "most": limit})
    return len(found) + forgotten.rowcount


def redeliver(delivery_ids: Sequence[str], now: float, queries: Queries, connection: sqlite3.Connection) -> int:
    """Make dead letters wait again; how many."""
    found = connection.execute(queries["find_dead"], (_json(delivery_ids),)).fetchall()
    connection.execute(queries["redeliver"], {"now": now, "seqs": _json(seq for seq, _ in found)})
    return len(found)


def discard(delivery_ids: Sequence[str], queries: Queries, connection: sqlite3.Connection) -> int:
    """Remove dead letters for good; how many."""
    found = connection.execute(queries["find_dead"], (_json(delivery_ids),)).fetchall()
    if found:
        _remove(queries, connection, [seq for seq, _ in found])
        booked = Counter(stream for _, stream in found)
        execute_rows(connection, queries, "book_discarded", list(booked.items()))
    return len(found)


def _json(values: Iterable[object]) -> str:
    return orjson.dumps(list(values)).decode()
