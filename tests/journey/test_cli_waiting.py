"""Why something waits, whose name stands in the audit, and how a list ends that nobody reads on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from app.sandbox.splunk import Fault
from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import admin_world, bury, relay
from tests.journey.relay_world import comment, world


async def test_what_waits_says_what_holds_it_up(tmp_path: Path) -> None:
    """Most deliveries behind a pause have no attempt of their own: the lane's words and who must act stand beside."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path) as there:
        there.splunk.always(Fault.code(4))
        await there.post("/sentry/acme", comment(1))

        async def paused() -> bool:
            return "(HTTP 403, code 4)" in (await relay("list", "--state", "waiting", RELAY_SPOOL_URL=spool)).output

        await until(paused)
        (delivery_id,) = {(await there.post("/sentry/acme", comment(2))).json["delivery"]}

        async def listed() -> str:
            return (await relay("list", "--state", "waiting", RELAY_SPOOL_URL=spool)).output

        await until(lambda: _has(listed, delivery_id))
        lines = (await listed()).splitlines()
        shown = (await relay("show", delivery_id, RELAY_SPOOL_URL=spool)).output
        there.splunk.always(None)
    assert sum("tenant configuration" in line for line in lines) == 2, lines
    (under,) = [line for line in lines if delivery_id in line]
    assert "does not know the hec_token" in under
    assert "paused      acme/main since " in shown, shown
    assert "to mend     tenant configuration; it is tried again by itself" in shown


async def _has(listed: object, delivery_id: str) -> bool:
    assert callable(listed)
    return delivery_id in await listed()


async def test_a_tenant_that_does_not_exist_is_a_slip(tmp_path: Path) -> None:
    """The nearest name is said; a tenant without deliveries is not a slip."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path):
        slip = await relay("list", "--tenant", "acmee", RELAY_SPOOL_URL=spool)
        empty = await relay("list", "--tenant", "globex", RELAY_SPOOL_URL=spool)
    assert slip.exit_code == 2
    assert "no tenant 'acmee'; the nearest is acme" in slip.output
    assert (empty.exit_code, empty.output) == (0, "none\n")


async def test_the_audit_has_the_name_that_the_environment_gives(tmp_path: Path) -> None:
    """``RELAY_ACTOR`` goes before the login, and is no setting that would stop the relay."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with admin_world(tmp_path) as there:
        (delivery_id,) = await bury(there, 1)
        place = {"RELAY_SPOOL_URL": spool, "RELAY_ACTOR": "ada"}
        assert (await relay("redeliver", delivery_id, "--reason", "x", **place)).exit_code == 0
        audit = await relay("audit", **place)
    assert "  ada\n" in audit.output


async def test_a_list_that_nobody_reads_on_ends_as_a_broken_pipe_does(tmp_path: Path) -> None:
    """No trace and no message, and the exit status by which a shell knows it."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with admin_world(tmp_path) as there:
        await bury(there, 1)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(  # noqa: ASYNC221 - nothing else is under way
            [sys.executable, "-m", "app", "deliveries", "list", "--spool", spool],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")
