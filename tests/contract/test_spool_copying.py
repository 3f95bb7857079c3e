"""Moving from one engine to the other while deliveries wait."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import SpoolError
from app.model import Accepted, Attempt, AuditAuthor, Burial, Cause, DeliveryRecord, Hook, Search, State
from app.spool.copy.copy import copy
from app.spool.copy.rows import ROWS
from app.spool.engines import OpenSpool, open_spool
from app.spool.interface import Spool
from app.spool.sql import Queries
from app.spool.text import storable
from tests.contract.engines import PostgresPlace, hook
from tests.contract.test_spool_contract import claim

POST = Attempt(1_700_000_000.125, 0.25, "503 server is busy")
LOST = Attempt(1_700_000_000.1, 30.0, "no answer", ambiguous=True)
LIMITS: dict[str, Any] = {"hooks_max": 10_000, "bytes_max": 10**9, "queue_hooks_max": 10_000}


async def opened(url: str) -> OpenSpool:
    """The spool at a URL."""
    return await open_spool(url, **LIMITS)


def unkeyed(number: int, body: bytes) -> Hook:
    """A hook that may come again without a key."""
    return hook(number, key_digest=b"", body_digest=body, resendable=True)


async def filled(url: str, *, hooks: int = 0) -> None:
    """A spool with something of everything, and so many hooks more."""
    async with await opened(url) as spool:
        for number in range(6):
            await spool.accept(hook(number, payload=bytes(range(256)) * number), ["main", "audit"])
        deliveries = await claim(spool)
        await spool.settle(deliveries[:1], tried=[LOST, POST])
        await spool.settle(deliveries[1:2], filtered=True)
        await spool.release(deliveries[2:4], retry_in_s=0, tried=[LOST, POST], fault="503 \0 é")
        await spool.release(deliveries[4:5], retry_in_s=3600, tried=[POST])
        await spool.bury([Burial(each, Cause.REJECTED, "code 6", (POST,)) for each in deliveries[5:8]])
        await spool.discard([deliveries[5].seq], change=AuditAuthor("ann", "too old \0 é"))
        for number in (90, 91):
            await spool.accept(hook(number, tenant="", installation="u-1"), [""])
        for unanswered in (unkeyed(93, b"u" * 16), unkeyed(94, b"v" * 16)):
            await spool.accept(unanswered, ["main"])
            spool.unanswered(unanswered, unanswered.delivery_id)
        await spool.accept(unkeyed(95, b"v" * 16), ["main"])  # is 94 again
        await spool.accept(unkeyed(96, b"v" * 16), ["main"])
        for number in range(hooks):
            await spool.accept(hook(1000 + number), ["main"])


async def look(url: str) -> dict[str, Any]:
    """Everything that one can see of a spool from outside, and what it does next."""
    async with await opened(url) as spool:
        stats = await spool.stats()
        lives = await spool.find(Search(), limit=1000)
        letters = [each for each in lives if each.state is State.DEAD]
        ended = [each for each in lives if each.state in {State.DELIVERED, State.FILTERED, State.DISCARDED}]
        resent = await spool.accept(unkeyed(97, b"u" * 16), ["main"])
        assert resent == Accepted(unkeyed(93, b"").delivery_id, fresh=False)
        repeat = await spool.accept(hook(0, key_digest=(3).to_bytes(16, "big")), ["main"])
        seen: dict[str, Any] = {
            "books": sorted(map(repr, stats.streams)),
            "fill": (stats.hooks, stats.payload_bytes, stats.oldest_waiting_at, stats.dead_bytes, stats.history),
            "dedup_keys": stats.dedup_keys,
            "letters": [_storable(each) for each in letters],
            "ended": [_storable(each) for each in ended],
            "audit": [(each.number, each.action, each.count, each.delivery_ids) for each in await spool.audit(limit=9)],
            "repeat": repeat,
            "parked": sorted(await spool.parked()),
        }
        seen["claimed"] = await due(spool)
        fresh = await spool.accept(hook(5000), ["main"])
        assert fresh.fresh
        ((newest,),) = [[each.seq for each in await claim(spool) if each.hook.delivery_id == fresh.delivery_id]]
        assert newest > max(each[0] for each in seen["claimed"])
        return seen


async def due(spool: Spool) -> list[Any]:
    """What is due, field for field; still so afterwards."""
    claimed = await claim(spool)
    await spool.release(claimed, retry_in_s=0)
    return sorted((each.seq, each.stream, each.attempts, each.ambiguous, each.hook) for each in claimed)


class _Moment(float):
    """Equal to any less than 0.1 ms away. Rounded to that, two that are a microsecond apart may be different."""

    __slots__ = ()
    __hash__ = float.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and abs(self - other) < 1e-4


def _storable(life: DeliveryRecord) -> DeliveryRecord:
    """PostgreSQL keeps no NUL, and times to the microsecond."""
    ended_at = None if life.ended_at is None else _Moment(life.ended_at)
    return replace(life, fault=storable(life.fault), ended_at=ended_at, due_at=None)


def url_of(path: Path) -> str:
    """A SQLite spool."""
    return f"sqlite:///{path}"


async def test_a_copy_is_the_same_spool_in_the_other_engine_and_back(tmp_path: Path, place: PostgresPlace) -> None:
    """Waiting, retried, dead and parked ones, dedup keys, books and limits; and it goes on with fresh hooks."""
    first, last = url_of(tmp_path / "first.db"), url_of(tmp_path / "last.db")
    await filled(first, hooks=30)
    there = await copy(first, place.url)
    back = await copy(place.url, last)
    assert there == back
    assert (there.hooks, there.dedup_keys, there.ended, there.audited) == (41, 40, 3, 1)
    wanted = await look(first)
    assert (len(wanted["letters"]), len(wanted["ended"]), len(wanted["audit"])) == (2, 3, 1)
    assert await look(last) == wanted
    found = await look(place.url)
    assert found == wanted


async def test_a_copy_that_was_cut_off_is_no_spool_and_goes_on(tmp_path: Path, place: PostgresPlace) -> None:
    """Both ways: refused by a relay, taken up again where it ended, refused for another source."""
    first, last = url_of(tmp_path / "first.db"), url_of(tmp_path / "last.db")
    await filled(first, hooks=ROWS * 2)
    for source, target in ((first, place.url), (place.url, last)):
        said: list[str] = []

        def cut(words: str, said: list[str] = said) -> None:
            said.append(words)
            if len(said) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await copy(source, target, say=cut)
        with pytest.raises(SpoolError, match="run relay spool copy again"):
            await opened(target)
        with pytest.raises(SpoolError, match="run relay spool copy again"):
            await copy(target, url_of(tmp_path / "third.db"))
        other = url_of(tmp_path / f"other-{len(target)}.db")
        async with await opened(other) as spool:
            await spool.accept(hook(7), ["main"])
        with pytest.raises(SpoolError, match="another spool"):
            await copy(other, target)
        said.clear()
        await copy(source, target, say=said.append)
        assert said[0].startswith("going on after hook ")
    assert await look(last) == await look(first)


async def test_a_spool_in_use_or_not_empty_is_not_copied_into(tmp_path: Path, place: PostgresPlace) -> None:
    """Nothing is mixed, and nothing changes under the copy's feet unseen."""
    first = url_of(tmp_path / "first.db")
    await filled(first)
    async with await opened(first):
        with pytest.raises(SpoolError, match="one owner"):
            await copy(first, place.url)
    async with await opened(place.url) as spool:
        await spool.accept(hook(1), ["main"])
        with pytest.raises(SpoolError, match="at work"):
            await copy(first, place.url)
    with pytest.raises(SpoolError, match="not empty"):
        await copy(first, place.url)
    with pytest.raises(SpoolError, match="not empty"):
        await copy(place.url, first)
    with pytest.raises(SpoolError, match="there is no spool"):
        await copy(url_of(tmp_path / "nowhere.db"), place.url)
    with pytest.raises(SpoolError, match="the same"):
        await copy(first, first)
    with pytest.raises(SpoolError, match="a spool's URL must be") as refused:
        await copy("mysql://u:hunter2@h/x", first)
    assert "hunter2" not in str(refused.value)


