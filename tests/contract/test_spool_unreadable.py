"""One bad record stops nobody: what is stored of a delivery cannot be read, and all others go on."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from os import urandom
from pathlib import Path

import pytest

from app.model import Burial, Cause, Delivery, DeliveryRecord, Search
from app.spool.interface import Spool
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import ANNA, DEAD, LIMITS, attempt, hook, make_place

Damage = Callable[[str, str, str], Awaitable[None]]
"""Of the second hook, in a table, set a column to an SQL expression."""


SECOND = f"{2:032x}"


@pytest.fixture(params=["sqlite", "postgres"])
async def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Spool, Damage]]:
    """An open spool of an engine, and a hand that writes into its tables."""
    if request.param == "sqlite":
        path = tmp_path / "spool.db"

        async def edit(table: str, column: str, value: str) -> None:
            with sqlite3.connect(path) as connection:
                connection.execute(f"UPDATE {table} SET {column} = {value} WHERE delivery_id = '{SECOND}'")  # noqa: S608
            connection.close()

        limits = {name: value for name, value in LIMITS.items() if name != "in_flight_max"}
        async with await SqliteSpool.open(path, **limits) as sqlite:
            yield sqlite, edit
        return
    async with make_place(request.getfixturevalue("postgres_url")) as place:

        async def edit(table: str, column: str, value: str) -> None:
            await place.run(f"UPDATE spool_{table} SET {column} = {value} WHERE delivery_id = '{SECOND}'")  # noqa: S608

        async with await place.open() as spool:
            yield spool, edit


async def claim(spool: Spool) -> list[Delivery]:
    """Everything that is due."""
    return await spool.claim(limit=1000, per_stream=1000, bytes_max=10**9, lease_s=60)


@pytest.mark.parametrize("about", ["''", "'[1, 2'", "'{}'", "'[]'", "'7'", "'null'"])
async def test_a_hook_whose_fields_are_damaged_is_claimed_as_unreadable(
    damaged: tuple[Spool, Damage], about: str
) -> None:
    """Beside its neighbours, which are whole; buried it is found, and can be redelivered and discarded as any other."""
    spool, edit = damaged
    for number in (1, 2, 3):
        await spool.accept(hook(number), ["main"])
    await edit("hooks", "about", about)
    first, second, third = await claim(spool)
    assert (first.unreadable, third.unreadable) == ("", "")
    assert second.unreadable == "its fields cannot be read"
    assert (second.hook.delivery_id, second.hook.payload) == (SECOND, b"")
    assert await spool.settle([first, third]) == 2
    assert await spool.bury([Burial(second, Cause.UNREADABLE, second.unreadable)]) == 1
    assert (await dead(spool)).fault == "its fields cannot be read"
    assert await spool.redeliver([second.seq], change=ANNA) == 1
    (again,) = await claim(spool)
    assert again.unreadable
    await spool.bury([Burial(again, Cause.UNREADABLE, again.unreadable)])
    assert await spool.discard([again.seq], change=ANNA) == 1
    (count,) = (await spool.stats()).streams
    assert (count.accepted, count.delivered, count.discarded, count.waiting, count.dead) == (3, 2, 1, 0, 0)


async def dead(spool: Spool) -> DeliveryRecord:
    """The one dead letter."""
    (life,) = await spool.find(DEAD, limit=9)
    assert life.cause is Cause.UNREADABLE
    return life


async def test_a_damaged_line_of_a_post_hides_no_delivery(damaged: tuple[Spool, Damage]) -> None:
    """Who looks for it finds it, without its posts."""
    spool, edit = damaged
    for number in (1, 2):
        await spool.accept(hook(number), ["main"])
    await spool.release(await claim(spool), retry_in_s=0, tried=[attempt()])
    await edit("deliveries", "tried", "'[1, 2'")
    lives = await spool.find(Search(), limit=9)
    assert [(each.delivery_id, len(each.tried)) for each in lives] == [(SECOND, 0), (f"{1:032x}", 1)]


async def test_a_payload_that_postgres_cannot_read_stops_no_other(postgres_url: str) -> None:
    """It lies in pieces in a table of the server's own; one is gone. The claim finds it by halving."""
    async with make_place(postgres_url) as place, await place.open() as spool:
        for number in range(9):
            await spool.accept(hook(number, payload=urandom(9_000)), ["main" if number % 2 else "other"])
        ((pieces,),) = await place.run(
            "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'spool_hooks'::regclass"
        )
        for kind, change in (("r", f"DELETE FROM {pieces} WHERE chunk_id::bigint % 3 = 0"), ("t", "SELECT 1")):  # noqa: S608
            whose = f"WHERE oid = '{pieces}'::regclass"
            await place.run(f"UPDATE pg_class SET relkind = '{kind}' {whose}; {change}")  # noqa: S608
        await place.run("VACUUM spool_hooks")
        claimed = await claim(spool)
        lost = [each for each in claimed if each.unreadable]
        assert len(claimed) == 9
        assert 0 < len(lost) < 9
        assert {each.hook.tenant for each in lost} == {"acme"}
        assert await spool.settle([each for each in claimed if not each.unreadable]) == 9 - len(lost)
        await spool.bury([Burial(each, Cause.UNREADABLE, each.unreadable) for each in lost])
        assert len(await spool.find(DEAD, limit=99)) == len(lost)
        assert await spool.discard([each.seq for each in lost], change=ANNA) == len(lost)
        for count in (await spool.stats()).streams:
            assert count.accepted == count.delivered + count.discarded
