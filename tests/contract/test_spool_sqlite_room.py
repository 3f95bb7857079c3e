"""What makes room never needs room: a small disk is filled, emptied and filled again."""

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from app.errors import NotStored, SpoolError
from app.model import Delivery, Search
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import attempt, budgets_of, hook
from tests.contract.test_spool_postgres import until
from tests.small_volume import small_volume

MB = 1_000_000
NUMBERS = count(1)


async def _open(path: Path) -> SqliteSpool:
    return await SqliteSpool.open(path, hooks_max=10**6, bytes_max=10**10, queue_hooks_max=10**4)


async def fill(spool: SqliteSpool, payload_bytes: int) -> int:
    """Store hooks until the disk takes no more; how many it took."""
    stored = 0
    while True:
        hooks = [hook(next(NUMBERS), payload=b"x" * payload_bytes) for _ in range(32)]
        answers = await asyncio.gather(*(spool.accept(each, ["main"]) for each in hooks), return_exceptions=True)
        refused = [each for each in answers if isinstance(each, NotStored)]
        assert {each.reason for each in refused} <= {"disk_full"}
        assert len(refused) == sum(isinstance(each, BaseException) for each in answers)
        stored += len(answers) - len(refused)
        if len(refused) == len(answers):
            return stored


async def drain(spool: SqliteSpool) -> int:
    """Deliver all there is; how many. None of it may fail."""
    settled = 0
    while deliveries := await spool.claim(limit=64, per_stream=64, bytes_max=4 * MB, lease_s=60):
        settled += await spool.settle(deliveries)
    return settled


@pytest.mark.parametrize("payload_bytes", [700, 5_000, 200_000])
async def test_a_small_disk_is_filled_emptied_and_filled_again(tmp_path: Path, payload_bytes: int) -> None:
    """Every time as far as the first time, also over a restart."""
    with small_volume(tmp_path, 20) as volume:
        taken = []
        for _ in range(3):
            async with await _open(volume / "spool.db") as spool:
                for _ in range(2):
                    taken.append(await fill(spool, payload_bytes))
                    assert "kept to deliver what is stored" in spool.evidence().problems[0]
                    assert await drain(spool) == taken[-1]
                    await ready(spool)
                while (await spool.expire(budgets_of(history_max=0, dedup_window_s=0), limit=500)).changed:
                    pass
        assert min(taken) > 0.7 * taken[0]


async def ready(spool: SqliteSpool) -> None:
    """By itself."""
    async with asyncio.timeout(30):
        while spool.evidence().problems:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("payload_bytes", [700, 20_000])
async def test_a_restart_in_the_middle_of_a_full_disk_changes_nothing(tmp_path: Path, payload_bytes: int) -> None:
    """What waits is delivered."""
    with small_volume(tmp_path, 20) as volume:
        async with await _open(volume / "spool.db") as spool:
            taken = await fill(spool, payload_bytes)
        for _ in range(3):
            async with await _open(volume / "spool.db") as spool:
                taken += await fill(spool, payload_bytes)
        async with await _open(volume / "spool.db") as spool:
            assert await drain(spool) == taken
            await ready(spool)
            assert (await spool.accept(hook(next(NUMBERS)), ["main"])).fresh


async def test_another_program_that_takes_the_rest_stops_no_delivery(tmp_path: Path) -> None:
    """Then the room that is held is given for it; once the other has gone all is as before."""
    with small_volume(tmp_path, 40) as volume:
        async with await _open(volume / "spool.db") as spool:
            taken = await fill(spool, 5_000)
            held = (volume / "spool.db-reserve").stat().st_size
            assert held > MB
            hog(volume / "hog")
            assert await patiently_drained(spool) == taken
            (volume / "hog").unlink()
            await ready(spool)
            assert (await spool.accept(hook(next(NUMBERS)), ["main"])).fresh
            await until(lambda: held_of(volume) == held)


def held_of(volume: Path) -> int:
    """How much room is held just now."""
    file = volume / "spool.db-reserve"
    return file.stat().st_size if file.exists() else 0


def hog(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("ab", buffering=0) as file:
        for size in (10**6, 10**4, 10**2, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


async def patiently_drained(spool: SqliteSpool) -> int:
    """As delivering does it: what cannot be written is written again."""
    settled = 0
    async with asyncio.timeout(60):
        while deliveries := await spool.claim(limit=64, per_stream=64, bytes_max=4 * MB, lease_s=60):
            settled += await stubbornly(spool, deliveries)
    return settled


async def stubbornly(spool: SqliteSpool, deliveries: Sequence[Delivery]) -> int:
    """Until it is written."""
    while True:
        try:
            return await spool.settle(deliveries)
        except SpoolError:
            await asyncio.sleep(0.05)


async def test_a_disk_that_was_full_to_the_brim_is_given_back(tmp_path: Path) -> None:
    """A spool of a relay that kept no reserve: once it is empty its file is made small again."""
    with small_volume(tmp_path, 40) as volume:
        async with await _open(volume / "spool.db") as spool:
            taken = await fill(spool, 20_000)
            hog(volume / "hog")
            assert await patiently_drained(spool) == taken
            large = (volume / "spool.db").stat().st_size
            async with asyncio.timeout(30):
                while spool.evidence().problems:  # the other program stays
                    await asyncio.sleep(0.1)
            assert (volume / "spool.db").stat().st_size < large / 4


async def test_while_the_disk_is_full_nothing_else_is_written_for_people(tmp_path: Path) -> None:
    """The history is forgotten and posts are counted without their lines, for both take the room to deliver."""
    with small_volume(tmp_path, 20) as volume:
        async with await _open(volume / "spool.db") as spool:
            await spool.accept(hook(next(NUMBERS)), ["main"])
            await drain(spool)
            taken = await fill(spool, 50_000)
            assert (await spool.expire(budgets_of(), limit=500)).changed == 1
            assert (await spool.stats()).history == 0
            deliveries = await spool.claim(limit=64, per_stream=64, bytes_max=4 * MB, lease_s=60)
            await spool.release(deliveries, retry_in_s=0, tried=[attempt(), attempt()])
            (life, *_) = await spool.find(Search(delivery_ids=frozenset({deliveries[0].hook.delivery_id})), limit=9)
            assert (life.attempts, list(life.tried)) == (2, [])
            assert await drain(spool) == taken
