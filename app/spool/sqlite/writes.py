"""What the spool changes in SQLite beside accepting. Each runs on the writer's thread, in its transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import orjson

from app.model import Attempt, Burial, Cause, Delivery, State, Stream
from app.spool.keys import PARKED, WAITING, delivery_seq, hook_seq_of, stream_key, stream_of
from app.spool.rows import NUMBERS, encodable, tried_text
from app.spool.sql import Queries, execute_rows
from app.spool.sqlite.leases import per_stream


class Ending(NamedTuple):
    """How deliveries end: when, as what, after which posts since they were claimed, and whether that is remembered."""

    now: float
    state: State
    tried: Sequence[Attempt] = ()
    history: bool = True


def nothing(_queries: Queries, _connection: sqlite3.Connection) -> None:
    """Change nothing: to see that something could be."""


def settle(deliveries: Sequence[Delivery], ending: Ending, queries: Queries, connection: sqlite3.Connection) -> None:
    """Remove them, book them, and remove the hooks that have nothing left to deliver."""
    remove(queries, connection, [each.seq for each in deliveries], ending)
    execute_rows(connection, queries, f"book_{ending.state}", list(per_stream(deliveries).items()))


def remove(queries: Queries, connection: sqlite3.Connection, seqs: Sequence[int], ending: Ending) -> None:
    """Into the history, and out of everything else."""
    if ending.history:
        row = {"seqs": _json(seqs), "now": ending.now, "state": NUMBERS[ending.state], **posts_of(ending.tried)}
        connection.execute(queries["remember"], row)
    _remove(queries, connection, seqs)


def posts_of(tried: Sequence[Attempt], *, lines: bool = True) -> dict[str, object]:
    """Posts as parameters of the statements that add them; without ``lines`` they are only counted."""
    return {
        "posts": len(tried),
        "ambiguous": sum(each.ambiguous for each in tried),
        "first_at": tried[0].at if tried else None,
        "tried": tried_text(tried if lines else ()),
    }


def _remove(queries: Queries, connection: sqlite3.Connection, seqs: Sequence[int]) -> None:
    connection.execute(queries["delete_deliveries"], (_json(seqs),))
    hooks = {hook_seq_of(seq) for seq in seqs}
    left_over = connection.execute(queries["left_over"], (_json(hooks),)).fetchall()
    for *_, gone in left_over:
        connection.execute(queries["delete_hooks"], (gone,))
    add_fill(queries, connection, [(tenant, count, size) for tenant, count, size, _ in left_over])


def add_fill(queries: Queries, connection: sqlite3.Connection, more: Sequence[tuple[str, int, int]]) -> None:
    """So many more hooks and bytes (or fewer) are stored of these tenants."""
    if more:
        connection.execute(queries["add_fill"], (sum(hooks for _, hooks, _ in more), sum(size for *_, size in more)))
        execute_rows(connection, queries, "add_tenant_fill", more)


def release(
    deliveries: Sequence[Delivery],
    queries: Queries,
    connection: sqlite3.Connection,
    *,
    due_at: float,
    posts: Mapping[str, object],
    fault: str,
) -> None:
    """Make them due again, after ``posts`` (of ``posts_of``)."""
    seqs = _json(each.seq for each in deliveries)
    connection.execute(queries["release"], {"seqs": seqs, "due_at": due_at, "fault": encodable(fault), **posts})


def bury(burials: Sequence[Burial], now: float, queries: Queries, connection: sqlite3.Connection) -> None:
    """Make dead letters of them."""
    connection.executemany(
        queries["bury"],
        [
            {
                "cause": each.cause.value,
                "detail": encodable(each.detail),
                "now": now,
                "seq": each.delivery.seq,
                **posts_of(each.tried),
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
    connection.execute(queries["delete_deliveries"], (_json(delivery_seq(seq, 0) for seq in seqs),))
    connection.execute(queries["adopt_hooks"], (tenant, _json(seqs)))
    rows = [
        (
            delivery_seq(seq, number),
            WAITING,
            stream_key(tenant, destination),
            now,
            now,
            received_at,
            size,
            delivery_id,
        )
        for seq, delivery_id, received_at, size in hooks
        for number, destination in enumerate(destinations)
    ]
    execute_rows(connection, queries, "insert_deliveries", rows)
    execute_rows(
        connection, queries, "book_accepted", [(stream_key(tenant, each), len(hooks)) for each in destinations]
    )
    execute_rows(connection, queries, "book_adopted", [(stream_key("", ""), len(hooks))])
    size = sum(size for *_, size in hooks)
    add_fill(queries, connection, [("", -len(hooks), -size), (tenant, len(hooks), size)])
    return len(hooks)


def expire(
    seqs: Sequence[int],
    queries: Queries,
    connection: sqlite3.Connection,
    *,
    now: float,
    before: float,
    age_s: float,
) -> Counter[tuple[Stream, Cause]]:
    """Bury those of them that still wait since before ``before``; what was buried."""
    found = connection.execute(queries["still_expired"], {"seqs": _json(seqs), "before": before}).fetchall()
    if found:
        connection.execute(
            queries["expire"],
            {
                "seqs": _json(seq for seq, *_ in found),
                "now": now,
                "unclaimed": Cause.UNCLAIMED.value,
                "expired": Cause.EXPIRED.value,
                "detail": f"waited longer than {age_s:g} s",
            },
        )
    causes = {WAITING: Cause.EXPIRED, PARKED: Cause.UNCLAIMED}
    return Counter((stream_of(stream), causes[state]) for _, state, stream in found)


def _json(values: Iterable[object]) -> str:
    return orjson.dumps(list(values)).decode()
