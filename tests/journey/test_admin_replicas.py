"""The operator's side of replicas on PostgreSQL: each serves the whole spool, whatever its role."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.engines import PostgresPlace, make_place
from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import REFUSE, admin_world, ask, change, found, relay
from tests.journey.relay_world import comment


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """An empty schema, dropped at the end."""
    async with make_place(postgres_url) as made:
        yield made


async def test_every_replica_and_the_command_see_and_change_the_same(tmp_path: Path, place: PostgresPlace) -> None:
    """A dead letter of one is redelivered through another, while a third hand looks straight at the spool."""
    (tmp_path / "a").mkdir()
    (tmp_path / "d").mkdir()
    url = {"SPOOL_URL": place.url}
    async with (
        admin_world(tmp_path / "a", role="accept", **url) as accepts,
        admin_world(tmp_path / "d", role="deliver", **url) as delivers,
    ):
        delivers.splunk.always(REFUSE)
        delivery_id = (await accepts.post("/sentry/acme", comment(1))).json["delivery"]
        await until(lambda: bool(delivers.logged("delivery.buried")))

        async def dead() -> bool:
            return bool(await found(accepts, ("state", "dead")))

        await until(dead)
        shown = await relay("show", delivery_id, "--spool", place.url)
        assert "rejected: invalid data format (HTTP 400, code 6)" in shown.output
        delivers.splunk.always(None)
        (letter,) = await found(accepts, ("tenant", "acme"))
        assert (await change(accepts, "redeliver", seqs=[letter["seq"]], actor="ada")).json["changed"] == 1
        assert (await delivers.landed(1))[0]["fields"]["relay_delivery_id"] == delivery_id
        (entry,) = (await ask(delivers, "audit")).json["entries"]
        assert (entry["actor"], entry["delivery_ids"]) == ("ada", [delivery_id])
        assert "adds up" in (await relay("stats", "--spool", "@SPOOL", SPOOL=place.url)).output
