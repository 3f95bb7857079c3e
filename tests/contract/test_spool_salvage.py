"""Of a damaged file everything is read that can be."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from app.errors import SpoolError
from app.model import Burial, Cause, Delivery, Search
from app.spool.copy.copy import copy
from app.spool.sqlite.file import PAGE_BYTES
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import hook

SIZES = (300, 3_000, 30_000)
HOOKS = 90


def payload_of(number: int) -> bytes:
    """A payload every part of which says whose it is."""
    return (b"<%06d>" % number) * (SIZES[number % len(SIZES)] // 8)


async def make(path: Path) -> dict[str, bytes]:
    """A spool of two tenants with some deliveries done and some dead; the payloads of those that are left, by id."""
    async with await SqliteSpool.open(path, hooks_max=999, bytes_max=10**9, queue_hooks_max=999) as spool:
        for number in range(HOOKS):
            tenant = "acme" if number % 2 else "globex"
            await spool.accept(
                hook(number, tenant=tenant, payload=payload_of(number)), ["main", "audit"][: 1 + number % 2]
            )
        done = await spool.claim(limit=20, per_stream=10, bytes_max=10**9, lease_s=60)
        await spool.settle([each for each in done if each.stream == ("acme", "main")])
        await spool.bury(
            [Burial(each, Cause.REJECTED, "code 6") for each in done if each.stream.destination == "audit"]
        )
    with sqlite3.connect(path) as connection:
        left = dict(connection.execute("SELECT delivery_id, payload FROM hooks").fetchall())
    connection.close()
    return left


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """One that no test changes."""
    path = tmp_path_factory.mktemp("whole") / "spool.db"
    return path, asyncio.run(make(path))


def looked_at(path: Path) -> tuple[dict[str, bytes], Counter[tuple[str, str, int]]]:
    """Payloads that are not empty, by id; and deliveries by id, stream and state."""
    with sqlite3.connect(path) as connection:
        payloads = dict(connection.execute("SELECT delivery_id, payload FROM hooks WHERE length(payload)").fetchall())
        deliveries = Counter(connection.execute("SELECT delivery_id, stream, state FROM deliveries").fetchall())
        for stream, *booked in connection.execute("SELECT * FROM ledger"):
            accepted, *gone = booked
            left = sum(count for (_, of, _), count in deliveries.items() if of == stream)
            assert accepted == sum(gone) + left
    connection.close()
    return payloads, deliveries


@pytest.mark.parametrize("pages", [1, 5])
async def test_whatever_page_is_damaged_all_others_are_read(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path, pages: int
) -> None:
    """Each hook of which no byte was in such a page is copied as it was, and the books balance."""
    path, left = whole
    content = path.read_bytes()
    numbers = list(range(2, len(content) // PAGE_BYTES + 1))
    closed = []
    for first in range(0, len(numbers), pages):
        damaged = numbers[first : first + pages] if pages == 1 else Random(first).sample(numbers, pages)  # noqa: S311
        target, source = tmp_path / f"to-{first}.db", tmp_path / f"from-{first}.db"
        shutil.copy(path, source)
        hurt: set[str] = set()
        with source.open("r+b") as file:
            for number in damaged:
                page = content[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
                hurt |= {name for name, payload in left.items() if payload[:8] in page or name.encode() in page}
                file.seek((number - 1) * PAGE_BYTES)
                file.write(Random(number).randbytes(PAGE_BYTES) if number % 2 else bytes(PAGE_BYTES))  # noqa: S311
        try:
            await copy(f"sqlite:///{source}", f"sqlite:///{target}")
        except SpoolError:
            closed.append(damaged)
            continue
        payloads, deliveries = looked_at(target)
        lost = {name for name, payload in left.items() if payloads.get(name) != payload}
        assert lost <= hurt, damaged
        known = {name for name, _, _ in deliveries}
        assert left.keys() - known <= hurt
    assert len(closed) <= (4 if pages == 1 else 8), "pages that hold the schema, of which a sample of five may have one"


async def test_a_whole_file_has_lost_nothing(whole: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    """And is not said to have."""
    copied = await copy(f"sqlite:///{whole[0]}", f"sqlite:///{tmp_path / 'to.db'}")
    assert copied.lost == ()
    assert looked_at(tmp_path / "to.db")[0] == whole[1]


async def test_a_page_that_is_damaged_while_the_relay_runs_stops_nobody(
    whole: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    """What it held is a dead letter, which is shown; all others are claimed and settled, and hooks are stored."""
    shutil.copy(whole[0], path := tmp_path / "spool.db")
    content = path.read_bytes()
    hurt = set()
    with path.open("r+b") as file:
        for number in (4, 22, 41):
            page = content.index(payload_of(number)[:8] * 2) // PAGE_BYTES
            held = content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]
            hurt |= {name for name, payload in whole[1].items() if payload[:8] in held}
            file.seek(page * PAGE_BYTES)
            file.write(bytes(PAGE_BYTES))
    async with await SqliteSpool.open(path, hooks_max=999, bytes_max=10**9, queue_hooks_max=999) as spool:
        claimed: list[Delivery] = []
        while some := await spool.claim(limit=20, per_stream=9, bytes_max=10**9, lease_s=60):
            claimed += some
        lost = [each for each in claimed if each.unreadable]
        assert {each.hook.delivery_id for each in lost} <= hurt
        assert lost
        read = {each.hook.delivery_id: each.hook.payload for each in claimed if not each.unreadable}
        assert {name: whole[1][name] for name in read if name not in hurt} == {
            name: payload for name, payload in read.items() if name not in hurt
        }
        assert await spool.bury([Burial(each, Cause.UNREADABLE, each.unreadable) for each in lost]) == len(lost)
        dead = await spool.find(Search(causes=frozenset({Cause.UNREADABLE})), limit=99)
        assert {each.seq for each in dead} == {each.seq for each in lost}
        assert (await spool.accept(hook(10**6), ["main"])).fresh
        whole_ones = [each for each in claimed if each.hook.delivery_id not in hurt]
        assert await spool.settle(whole_ones) == len(whole_ones)