async def test_a_copy_that_differs_is_told(tmp_path: Path, place: PostgresPlace) -> None:
    """Somebody turned one byte of a payload while it was being copied."""
    path = tmp_path / "first.db"
    await filled(url_of(path))

    def turn(words: str) -> None:
        if words == "comparing":
            with sqlite3.connect(path) as connection:
                connection.execute("UPDATE hooks SET payload = zeroblob(bytes) WHERE bytes > 0")
            connection.close()

    with pytest.raises(SpoolError, match="the copy differs"):
        await copy(url_of(path), place.url, say=turn)
    with pytest.raises(SpoolError, match="has not ended"):
        await opened(place.url)


async def test_a_spool_of_the_first_schema_says_what_to_do(tmp_path: Path, place: PostgresPlace) -> None:
    """On PostgreSQL it is a person's word that migrates; what a copy was begun into before that is begun anew."""
    await place.run(Queries.text("postgres/sql/migrations/0001_spool.sql"))
    await place.run("INSERT INTO spool_schema (version) VALUES (1) RETURNING 1")
    with pytest.raises(SpoolError, match="run: relay spool migrate"):
        await copy(place.url, url_of(tmp_path / "new.db"))
    await filled(url_of(tmp_path / "first.db"))
    await place.run("CREATE TABLE spool_copying (source text)")
    with pytest.raises(SpoolError, match="begun by an older version"):
        await copy(url_of(tmp_path / "first.db"), place.url)
