"""``relay deliveries``: what an operator types, over the admin API and straight on the spool."""

import asyncio
import json
import re
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.model import Burial, Cause
from app.spool.engines import open_spool
from tests.contract.engines import hook
from tests.journey.admin_world import TOKEN, admin_world, bury, found, relay
from tests.journey.relay_world import World, world

REFERENCE = "env:TOKEN_OF_A_TEST"


async def at(there: World, *words: str) -> Any:
    """The command, asking a running relay."""
    where = ["--url", f"http://127.0.0.1:{there.port}", "--token", REFERENCE]
    return await relay(*words, *where, TOKEN_OF_A_TEST=TOKEN)


async def test_an_operators_morning(tmp_path: Path) -> None:
    """List, show, rehearse, redeliver, audit, stats: the ids stay, the books add up."""
    async with admin_world(tmp_path) as there:
        ids = await bury(there, 1, 2)
        listed = await at(there, "list", "--tenant", "acme", "--since", "1h")
        assert listed.exit_code == 0, listed.output
        assert "acme/main  rejected        payload       1" in listed.output
        assert f"    {ids[0]}  invalid data format (HTTP 400, code 6)" in listed.output
        assert max(map(len, listed.output.splitlines())) <= 120

        shown = await at(there, "show", ids[0])
        assert [line.split()[0] for line in shown.output.splitlines()] == [
            *(ids[0], "received", "verified", "stored", "attempt", "buried", "to")
        ]
        assert "with file:acme_secret" in shown.output

        rehearsed = await at(there, "redeliver", ids[0], "--reason", "mended", "--dry-run")
        assert "1 dead letter would be redelivered; nothing was changed" in rehearsed.output
        assert len(await found(there, ("state", "dead"))) == 2

        done = await at(there, "redeliver", ids[0], "--reason", "mended", "--actor", "ada")
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-1] == "1 dead letter redelivered"
        assert (await there.landed(1))[0]["fields"]["relay_delivery_id"] == ids[0]

        discarded = await at(there, "discard", "--cause", "rejected", "--reason", "test data")
        assert discarded.output.splitlines()[-1] == "1 dead letter discarded"
        audit = await at(there, "audit")
        assert re.search(r"redeliver +1  ada\n    mended\n", audit.output)
        assert "    test data\n" in audit.output
        stats = await at(there, "stats")
        assert stats.exit_code == 0
        assert "adds up" in stats.output.splitlines()
        assert "none" in (await at(there, "list")).output
        everything = await at(there, "list", "--state", "any")
        assert everything.output.count("acme/main") == 2


async def test_the_same_straight_on_the_spool(tmp_path: Path) -> None:
    """Without a relay; the JSON is the admin API's, and what was redelivered is posted by the next start."""
    spool = f"sqlite:///{tmp_path}/spool.db"
    async with admin_world(tmp_path, ADMIN_SOCKET="off") as there:
        ids = await bury(there, 1, 2, 3)
        over_http = json.loads((await at(there, "list", "--json")).output)
        refused = await relay("list", "--spool", spool)
        assert refused.exit_code == 1
        assert "no relay answers on the socket beside it (RELAY_ADMIN_SOCKET): use --url" in refused.output
    listed = await relay("list", "--spool", spool, "--json")
    assert json.loads(listed.output) == over_http
    assert (await relay("list", RELAY_SPOOL_URL=spool, RELAY_PORT="1")).output.count("rejected") == 3

    some = await relay("redeliver", ids[0], "--id", "no-such-id", "--reason", "x", "--spool", "@S", S=spool)
    assert some.exit_code == 1
    assert "1 dead letter redelivered" in some.output
    assert "no dead letter (any more): no-such-id" in some.output
    done = await relay("discard", ids[1], "--reason", "x", "--spool", spool, "--json")
    assert (json.loads(done.stdout)["changed"], json.loads(done.stdout)["delivery_ids"]) == (1, [ids[1]])
    assert "waiting" in (await relay("show", ids[0], "--spool", spool)).output
    assert "discarded" in (await relay("show", ids[1], "--spool", spool)).output
    audit = json.loads((await relay("audit", "--spool", spool, "--json")).output)
    assert [(each["action"], each["count"]) for each in audit["entries"]] == [("discard", 1), ("redeliver", 1)]
    assert (await relay("stats", "--spool", spool)).exit_code == 0
    async with admin_world(tmp_path) as there:
        assert (await there.landed(1))[0]["fields"]["relay_delivery_id"] == ids[0]


async def buried(spool: str, count: int) -> None:
    """So many dead letters, made at the spool itself."""
    async with await open_spool(spool, hooks_max=9_999, bytes_max=10**9, queue_hooks_max=9_999) as opened:
        await asyncio.gather(*(opened.accept(hook(number), ["main"]) for number in range(count)))
        claimed = await opened.claim(limit=count, per_stream=count, bytes_max=10**9, lease_s=60)
        await opened.bury([Burial(each, Cause.REJECTED, "invalid data format (HTTP 400, code 6)") for each in claimed])


