"""The database goes away under load, in every way that it can, and comes back."""

import asyncio
import os
import signal
import struct
from collections import Counter
from contextlib import suppress
from itertools import count

import pytest

from app.errors import NotStored, SpoolError
from app.model import Delivery
from app.spool.postgres.spool import PostgresSpool
from tests.conftest import POSTGRES_URL
from tests.contract.engines import LIMITS, PostgresPlace, hook
from tests.contract.test_spool_contract import books, claim
from tests.contract.test_spool_postgres import GAP_S, until
from tests.postgres_server import PostgresServer
from tests.soon import soon

SSL_REQUEST = 80_877_103
"""What a client asks before it begins (PostgreSQL docs, "Message Formats")."""


class Load:
    """Accepts and delivers on several replicas, and notes what was promised and what was done."""

    def __init__(self, *spools: PostgresSpool) -> None:
        self._numbers = count()
        self._stopping = asyncio.Event()
        self.accepted: set[str] = set()
        self.delivered: Counter[str] = Counter()
        self.perhaps: set[str] = set()
        """Claimed, and the answer to settling them was lost with a server."""
        self.refused: list[NotStored] = []
        self._tasks = [
            asyncio.create_task(job(each)) for each in spools for job in (self._accept, self._accept, self._deliver)
        ]

    async def accept_more(self, more: int) -> None:
        """Wait until so many more were accepted."""
        wanted = len(self.accepted) + more
        await until(lambda: len(self.accepted) >= wanted)

    async def refuse_more(self) -> None:
        """Wait until another was refused."""
        before = len(self.refused)
        await until(lambda: len(self.refused) > before)

    async def stop(self) -> None:
        """End after what is under way."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _accept(self, spool: PostgresSpool) -> None:
        while not self._stopping.is_set():
            try:
                stored = await soon(spool.accept(hook(next(self._numbers)), ["main"]), 1)
                self.accepted.add(stored.delivery_id)
            except NotStored as refusal:
                self.refused.append(refusal)
                await asyncio.sleep(GAP_S)

    async def _deliver(self, spool: PostgresSpool) -> None:
        while not self._stopping.is_set():
            with suppress(SpoolError):
                await self.deliver(spool)
            await asyncio.sleep(GAP_S)

    async def deliver(self, spool: PostgresSpool) -> None:
        """Claim and settle once."""
        claimed = await claim(spool, lease_s=0.5, limit=50)
        ids = {each.hook.delivery_id for each in claimed}
        self.perhaps |= ids
        if await spool.settle(claimed) == len(claimed):
            self.delivered.update(ids)
            self.perhaps -= ids


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_nothing_that_was_accepted_is_lost_when_the_server_goes(how: str) -> None:
    """Under load, without and with a checkpoint; every accept has its answer in a second, everything recovers alone."""
    with PostgresServer() as server:
        async with (
            await PostgresSpool.open(server.url, **LIMITS) as one,
            await PostgresSpool.open(server.url, **LIMITS) as other,
        ):
            load = Load(one, other)
            await load.accept_more(50)
            await asyncio.to_thread(getattr(server, how))
            await load.refuse_more()
            await asyncio.to_thread(server.start)
            await load.accept_more(50)
            await load.stop()
            assert {each.reason for each in load.refused} == {"spool_unavailable"}

            async def is_done() -> bool:
                with suppress(SpoolError):  # it is still finding its way back
                    await load.deliver(one)
                    return not (await books(one)).waiting
                return False

            await until(is_done)
            assert load.accepted <= set(load.delivered) | load.perhaps
            assert len(load.perhaps) <= 2 * 50
            assert max(load.delivered.values()) == 1


async def test_a_server_that_hangs_is_answered_for_within_a_second(place: PostgresPlace) -> None:
    """Its processes are stopped, no connection ends: refused in time, then at once, until it goes on."""
    mine = "SELECT pid FROM pg_stat_activity WHERE application_name = 'hanging'"
    if POSTGRES_URL in os.environ:
        pytest.skip("not a server of ours: its processes cannot be stopped")
    async with await PostgresSpool.open(f"{place.url}&application_name=hanging", **LIMITS) as spool:
        await asyncio.gather(*(spool.accept(hook(n), ["main"]) for n in range(100)))
        pids = [pid for (pid,) in await place.run(mine)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            accepts = [spool.accept(hook(100 + n), ["main"]) for n in range(200)]
            answers = await soon(asyncio.gather(*accepts, return_exceptions=True), 1)
            assert all(isinstance(each, NotStored) for each in answers)

            async def is_refused_at_once() -> bool:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        with pytest.raises(NotStored, match="spool_unavailable"):
                            await spool.accept(hook(9_000), ["main"])
                        return True
                return False

            await until(is_refused_at_once)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

        async def is_back() -> bool:
            with suppress(NotStored):
                await spool.accept(hook(9_001), ["main"])
                return True
            return False

        await until(is_back)


async def test_connections_that_are_cut_come_back_without_anybody_noticing(place: PostgresPlace) -> None:
    """A pooler restarts, an administrator ends sessions: Sentry has one try, so the relay has two."""
    async with await place.open() as spool:
        for number in range(5):
            answers = await asyncio.gather(
                *(spool.accept(hook(number * 100 + n), ["main"]) for n in range(20)),
                place.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'sentry-splunk-relay'"
                ),
                return_exceptions=True,
            )
            assert not [each.facts for each in answers if isinstance(each, NotStored)]
        assert len(await claim_again(spool)) == 100


async def claim_again(spool: PostgresSpool) -> list[Delivery]:
    """A claim after connections were cut: the first may find its own gone."""
    while True:
        try:
            return await claim(spool)
        except SpoolError:
            await asyncio.sleep(GAP_S)


async def test_a_start_waits_for_a_database_that_recovers() -> None:
    """It is asked again while it says that it is starting, and no longer than that."""
    asked: list[str] = []
    answers = [("57P03", "the database system is starting up")] * 3 + [("28P01", "password authentication failed")]

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            size, code = struct.unpack("!II", await reader.readexactly(8))
            if code == SSL_REQUEST:
                writer.write(b"N")
                (size, _) = struct.unpack("!II", await reader.readexactly(8))
            await reader.readexactly(size - 8)
            state, words = answers[len(asked)]
            asked.append(state)
            said = ("FATAL", "FATAL", state, words)
            fields = b"".join(f"{key}{text}\0".encode() for key, text in zip("SVCM", said, strict=True))
            writer.write(struct.pack("!cI", b"E", len(fields) + 5) + fields + b"\0")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SpoolError, match="password"):
            await PostgresSpool.open(f"postgresql://u:p@127.0.0.1:{port}/d", **LIMITS)
    assert asked == ["57P03", "57P03", "57P03", "28P01"]
