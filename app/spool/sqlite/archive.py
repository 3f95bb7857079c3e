"""What people and budgets do to a spool on SQLite: dead letters, the history, the audit, and finding in all that.

What changes something runs on the writer's thread, in its transaction; what looks, on a connection of its own.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from heapq import merge
from math import inf
from typing import Any

import orjson

from app.model import AuditAuthor, AuditEntry, DeliveryRecord, RetentionLimits, Search, State, Stream
from app.spool.keys import stream_of
from app.spool.limits import EVICTED_IDS_MAX, PARKED_OUT, TOO_MANY, TOO_OLD
from app.spool.rows import NUMBERS, audit_of, encodable
from app.spool.search import SEARCHES, SEQ_MAX, latest, streams
from app.spool.shares import payers
from app.spool.sql import Queries, execute_rows
from app.spool.sqlite.salvage.walk import is_damage
from app.spool.sqlite.writes import Ending, remove

_QUERIES = Queries("sqlite/sql/archive.sql")
_Dead = Sequence[tuple[int, str, str]]
"""seq, stream, delivery_id."""


def redeliver(
    seqs: Sequence[int],
    change: AuditAuthor,
    _queries: Queries,
    connection: sqlite3.Connection,
    *,
    now: float,
    every_s: float,
    starts_in_s: float,
) -> int:
    """Make dead letters wait again, ``every_s`` apart; how many."""
    delivery_ids = {seq: delivery_id for seq, _, delivery_id in _dead(connection, seqs)}
    ours = [seq for seq in dict.fromkeys(seqs) if seq in delivery_ids]
    due = now + starts_in_s
    rows = [(due + place * every_s, due + place * every_s, seq) for place, seq in enumerate(ours)]
    connection.executemany(_QUERIES["redeliver"], rows)
    _audit(connection, now, "redeliver", change, [delivery_ids[seq] for seq in ours])
    return len(ours)


def discard(
    seqs: Sequence[int], change: AuditAuthor, queries: Queries, connection: sqlite3.Connection, *, ending: Ending
) -> int:
    """Remove dead letters for good; how many."""
    found = _dead(connection, seqs)
    _discard(found, queries, connection, ending)
    _audit(connection, ending.now, "discard", change, [delivery_id for *_, delivery_id in found])
    return len(found)


def over_budget(connection: sqlite3.Connection, *, bytes_max: int, limit: int) -> list[int]:
    """Dead letters that are too many, the oldest of those tenants that have most."""
    sizes: dict[str, int] = defaultdict(int)
    streams: dict[str, list[str]] = defaultdict(list)
    for stream, size in connection.execute(_QUERIES["dead_bytes"]):
        tenant = stream_of(stream).tenant
        sizes[tenant] += size
        streams[tenant].append(stream)
    seqs: list[int] = []
    for tenant, excess in payers(sizes, bytes_max).items():
        left = excess
        wanted = ({"stream": stream, "most": limit} for stream in streams[tenant])
        for _, seq, size in merge(*(connection.execute(_QUERIES["oldest"], each) for each in wanted)):
            if left <= 0:
                break
            seqs.append(seq)
            left -= size
    return seqs[:limit]


def keep_to(
    queries: Queries,
    connection: sqlite3.Connection,
    *,
    budgets: RetentionLimits,
    too_many: Sequence[int],
    limit: int,
    ending: Ending,
) -> tuple[Counter[Stream], int]:
    """Discard dead letters over their age and those of ``over_budget``, forget history and dedup keys.

    What was discarded, and how many rows were forgotten.
    """
    before = ending.now - budgets.dead_age_max_s
    old = [seq for (seq,) in connection.execute(_QUERIES["too_old"], {"before": before, "most": limit})]
    discarded = _over(old, TOO_OLD, queries, connection, ending)
    discarded += _over(too_many, TOO_MANY, queries, connection, ending)
    forgotten = connection.execute(
        _QUERIES["forget"],
        {"before": ending.now - budgets.history_age_max_s, "keep": budgets.history_max, "most": limit},
    )
    wanted = {"before": ending.now - budgets.dedup_window_s, "keep": budgets.dedup_keys_max, "most": limit}
    digests = connection.execute(queries["forget_seen"], wanted).rowcount
    if digests:
        connection.execute(queries["add_seen"], (-digests,))
    return discarded, forgotten.rowcount + digests


def evict(seqs: Sequence[int], queries: Queries, connection: sqlite3.Connection, *, ending: Ending) -> int:
    """Discard parked deliveries; how many. The audit names the first of them."""
    found = connection.execute(_QUERIES["parked"], {"seqs": _json(seqs)}).fetchall()
    _discard(found, queries, connection, ending)
    ids = [delivery_id for *_, delivery_id in found]
    _audit(connection, ending.now, "discard", PARKED_OUT, ids[:EVICTED_IDS_MAX], count=len(ids))
    return len(ids)


def _over(
    seqs: Sequence[int], change: AuditAuthor, queries: Queries, connection: sqlite3.Connection, ending: Ending
) -> Counter[Stream]:
    found = _dead(connection, seqs)
    _discard(found, queries, connection, ending)
    counts = Counter(stream for _, stream, _ in found)
    for stream in counts:
        _audit(connection, ending.now, "discard", change, [each for _, of, each in found if of == stream])
    return Counter({stream_of(stream): count for stream, count in counts.items()})


def _dead(connection: sqlite3.Connection, seqs: Iterable[int]) -> _Dead:
    return connection.execute(_QUERIES["dead"], {"seqs": orjson.dumps(list(seqs)).decode()}).fetchall()


def _discard(found: _Dead, queries: Queries, connection: sqlite3.Connection, ending: Ending) -> None:
    if found:
        remove(queries, connection, [seq for seq, *_ in found], ending)
        execute_rows(connection, queries, "book_discarded", list(Counter(stream for _, stream, _ in found).items()))


def _audit(
    connection: sqlite3.Connection,
    now: float,
    action: str,
    change: AuditAuthor,
    delivery_ids: Sequence[str],
    *,
    count: int | None = None,
) -> None:
    if delivery_ids:
        words = (action, encodable(change.actor), encodable(change.reason))
        total = len(delivery_ids) if count is None else count
        connection.execute(_QUERIES["put_audit"], (now, *words, total, _json(delivery_ids)))


def expired(connection: sqlite3.Connection, *, before: float, leased: Iterable[int], limit: int) -> list[int]:
    """What waits since before ``before`` and is not leased."""
    wanted = {"before": before, "leased": _json(leased), "most": limit}
    return [seq for (seq,) in connection.execute(_QUERIES["expired"], wanted)]


def find(connection: sqlite3.Connection, *, search: Search, limit: int, before: int | None) -> list[DeliveryRecord]:
    """The latest that match, out of one read transaction, because deliveries end meanwhile."""
    wanted = search.states or frozenset(State)
    first, last, destination = streams(search, encodable)
    values = {
        "before": SEQ_MAX if before is None else before,
        "most": limit,
        "states": _json(NUMBERS[each] for each in wanted),
        "first": first,
        "last": last,
        "destination": destination,
        "causes": _json(each.value for each in search.causes) if search.causes else None,
        "ids": _json(map(encodable, search.delivery_ids)) if search.delivery_ids else None,
        "received_from": -inf if search.received_from is None else search.received_from,
        "received_before": inf if search.received_before is None else search.received_before,
    }
    names = [name for name, states in SEARCHES.items() if states & wanted]
    connection.execute("BEGIN")
    found = [_found(connection, name, values) for name in names]
    connection.rollback()  # nothing was written; after damage a COMMIT is refused
    return latest(found, limit)


def _found(connection: sqlite3.Connection, name: str, values: dict[str, object]) -> list[Any]:
    try:
        return connection.execute(_QUERIES[name], values).fetchall()
    except sqlite3.Error as error:
        if name != "find_dead" or not is_damage(error):
            raise
    return connection.execute(_QUERIES["find_dead_bare"], values).fetchall()


def audit(connection: sqlite3.Connection, *, limit: int, before: int | None) -> list[AuditEntry]:
    """The newest entries."""
    wanted = {"before": SEQ_MAX if before is None else before, "most": limit}
    return [audit_of(row) for row in connection.execute(_QUERIES["audit"], wanted)]


def _json(values: Iterable[object]) -> str:
    return orjson.dumps(list(values)).decode()