async def test_what_is_more_than_a_call_goes_call_by_call(tmp_path: Path) -> None:
    """With a line about how far it is; and what becomes due is spread over all of the calls."""
    spool = f"sqlite:///{tmp_path}/spool.db"
    await buried(spool, 1_100)
    first = await relay("list", "--limit", "700", "--spool", spool)
    before = re.search(r"there may be more: --before (\d+)", first.output)
    assert before is not None
    rest = await relay("list", "--before", before[1], "--limit", "700", "--json", "--spool", spool)
    assert len(json.loads(rest.output)["deliveries"]) == 400

    done = await relay("redeliver", "--all", "--reason", "all of them", "--per-s", "10", "--spool", spool)
    assert done.exit_code == 0, done.output
    assert [line for line in done.output.splitlines() if "far" in line] == [
        "500 dead letters redelivered so far",
        "1000 dead letters redelivered so far",
    ]
    assert done.output.splitlines()[-1] == "1100 dead letters redelivered"
    waiting = await relay("list", "--state", "waiting", "--limit", "2000", "--json", "--spool", spool)
    due = sorted(
        datetime.fromisoformat(each["due_at"]).timestamp() for each in json.loads(waiting.output)["deliveries"]
    )
    assert len(due) == 1_100
    assert due[-1] - due[0] == pytest.approx(110, abs=20)  # a call may take its time
    assert max(later - earlier for earlier, later in pairwise(due)) < 20
    audit = json.loads((await relay("audit", "--json", "--spool", spool)).output)["entries"]
    assert [each["count"] for each in audit] == [100, 500, 500]


USAGE = [
    (["redeliver", "--all"], "--reason is needed"),
    (["discard", "--reason", " ", "--all"], "--reason is needed"),
    (["discard", "--reason", "x"], "or say --all"),
    (["discard", "--reason", "x", "--all", "--tenant", "acme"], "--all goes without"),
    (["discard", "--reason", "x\x07", "--tenant", "acme"], "the reason is one line"),
    (["discard", "--reason", "x", "--actor", "a\nb", "--tenant", "acme"], "the actor is one line"),
    (["list", "--since", "yesterday"], "'yesterday' is neither an age"),
    (["list", "--state", "lost"], "Invalid value for '--state'"),
    (["list", "--cause", "lost"], "Invalid value for '--cause'"),
    (["redeliver", "--reason", "x", "--all", "--per-s", "0"], "Invalid value for '--per-s'"),
    (["show"], "Missing argument 'ID'"),
]


@pytest.mark.parametrize(("words", "said"), USAGE, ids=lambda each: " ".join(each) if isinstance(each, list) else "")
async def test_wrong_usage_changes_nothing_and_is_told_apart(words: list[str], said: str, tmp_path: Path) -> None:
    """Exit status 2 and a sentence."""
    spool = f"sqlite:///{tmp_path}/spool.db"
    await buried(spool, 1)
    done = await relay(*words, "--spool", spool)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (["--url", "http://127.0.0.1:1", "--token", REFERENCE], "no answer from the relay at 127.0.0.1 port 1"),
        (["--url", "127.0.0.1:1", "--token", REFERENCE], "--url has to be http://HOST:PORT"),
        (["--url", "http://127.0.0.1:99999", "--token", REFERENCE], "--url has to be http://HOST:PORT"),
        (["--url", "http://127.0.0.1:1"], "--url needs the relay's admin token"),
        (["--url", "http://127.0.0.1:1", "--token", TOKEN], "never as itself"),
        (["--url", "http://127.0.0.1:1", "--token", "env:NO_SUCH"], "no such variable"),
        (["--url", "http://127.0.0.1:1", "--spool", "sqlite:///x"], "either --url or --spool"),
        (["--spool", "sqlite:///no/such/spool.db"], "there is no spool no/such/spool.db"),
        (["--spool", "mysql://u:hunter2@h/x"], "the spool's URL must be sqlite:///PATH"),
        (["--spool", "@NO_SUCH"], "the environment has no NO_SUCH"),
    ],
)
async def test_where_nobody_answers_is_told_in_a_sentence(where: list[str], words: str) -> None:
    """Exit status 1, and no secret."""
    done = await relay("stats", *where, TOKEN_OF_A_TEST=TOKEN)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert words in done.output
    assert TOKEN not in done.output
    assert "hunter2" not in done.output


async def test_a_relay_without_admin_api_and_one_with_another_token(tmp_path: Path) -> None:
    """Each says what is missing; the settings alone are enough where the token is in them."""
    async with admin_world(tmp_path) as there:
        url = f"http://127.0.0.1:{there.port}"
        wrong = await relay("stats", "--url", url, "--token", "env:W", W="another-token-altogether")
        assert (wrong.exit_code, "has to carry the admin token" in wrong.output) == (1, True)
        unknown = await at(there, "show", "0123")
        assert (unknown.exit_code, "nothing is known of '0123'" in unknown.output) == (1, True)
        by_settings = {"RELAY_ADMIN_TOKEN": REFERENCE, "RELAY_PORT": str(there.port), "TOKEN_OF_A_TEST": TOKEN}
        assert "adds up" in (await relay("stats", RELAY_HOST="0.0.0.0", **by_settings)).output  # noqa: S104 - as the relay has it
    (tmp_path / "other").mkdir()
    async with world(tmp_path / "other") as there:
        none = await at(there, "stats")
        assert (none.exit_code, "this relay has no admin API" in none.output) == (1, True)
