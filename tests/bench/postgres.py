"""The spool on PostgreSQL: how fast hooks are accepted beside the least that it can cost, and how fast they go."""

import asyncio
import statistics
import time
from collections import Counter
from contextlib import AsyncExitStack
from itertools import count

import asyncpg
import uvloop

from app.model import Hook
from app.spool.postgres.spool import PostgresSpool
from app.spool.postgres.store.accept import BATCH_HOOKS_MAX
from tests.contract.engines import LIMITS, make_place, run
from tests.postgres_server import PostgresServer

AIM = 0.7
CONNECTIONS = 2 * BATCH_HOOKS_MAX
"""Requests at once: as many as fill the batches of both connections."""
TENANTS = 100
BODY = (b'{"action":"created","data":{"event":{"title":"boom","tags":[["k","v"]]}}}' * 140)[:10_000]
REPLICAS = 3
BARE = """
    CREATE TABLE bare (id text PRIMARY KEY, tenant text, received_at double precision, payload bytea);
    ALTER TABLE bare ALTER COLUMN payload SET STORAGE EXTERNAL;
"""
INSERT = "INSERT INTO bare SELECT * FROM unnest($1::text[], $2::text[], $3::double precision[], $4::bytea[])"


def measure(rounds: int, hooks: int = 20_000) -> list[str]:
    """The lines of the report."""
    with PostgresServer() as server:
        return uvloop.run(_measure(server.url, rounds, hooks))


async def _measure(url: str, rounds: int, hooks: int) -> list[str]:
    numbers = count()
    pairs = []
    for _ in range(rounds):
        async with make_place(url) as place:
            bare = await _bare(place.url, _hooks(numbers, hooks // 4))
            async with await PostgresSpool.open(place.url, **_WIDE) as spool:
                await _accept(spool, _hooks(numbers, CONNECTIONS))
                pairs.append((bare, *await _accept(spool, _hooks(numbers, hooks // 4))))
    share = statistics.median(mine / least for least, mine, _ in pairs)
    least, mine, p99_s = (statistics.median(each) for each in zip(*pairs, strict=True))
    return [
        f"PostgreSQL accept, {CONNECTIONS} at once: {mine:.0f} hooks/s, p99 {p99_s * 1000:.1f} ms",
        f"bare asyncpg loop, batches of {BATCH_HOOKS_MAX} into one table: {least:.0f} rows/s",
        f"{share:.2f} of the bare loop: {'reached' if share >= AIM else 'MISSED'}",
        *await _backlog(url, numbers, hooks),
    ]


_WIDE = LIMITS | {"hooks_max": 10**9, "bytes_max": 10**12}


def _hooks(numbers: "count[int]", many: int) -> list[Hook]:
    made = []
    for _ in range(many):
        number = next(numbers)
        made.append(
            Hook(
                delivery_id=f"{number:032x}",
                tenant=f"tenant-{number % TENANTS}",
                received_at=time.time(),
                key_digest=number.to_bytes(16, "big"),
                payload=BODY + b"%d" % number,
            )
        )
    return made


async def _bare(url: str, hooks: list[Hook]) -> float:
    """Rows a second of the least: one connection, one table, one statement a batch."""
    await run(url, BARE)
    connection = await asyncpg.connect(url)
    began = time.perf_counter()
    for start in range(0, len(hooks), BATCH_HOOKS_MAX):
        batch = hooks[start : start + BATCH_HOOKS_MAX]
        await connection.execute(
            INSERT,
            [each.delivery_id for each in batch],
            [each.tenant for each in batch],
            [each.received_at for each in batch],
            [each.payload for each in batch],
        )
    rate = len(hooks) / (time.perf_counter() - began)
    await connection.execute("DROP TABLE bare")
    await connection.close()
    return rate


async def _accept(spool: PostgresSpool, hooks: list[Hook]) -> tuple[float, float]:
    """Hooks a second, and the 99th percentile of the seconds that one took."""
    rest = iter(hooks)
    took: list[float] = []

    async def sender() -> None:
        for each in rest:
            began = time.perf_counter()
            assert (await spool.accept(each, ["main"])).fresh
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
    rate = len(hooks) / (time.perf_counter() - began)
    return rate, sorted(took)[int(len(took) * 0.99)]


async def _backlog(url: str, numbers: "count[int]", hooks: int) -> list[str]:
    """Three replicas empty a backlog of a hundred tenants; every delivery is claimed once."""
    claimed: Counter[int] = Counter()
    async with make_place(url) as place, AsyncExitStack() as stack:
        spools = [
            await stack.enter_async_context(await PostgresSpool.open(place.url, **_WIDE)) for _ in range(REPLICAS)
        ]
        await _accept(spools[0], _hooks(numbers, hooks))

        async def deliver(spool: PostgresSpool) -> None:
            while deliveries := await spool.claim(limit=256, per_stream=64, bytes_max=8_000_000, lease_s=60):
                claimed.update(each.seq for each in deliveries)
                await spool.settle(deliveries)

        began = time.perf_counter()
        await asyncio.gather(*(deliver(spool) for spool in spools for _ in range(2)))
        rate = len(claimed) / (time.perf_counter() - began)
        left = sum(each.waiting for each in (await spools[0].stats()).streams)
    once = set(claimed.values()) == {1} and not left and len(claimed) == hooks
    return [
        f"{REPLICAS} replicas in one process claim and settle {hooks} hooks of {TENANTS} tenants: {rate:.0f} hooks/s",
        f"each claimed once and none left: {'reached' if once else 'MISSED'}",
    ]
