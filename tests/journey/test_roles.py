"""Replicas that share a spool on PostgreSQL, and share out the work."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engines import PostgresPlace, make_place
from tests.contract.test_spool_postgres import until
from tests.journey.relay_world import World, comment, world

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """An empty schema, dropped at the end."""
    async with make_place(postgres_url) as made:
        yield made


def folder(parent: Path, name: str) -> Path:
    """A folder of its own for a replica."""
    made = parent / name
    made.mkdir()
    return made


async def ready(replica: World) -> Any:
    """Its readiness."""
    answer = await replica.send(b"GET /readyz HTTP/1.1\r\nHost: relay\r\n\r\n")
    assert answer is not None
    assert answer.status == 200
    return answer.json["parts"]


async def test_one_replica_accepts_and_another_delivers(tmp_path: Path, place: PostgresPlace) -> None:
    """A hook comes in here and reaches the other's Splunk; each says in words what it does not do."""
    url = {"SPOOL_URL": place.url, "POLL_INTERVAL_S": "5"}
    async with (
        world(folder(tmp_path, "accepts"), role="accept", **url) as accepts,
        world(folder(tmp_path, "delivers"), role="deliver", **url) as delivers,
    ):
        answers = [await accepts.post("/sentry/acme", comment(number)) for number in range(5)]
        assert {each.status for each in answers} == {202}
        landed = await delivers.landed(5)
        assert {each["fields"]["relay_delivery_id"] for each in landed} == {each.json["delivery"] for each in answers}
        assert accepts.splunk.indexed == []
        assert "its role is accept" not in str(await ready(delivers))
        assert "role is accept" in str((await ready(accepts))["delivery"]["words"])
        assert "role is deliver" in str((await ready(delivers))["accepting"]["words"])
        refused = await delivers.post("/sentry/acme", comment(9))
        assert (refused.status, refused.json) == (500, {"error": "not_stored"})
        assert delivers.logged("request.refused")[0]["reason"] == "role_deliver"


async def test_two_replicas_that_do_both_deliver_each_hook_once(tmp_path: Path, place: PostgresPlace) -> None:
    """Each hook is sent to both, as a balancer that tries again would."""
    async with (
        world(folder(tmp_path, "one"), SPOOL_URL=place.url) as one,
        world(folder(tmp_path, "other"), SPOOL_URL=place.url) as other,
    ):
        ids = set()
        for number in range(20):
            key = {"Idempotency-Key": f"k{number}"}
            answers = [await each.post("/sentry/acme", comment(number), headers=key) for each in (one, other)]
            assert {each.status for each in answers} == {202}
            ids |= {each.json["delivery"] for each in answers}
        assert len(ids) == 20
        await until(lambda: len(one.splunk.indexed) + len(other.splunk.indexed) >= 20)
        found = [str(each.fields["relay_delivery_id"]) for replica in (one, other) for each in replica.splunk.indexed]
        assert sorted(found) == sorted(ids)


async def test_a_sqlite_spool_takes_no_role_but_all(tmp_path: Path) -> None:
    """Its one owner does both; the sentence says what is needed."""
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text("tenants: {}\n")
    environ = {"RELAY_TENANTS_FILE": str(tenants), "RELAY_SPOOL_URL": f"sqlite:///{tmp_path}/spool.db"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "serve", "--role", "accept", env=environ, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, words = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"role accept needs a spool on PostgreSQL" in words
    assert not (tmp_path / "spool.db").exists()
