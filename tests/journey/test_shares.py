"""No tenant, and no stranger who installs an integration, takes another's room in the spool: seen from outside."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.sandbox.splunk import Fault
from tests.journey.relay_world import SHARED, World, comment, world

STRANGERS = "11111111-2222-4333-8444-{:012d}"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """A relay with a small spool, whose Splunk takes nothing."""
    async with world(tmp_path, SPOOL_HOOKS_MAX="100", RETRY_MAX_S="60", RETRY_BASE_S="60") as running:
        running.splunk.always(Fault.busy())
        yield running


async def flood(here: World, count: int) -> list[int]:
    """So many hooks of acme; their answers."""
    return [
        (await here.post("/sentry/acme", comment(n), headers={"Idempotency-Key": f"a{n}"})).status for n in range(count)
    ]


async def test_a_tenant_that_fills_the_spool_is_refused_and_the_other_is_not(here: World) -> None:
    """One floods; each hook of the other is taken, readiness stays on, and log and words say whose share is full."""
    answers = await flood(here, 80)
    assert (answers.count(202), answers.count(500)) == (50, 30)
    others = [
        await here.post("/sentry", comment(n), secret=SHARED, headers={"Idempotency-Key": f"g{n}"}) for n in range(40)
    ]
    assert {each.status for each in others} == {202}
    refusal = await here.refusal()
    assert (refusal["code"], refusal["reason"], refusal["tenant"], refusal["share"]) == (
        "not_stored",
        "share_full",
        "acme",
        0.5,
    )
    assert here.relay.health is not None
    readiness = await here.relay.health.readiness()
    assert readiness.ready
    assert "acme holds 50% of the spool, and may hold 50%: its hooks are refused" in readiness.parts["spool"].words
    page = (await here.relay.health.metrics_page()).decode()
    assert 'relay_spool_tenant_hooks{tenant="acme"} 50.0' in page
    assert 'relay_spool_tenant_hooks{tenant="globex"} 40.0' in page


async def test_a_tenants_file_may_give_another_share(here: World) -> None:
    """For the one that sends most."""
    file = here.folder / "tenants.yaml"
    file.write_text(file.read_text().replace("  acme:\n", "  acme:\n    spool_share: 0.7\n", 1))
    async with asyncio.timeout(60):
        while not here.logged("tenants.reloaded"):
            await asyncio.sleep(0.01)
    assert (await flood(here, 80)).count(202) == 70


async def test_hooks_that_nobody_claims_have_a_small_room_of_their_own(here: World) -> None:
    """Anybody who installs a public integration may send: the oldest of these go, and nobody else is refused."""
    for number in range(60):
        body = comment(number, installation=STRANGERS.format(number))
        assert (await here.post("/sentry", body, secret=SHARED)).status == 202
    assert (await flood(here, 40)).count(202) == 40
    assert here.relay.health is not None
    readiness = await here.relay.health.readiness()
    assert readiness.ready
    page = (await here.relay.health.metrics_page()).decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    of_nobody = {sample.name: sample.value for sample in samples if sample.labels == {"tenant": "", "destination": ""}}
    parked = of_nobody["relay_deliveries_waiting"]
    assert 8 <= parked <= 10
    assert parked + of_nobody["relay_deliveries_discarded_total"] == 60
