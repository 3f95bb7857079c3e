"""Several addresses of one Splunk: used in turn, those that fail left out, nothing doubled by that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from app.delivery.observer import Observer
from app.metrics import Metrics
from app.model import Stream
from app.sandbox.splunk import Fault, HecToken
from tests.journey.delivery_world import Part, StayingSplunk, World, ids_of, until, world

TOKEN = HecToken("acme-token", indexes=("sentry",))


@asynccontextmanager
async def two(
    folder: Path, *, token: HecToken = TOKEN, observer: Observer | None = None, **limits: Any
) -> AsyncIterator[tuple[World, list[StayingSplunk]]]:
    """Two Splunks that one destination names."""
    async with AsyncExitStack() as stack:
        splunks = [await stack.enter_async_context(StayingSplunk([token])) for _ in range(2)]
        more: dict[str, Any] = {"urls": [splunks[1].url]}
        if token.use_ack:
            more |= {"ack": True, "ack_poll_s": 0.05, "ack_expiry_s": 60}
        parts = [Part("acme", splunks[0].url, "acme-token", more=more)]
        made = await stack.enter_async_context(world(folder, parts, **({"batch_hec_events_max": 5} | limits)))
        made.run(observer=observer or Metrics("test"))
        yield made, splunks


class LeftOut(Metrics):
    """How many addresses are left out, each time that it changes."""

    def __init__(self) -> None:
        super().__init__("test")
        self.told: list[tuple[Stream, int]] = []

    def left_out(self, stream: Stream, *, addresses: int) -> None:
        """As delivering tells it."""
        self.told.append((stream, addresses))


def all_ids(splunks: list[StayingSplunk]) -> list[str]:
    """What arrived anywhere."""
    return sorted(each for splunk in splunks for each in ids_of(splunk.indexed))


async def test_addresses_are_used_in_turn(tmp_path: Path) -> None:
    """Each gets a part."""
    async with two(tmp_path) as (made, splunks):
        ids = await made.accept(40)
        await made.until_settled()
        assert all_ids(splunks) == sorted(ids)
        assert all(splunk.indexed_count for splunk in splunks)


async def test_an_address_that_is_down_costs_no_pause_and_no_double(tmp_path: Path) -> None:
    """The other one takes it at once; once it is back it is used again."""
    async with two(tmp_path) as (made, splunks):
        await splunks[0].stop()
        ids = await made.accept(20)
        await made.until_settled()
        assert sorted(ids_of(splunks[1].indexed)) == sorted(ids)
        assert not made.said("lane.paused")
        assert len(made.said("address.ejected")) == 1
        await splunks[0].start()
        async with asyncio.timeout(60):
            while not made.said("address.returned"):
                ids += await made.accept()
                await made.until_settled()
        assert splunks[0].indexed_count > 0
        assert all_ids(splunks) == sorted(ids)


async def test_an_address_that_is_left_out_is_told_in_words_and_counted(tmp_path: Path) -> None:
    """Readiness names it and says why while the others work; once it is back nothing is said any more."""
    counts = LeftOut()
    async with two(tmp_path, observer=counts) as (made, splunks):
        splunks[0].always(Fault.status(404))
        ids = await made.accept(20)
        await made.until_settled()
        (state,) = [str(each) for each in made.supervisor.states()]
        assert f"works through other addresses, {splunks[0].url} is left out: no HEC at this address" in state
        assert state.endswith("(HTTP 404); to mend: Splunk")
        assert counts.told == [(Stream("acme", "main"), 1)]
        splunks[0].always(None)
        async with asyncio.timeout(60):
            while made.supervisor.states():
                ids += await made.accept()
                await made.until_settled()
        assert counts.told == [(Stream("acme", "main"), 1), (Stream("acme", "main"), 0)]
        assert all_ids(splunks) == sorted(ids)


async def test_what_an_address_did_not_take_goes_to_the_next_unmarked(tmp_path: Path) -> None:
    """Rolling restart, busy and shutting down are clean: no double, no mark."""
    async with two(tmp_path) as (made, splunks):
        for fault in (Fault.status(404), Fault.busy(), Fault.shutting_down(), Fault.status(503)):
            splunks[0].script(fault)
        ids = await made.accept(20)
        await made.until_settled()
        assert all_ids(splunks) == sorted(ids)
        assert not [each for splunk in splunks for each in splunk.indexed if "relay_attempt" in each.fields]
        assert not made.said("lane.paused")
        assert {line["outcome"] for line in made.said("delivery.attempted")} == {"delivered"}


async def test_what_an_address_may_have_taken_is_marked(tmp_path: Path) -> None:
    """It is not sent to the next one behind the spool's back, and the destination does not pause."""
    async with two(tmp_path) as (made, splunks):
        splunks[0].always(Fault.cut(stored=True))
        splunks[1].always(None)
        ids = await made.accept(10)
        await made.until_settled()
        taken = ids_of(splunks[0].indexed)
        again = [str(each.fields["relay_delivery_id"]) for each in splunks[1].indexed if "relay_attempt" in each.fields]
        assert taken
        assert set(taken) <= set(again)
        assert set(all_ids(splunks)) == set(ids)
        assert not made.said("lane.paused")


async def test_with_all_addresses_down_the_destination_pauses_and_resumes(tmp_path: Path) -> None:
    """As with a single one: nothing is lost, nothing doubles."""
    async with two(tmp_path) as (made, splunks):
        for each in splunks:
            await each.stop()
        ids = await made.accept(10)
        await until(lambda: made.said("lane.paused"))
        await splunks[1].start()
        await made.until_settled()
        assert sorted(ids_of(splunks[1].indexed)) == sorted(ids)


async def test_acks_are_asked_for_where_they_were_given(tmp_path: Path) -> None:
    """A channel an address: nothing is lost or doubled."""
    async with two(tmp_path, token=HecToken("acme-token", indexes=("sentry",), use_ack=True)) as (made, splunks):
        ids = await made.accept(40)
        await made.until_settled()
        assert all_ids(splunks) == sorted(ids)
        assert not made.said("ack.lost")
        channels = [{each.headers["x-splunk-request-channel"] for each in splunk.requests} for splunk in splunks]
        assert len(channels[0] | channels[1]) == 2
        assert all(splunk.acks_waiting == 0 for splunk in splunks)
