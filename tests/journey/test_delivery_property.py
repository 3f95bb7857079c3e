"""Arbitrary hooks, arbitrary faults, at arbitrary times: whole lanes with their spool and their sockets.

Everything that is accepted is indexed or buried; only what is bad is buried; and what the faults say truly is not
doubled. ``make property`` runs many times as many examples; a failure prints how to repeat it.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.sandbox.splunk import HecToken, RequestSeen
from tests.examples import machine
from tests.journey.arbitrary_faults import FAULTS, lies
from tests.journey.delivery_world import Part, StayingSplunk, World, ids_of, world

TENANTS = ("a", "b", "c")
EVENT_BYTES_MAX = 5_000
TOO_LARGE = 9_000
PACE = {
    "linger_s": 0.002,
    "poll_interval_s": 0.02,
    "retry_base_s": 0.002,
    "retry_max_s": 0.01,
    "retry_after_max_s": 0.01,
    "pause_probe_max_s": 0.01,
}

tenants = st.sampled_from(TENANTS)


class Lanes(RuleBasedStateMachine):
    """A supervisor, a spool on disk and a stand-in Splunk; between two rules it all stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.parts = AsyncExitStack()
        self.splunk = StayingSplunk([HecToken(each) for each in TENANTS], event_bytes_max=EVENT_BYTES_MAX)
        self.here: World | None = None
        self.faults = "clean"
        self.healthy: dict[str, str] = {}
        """Tenant by delivery id."""
        self.poison: dict[str, str] = {}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let everything go on until that is done."""
        return self.runner.run(work)

    @property
    def world(self) -> World:
        """Made by the first step."""
        assert self.here is not None
        return self.here

    @initialize(faults=st.sampled_from(list(FAULTS)), batch=st.integers(2, 40), posts=st.integers(1, 8))
    def begin(self, faults: str, batch: int, posts: int) -> None:
        """What may go wrong in this example, and how much goes at once."""
        self.faults = faults
        self.run(self._begin({**PACE, "batch_hec_events_max": batch, "concurrency_max": posts}))

    async def _begin(self, limits: dict[str, Any]) -> None:
        folder = Path(self.parts.enter_context(tempfile.TemporaryDirectory()))
        await self.parts.enter_async_context(self.splunk)
        parts = [Part(each, self.splunk.url, each) for each in TENANTS]
        self.here = await self.parts.enter_async_context(world(folder, parts, **limits))
        self.world.run()

    @rule(tenant=tenants, sizes=st.lists(st.sampled_from([0, 0, 0, 0, TOO_LARGE]), min_size=1, max_size=12))
    def accept(self, tenant: str, sizes: list[int]) -> None:
        """Hooks come in; a large one is refused by this Splunk (code 6, with its number)."""
        for size in sizes:
            (delivery_id,) = self.run(self.world.accept(tenant=tenant, size=size))
            (self.poison if size else self.healthy)[delivery_id] = tenant

    @rule(tenant=tenants, data=st.data(), count=st.integers(1, 6))
    def spoil(self, tenant: str, data: st.DataObject, count: int) -> None:
        """The next answers under a tenant's hec_token are other ones, those to probes included."""
        faults = data.draw(st.lists(FAULTS[self.faults], min_size=count, max_size=count))
        self.splunk.script(*faults, token=tenant)

    # What comes under an unknown hec_token is not read, so that nobody could say whom a lie was told about.
    @precondition(lambda self: self.faults != "lying")
    @rule(tenant=tenants)
    def forget_hec_token(self, tenant: str) -> None:
        """Splunk does not know it for a while."""
        self.splunk.remove_token(tenant)

    @rule(tenant=tenants)
    def forbid_index(self, tenant: str) -> None:
        """The hec_token may not write to the index for a while."""
        self.splunk.set_token(HecToken(tenant, indexes=("another",)))

    @rule(tenant=tenants)
    def mend_hec_token(self, tenant: str) -> None:
        """It is known and may write."""
        self.splunk.set_token(HecToken(tenant))

    @rule(moment_s=st.sampled_from([0.0, 0.005, 0.03]))
    def go_on(self, moment_s: float) -> None:
        """Time passes."""
        self.run(asyncio.sleep(moment_s))

    @rule()
    def restart_relay(self) -> None:
        """Posts under way are answered, the rest goes on after it."""
        self.run(self._restart_relay())

    async def _restart_relay(self) -> None:
        await self.world.supervisor.drain(5)
        self.world.run()

    @precondition(lambda self: self.faults != "clean")
    @rule()
    def restart_splunk(self) -> None:
        """Connections break wherever they are."""
        self.run(self._restart_splunk())

    async def _restart_splunk(self) -> None:
        await self.splunk.stop()
        await self.splunk.start()

    def teardown(self) -> None:
        """What was forbidden is allowed again; everything comes to its end, and the books are looked at."""
        try:
            if self.here is not None:
                for tenant in TENANTS:
                    self.mend_hec_token(tenant)
                self.run(self.world.until_settled())
                self.run(self._look())
        finally:
            self.run(self.parts.aclose())
            self.runner.close()

    async def _look(self) -> None:
        indexed = self.splunk.indexed
        buried = {each.delivery_id for each in await self.world.dead()}
        copies = Counter(ids_of(indexed))
        accepted = self.healthy | self.poison
        assert set(copies) | buried == set(accepted), "something is lost"
        assert set(self.healthy) - buried <= set(copies) <= set(self.healthy)
        assert set(self.poison) <= buried <= set(self.poison) | condemned(self.splunk.requests)
        assert all(each.token == accepted[str(each.fields["relay_delivery_id"])] for each in indexed), (
            "another's hec_token"
        )
        unmarked = Counter(ids_of([each for each in indexed if "relay_attempt" not in each.fields]))
        assert not [each for each, count in unmarked.items() if count > 1], "a double that does not say so"
        if self.faults == "clean":
            assert len(unmarked) == len(indexed), "a clean fault has doubled something"
            assert not buried & set(copies)
        stats = await self.world.spool.stats()
        assert sum(each.delivered for each in stats.streams) == len(accepted) - len(buried)
        assert not self.world.fatal


def condemned(requests: list[RequestSeen]) -> set[str]:
    """Those that a lie named alone."""
    return {
        orjson.loads(each.body)["fields"]["relay_delivery_id"]
        for each in requests
        if lies(each.fault) and each.body and b"\n" not in each.body
    }


def test_a_spoiled_example_would_be_seen() -> None:
    """The look that every example ends with is no formality: a hec_event that nobody sent is found."""
    lanes = Lanes()
    lanes.begin("clean", 10, 2)
    lanes.accept("a", [0])
    lanes.healthy["never sent"] = "a"
    try:
        lanes.teardown()
    except AssertionError as fault:
        assert "something is lost" in str(fault)  # noqa: PT017 - teardown also has to close everything
    else:
        raise AssertionError("not seen")


TestLanes = Lanes.TestCase
TestLanes.settings = machine(25, steps=20, shrink=False)
