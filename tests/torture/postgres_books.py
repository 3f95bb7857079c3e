"""What a spool on PostgreSQL holds, read by plain SQL once its relays have ended."""

import asyncpg

from tests.torture.books import STATES, Account, Books, Row

_FAULTS = (
    ("hooks without a delivery", "spool_hooks WHERE seq NOT IN (SELECT seq / 64 FROM spool_deliveries)"),
    ("deliveries without a hook", "spool_deliveries WHERE seq / 64 NOT IN (SELECT seq FROM spool_hooks)"),
)


async def read_books(url: str, schema: str) -> Books:
    """The whole of it, and what is wrong with it by itself; never raises for that."""
    try:
        connection = await asyncpg.connect(url, server_settings={"search_path": schema})
        try:
            return await _read(connection)
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError) as error:
        faults = [f"the spool cannot be read: {error}"]
        return Books(accounts={}, waiting=(), parked=(), dead=(), causes={}, faults=faults)


async def _read(connection: asyncpg.Connection) -> Books:
    rows = await connection.fetch("SELECT state, stream, delivery_id, cause FROM spool_deliveries")
    ledger = await connection.fetch(
        "SELECT stream, sum(accepted), sum(delivered), sum(filtered), sum(discarded), sum(adopted) "
        "FROM spool_ledger GROUP BY stream"
    )
    faults = []
    fill = tuple(await connection.fetchrow("SELECT sum(hooks)::bigint, sum(bytes)::bigint FROM spool_shards"))
    stored = tuple(
        await connection.fetchrow("SELECT count(*), coalesce(sum(octet_length(payload)), 0)::bigint FROM spool_hooks")
    )
    if fill != stored:
        faults.append(f"it says it holds (hooks, bytes) {fill}, and holds {stored}")
    for what, query in _FAULTS:
        count = await connection.fetchval(f"SELECT count(*) FROM {query}")  # noqa: S608 - texts of this file
        if count:
            faults.append(f"{count} {what}")
    held: dict[str, list[Row]] = {state: [] for state in STATES}
    causes: dict[str, int] = {}
    for state, stream, delivery_id, cause in rows:
        held[STATES[state]].append((stream, delivery_id))
        if cause:
            causes[cause] = causes.get(cause, 0) + 1
    return Books(
        accounts={stream: Account(*(int(each) for each in counts)) for stream, *counts in ledger},
        waiting=held["waiting"],
        parked=held["parked"],
        dead=held["dead"],
        causes=causes,
        faults=faults,
    )
