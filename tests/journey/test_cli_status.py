"""``relay status``: one question at three in the morning, and its answer."""

import json
from pathlib import Path

import anyio
from click.testing import CliRunner, Result

from app.__main__ import main
from app.sandbox.splunk import Fault
from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import TOKEN, admin_world, ask, bury
from tests.journey.relay_world import comment, world


async def status(*words: str, **environ: str) -> Result:
    """The command in this environment."""
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(main, ["status", *words], env=environ))


async def test_all_is_right(tmp_path: Path) -> None:
    """Exit status 0, by the socket beside the spool; readiness says the same sentence."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path) as there:
        await there.post("/sentry/acme", comment(1))

        async def delivered() -> bool:
            return "1 accepted: 1 delivered" in (await status(RELAY_SPOOL_URL=spool)).output

        await until(delivered)
        answer = await status(RELAY_SPOOL_URL=spool)
        assert there.relay.health is not None
        assert (await there.relay.health.readiness()).verdict == "All is right"
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[0] == "All is right"
    assert "1 accepted: 1 delivered" in answer.output


async def test_a_bad_night(tmp_path: Path) -> None:
    """Dead letters and a destination that refuses: whose, why, since when, what to do; exit status 1."""
    async with admin_world(tmp_path) as there:
        await bury(there, 1)
        there.splunk.always(Fault.code(4))
        await there.post("/sentry/acme", comment(2))
        spool = f"sqlite:///{tmp_path / 'spool.db'}"

        async def stopped() -> bool:
            return "not delivering" in (await status("--json", RELAY_SPOOL_URL=spool)).output

        await until(stopped)
        answer = await status(RELAY_SPOOL_URL=spool)
        by_token = await status("--url", f"http://127.0.0.1:{there.port}", "--token", "env:T", "--json", T=TOKEN)
        there.splunk.always(None)
    assert answer.exit_code == 1
    first, second, *rest = answer.output.splitlines()
    assert first == "Not delivering: 1 of 2 destinations takes nothing, 1 dead letter"
    assert second == "What was accepted is safe on disk. 1 delivery waits and is tried by itself."
    assert "acme/main  paused: Splunk (or one indexer of it) does not know the hec_token (HTTP 403, code 4)" in rest
    assert "who must act: tenant configuration" in answer.output
    assert "acme/main  dead letters: 1 dead letter" in rest
    assert max(map(len, rest)) <= 120
    told = json.loads(by_token.output)
    assert [item["state"] for item in told["todo"]] == ["paused", "dead letters"]
    assert told["books"]["dead"] == 1


async def test_a_refused_hook_is_a_loss_until_somebody_has_seen_it(tmp_path: Path) -> None:
    """Sentry sends it once: exit status 2, whose it is and why, until somebody marks it as seen."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with admin_world(tmp_path) as there:
        await there.post("/sentry/acme", comment(1), secret="a-secret-that-was-rotated-away")
        await there.post("/sentry/nobody", comment(2))
        lost = await status(RELAY_SPOOL_URL=spool)
        kinds = (await ask(there, "refused")).json["refused"]
        assert {(kind["code"], kind["tenant"], kind["lost"]) for kind in kinds} == {
            ("bad_signature", "acme", True),
            ("unknown_tenant", "", False),
        }
        assert "rotated-away" not in str(kinds)
        headers = {"Content-Type": "application/json", "X-Relay-Actor": "ada"}
        seen = await ask(there, "refused/seen", method="POST", body=b"{}", headers=headers)
        assert all(kind["seen"] for kind in seen.json["refused"])
        after = await status(RELAY_SPOOL_URL=spool)
    assert lost.exit_code == 2, lost.output
    assert lost.output.splitlines()[0] == "Losing: 1 hook was refused"
    assert "acme  hooks lost: bad_signature: no_secret_matches" in lost.output
    assert after.exit_code == 0


async def test_no_relay_is_the_worst_there_is(tmp_path: Path) -> None:
    """Where nobody answers, what comes now is lost: exit status 2, in words, whether there is a spool or not."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path):
        pass
    for answer in (
        await status(RELAY_SPOOL_URL=spool),
        await status("--url", "http://127.0.0.1:9", "--token", "env:T", T=TOKEN),
    ):
        assert answer.exit_code == 2, answer.output
        assert answer.output.splitlines()[0] == "Losing: no relay answers"
    as_json = await status("--json", RELAY_SPOOL_URL=spool)
    assert json.loads(as_json.output)["level"] == "losing"
