"""The admin API over real HTTP: dead letters are found, explained, redelivered, discarded; and kept from others."""

import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.admin.api import ROUTES
from app.admin.tries import AT_ONCE_MAX as WRONG_AT_ONCE_MAX
from app.errors import ADMIN_STATUSES, admin_code
from app.model import Cause
from tests.contract.test_spool_postgres import until
from tests.journey.admin_world import TOKEN, admin_world, ask, bury, change, found
from tests.journey.relay_world import FILES, INSTALLATION, SHARED, TENANTS, World, comment, world
from tests.soon import soon

ROOT = Path(__file__).parents[2]
WRONG = {"Authorization": "Bearer a-token-that-is-not-right"}


async def test_a_dead_letter_is_found_explained_and_redelivered_with_its_id(tmp_path: Path) -> None:
    """From the refusal to the arrival, and the whole life in the answer."""
    async with admin_world(tmp_path) as there:
        (delivery_id,) = await bury(there, 1)
        (dead,) = await found(there, ("state", "dead"), ("tenant", "acme"), ("cause", "rejected"), ("since", "1h"))
        assert dead["delivery_id"] == delivery_id
        assert (dead["must_act"], dead["attempts"], dead["verified_with"]) == ("payload", 1, "file:acme_secret")
        assert "HTTP 400, code 6" in dead["fault"]

        done = await change(there, "redeliver", seqs=[dead["seq"]])
        assert (done.status, done.json["changed"]) == (200, 1)
        (landed,) = await there.landed(1)
        assert landed["fields"]["relay_delivery_id"] == delivery_id

        await until(lambda: bool(there.splunk.indexed))
        life = await settled(there, delivery_id)
        assert life["state"] == "delivered"
        assert [each["answer"] for each in life["tried"]] == [dead["fault"], "success (HTTP 200, code 0)"]
        assert (life["attempts"], life["received_at"]) == (2, dead["received_at"])


async def settled(there: World, delivery_id: str) -> dict[str, Any]:
    """The life of a delivery once it is written that it has ended."""
    async with asyncio.timeout(60):
        while True:
            (life,) = (await ask(there, f"deliveries/{delivery_id}")).json["lives"]
            if life["state"] not in ("waiting", "dead"):
                return dict(life)
            await asyncio.sleep(0.02)


async def test_discarding_removes_for_good_and_the_audit_has_it(tmp_path: Path) -> None:
    """Counted, kept in the history, and written down with actor and reason; a rehearsal changes nothing."""
    async with admin_world(tmp_path) as there:
        ids = await bury(there, 1, 2)
        search = {"tenant": "acme", "cause": "rejected"}
        rehearsed = await change(there, "discard", search=search, dry_run=True)
        assert rehearsed.json == {
            "action": "discard",
            "dry_run": True,
            "matched": 2,
            "changed": 0,
            "next": None,
            "dead": [{"tenant": "acme", "destination": "main", "cause": "rejected", "must_act": "payload", "count": 2}],
            "delivery_ids": ids[::-1],
        }
        assert len(await found(there, ("state", "dead"))) == 2

        done = await change(there, "discard", search=search, reason="test data, Ada says")
        assert (done.json["matched"], done.json["changed"]) == (2, 2)
        assert not await found(there, ("state", "dead"))
        assert {each["state"] for each in await found(there)} == {"discarded"}
        (entry,) = (await ask(there, "audit")).json["entries"]
        assert (entry["action"], entry["actor"], entry["reason"]) == ("discard", "ada", "test data, Ada says")
        assert (entry["count"], sorted(entry["delivery_ids"])) == (2, sorted(ids))
        books = (await ask(there, "stats")).json
        (acme,) = (each for each in books["streams"] if each["tenant"] == "acme")
        assert (acme["accepted"], acme["discarded"], acme["dead"], acme["adds_up"]) == (2, 2, 0, True)
        assert there.logged("deliveries.changed")[0]["deliveries"] == 2


async def test_a_search_is_read_page_by_page_and_changed_call_by_call(tmp_path: Path) -> None:
    """``next`` leads to the following one, and nothing is met twice."""
    async with admin_world(tmp_path) as there:
        ids = await bury(there, *range(5))
        pages, before = [], ""
        while True:
            page = (await ask(there, "deliveries", [("limit", "2"), *([("before", before)] if before else [])])).json
            pages += [each["delivery_id"] for each in page["deliveries"]]
            if page["next"] is None:
                break
            before = str(page["next"])
        assert pages == ids[::-1]

        there.splunk.always(None)
        changed, cursor = 0, None
        while True:
            answer = await change(there, "redeliver", search={}, all=True, limit=2, before=cursor, per_s=100)
            changed += answer.json["changed"]
            cursor = answer.json["next"]
            if cursor is None:
                break
        assert changed == 5
        assert {each["fields"]["relay_delivery_id"] for each in await there.landed(5)} == set(ids)
        assert len((await ask(there, "audit", [("limit", "2")])).json["entries"]) == 2


async def test_numbers_are_changed_only_as_far_as_they_are_dead_letters(tmp_path: Path) -> None:
    """What was redelivered or never existed is left alone; a rehearsal tells the same."""
    async with admin_world(tmp_path) as there:
        await bury(there, 1, 2)
        seqs = [each["seq"] for each in await found(there)]
        assert (await change(there, "discard", seqs=seqs[:1])).json["changed"] == 1
        rehearsed = (await change(there, "discard", seqs=[*seqs, 10**9], dry_run=True)).json
        assert (rehearsed["matched"], rehearsed["changed"]) == (1, 0)
        assert (await change(there, "discard", seqs=[*seqs, 10**9], actor="")).json["changed"] == 1
        actors = [each["actor"] for each in (await ask(there, "audit")).json["entries"]]
        assert actors == ["admin API", "ada"]


async def test_parked_hooks_are_shown_with_their_installation(tmp_path: Path) -> None:
    """Nobody's tenant is the empty one."""
    async with admin_world(tmp_path) as there:
        stranger = "00000000-90aa-4a5f-8c21-3f6f0d1e7a42"
        await there.post("/sentry", comment(1, installation=stranger), secret=SHARED)
        await there.post("/sentry", comment(2, installation=INSTALLATION), secret=SHARED)
        (parked,) = await found(there, ("tenant", ""))
        assert (parked["state"], parked["installation"], parked["must_act"]) == (
            "parked",
            stranger,
            "tenant configuration",
        )


async def test_without_an_admin_token_the_paths_do_not_exist(tmp_path: Path) -> None:
    """They answer byte for byte as one that never did."""
    async with world(tmp_path) as there:
        unknown = await ask(there, "x")
        wanted = await there.send(b"GET /nowhere HTTP/1.1\r\nHost: relay\r\n\r\n")
        assert wanted is not None
        for path, method in ROUTES.items():
            answer = await ask(there, path.removeprefix("/admin/api/").removeprefix("/admin"), method=method)
            assert (answer.status, answer.body) == (404, b'{"error":"not_found"}') == (wanted.status, wanted.body)
            assert answer.headers.keys() == wanted.headers.keys() == unknown.headers.keys()


async def test_without_the_right_token_nothing_is_answered_but_that(tmp_path: Path) -> None:
    """Not even whether the path exists; the log says who tried and never what."""
    wrong = [WRONG, {"Authorization": ""}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}]
    async with admin_world(tmp_path) as there:
        paths = ("stats", "nowhere")
        answers = await asyncio.gather(*(ask(there, path, headers=headers) for headers in wrong for path in paths))
        for answer in answers:
            assert (answer.status, answer.json["error"]) == (401, "bad_admin_token")
            assert answer.headers["www-authenticate"] == "Bearer"
        lines = there.logged("admin.refused")
        assert sum(line["tries"] for line in lines) == len(answers)
        assert lines[0]["client"] == "127.0.0.1"
        assert TOKEN not in str(there.logs)
        assert "not-right" not in str(there.logs)


async def test_a_flood_of_wrong_tokens_does_not_hold_up_the_right_one(tmp_path: Path) -> None:
    """The wrong ones wait or are refused; the operator's answer comes at once, and the log stays short."""
    async with admin_world(tmp_path) as there:
        flood = [asyncio.create_task(ask(there, "stats", headers=WRONG)) for _ in range(3 * WRONG_AT_ONCE_MAX)]
        await until(lambda: sum(task.done() for task in flood) >= 2 * WRONG_AT_ONCE_MAX)
        assert (await soon(ask(there, "stats"), 0.5)).status == 200
        statuses = [answer.status for answer in await asyncio.gather(*flood)]
        assert Counter(statuses) == {401: WRONG_AT_ONCE_MAX, 429: 2 * WRONG_AT_ONCE_MAX}
        lines = there.logged("admin.refused")
        assert len(lines) == WRONG_AT_ONCE_MAX
        assert sum(line["tries"] for line in lines) == len(flood)
        page = await there.send(b"GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n")
        assert page is not None
        assert b'relay_admin_refused_total{code="bad_admin_token"} 10.0\n' in page.body
        assert b'relay_admin_refused_total{code="too_many_tries"} 20.0\n' in page.body


async def logged_meanwhile(there: World, event: str) -> bool:
    """Whether it was logged by the time of another request."""
    await ask(there, "stats")
    return bool(there.logged(event))


async def test_a_changed_token_file_is_in_force_without_a_restart(tmp_path: Path) -> None:
    """One that will not do leaves the last good one in force, and the log says so."""
    async with admin_world(tmp_path) as there:
        (tmp_path / "admin_token").write_text("short")
        fresh = {"Authorization": "Bearer another-admin-token-of-a-test"}
        await until(lambda: logged_meanwhile(there, "secret.unresolved"))
        assert (await ask(there, "stats")).status == 200
        (tmp_path / "admin_token").write_text(fresh["Authorization"].removeprefix("Bearer ") + "\n")
        await until(lambda: logged_meanwhile(there, "secrets.rotated"))
        assert (await ask(there, "stats", headers=fresh)).status == 200
        assert (await ask(there, "stats")).status == 401
        assert "short" not in str(there.logged("secret.unresolved")).replace("shorter", "")


@pytest.mark.parametrize(("token", "words"), [("fifteen-bytes-x", "at least 16 bytes"), ("", "no such variable")])
def test_a_token_that_will_not_do_stops_the_start(token: str, words: str, tmp_path: Path) -> None:
    """In words, without the token."""
    for name, value in FILES.items():
        (tmp_path / name).write_text(value)
    (tmp_path / "tenants.yaml").write_text(TENANTS.format(splunk="http://127.0.0.1:1", installation=INSTALLATION))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    environ |= {"RELAY_ADMIN_TOKEN": "env:TOKEN_OF_A_TEST", "RELAY_PORT": "0", "PYTHONPATH": str(ROOT)}
    environ |= {"TOKEN_OF_A_TEST": token} if token else {}
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve"], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "relay cannot start: RELAY_ADMIN_TOKEN: env:TOKEN_OF_A_TEST: " in done.stderr
    assert words in done.stderr
    assert "fifteen" not in done.stderr + done.stdout


JSON = {"Content-Type": "application/json"}
REFUSED = [
    ("GET", "deliveries/0123", {}, b"", "unknown_delivery"),
    ("GET", "deliveries/%2e%2e", {}, b"", "unknown_delivery"),
    ("GET", "nowhere", {}, b"", "not_found"),
    ("GET", "deliveries/0123/x", {}, b"", "not_found"),
    ("POST", "deliveries", {}, b"", "method_not_allowed"),
    ("GET", "deliveries/redeliver", {}, b"", "method_not_allowed"),
    ("DELETE", "audit", {}, b"", "method_not_allowed"),
    ("GET", "deliveries?state=lost", {}, b"", "bad_query"),
    ("GET", "audit?limit=x", {}, b"", "bad_query"),
    ("POST", "deliveries/redeliver", {}, b"{}", "not_json"),
    ("POST", "deliveries/redeliver", {"Content-Type": "application/x-www-form-urlencoded"}, b"{}", "not_json"),
    ("POST", "deliveries/redeliver", JSON, b"{", "bad_change"),
    ("POST", "deliveries/redeliver", JSON, b'{"seqs":[1]}', "bad_change"),
    ("POST", "deliveries/discard", JSON, b" " * 65_537, "body_too_large"),
    ("POST", "deliveries/discard", JSON | {"X-Relay-Actor": "a\u202e"}, b'{"seqs":[1],"reason":"r"}', "bad_change"),
]


async def test_every_refusal_has_one_code_word(tmp_path: Path) -> None:
    """And words and its status; nothing of it may be cached, and nothing redirects."""
    async with admin_world(tmp_path) as there:
        for method, path, headers, body, code in REFUSED:
            answer = await ask(there, path, method=method, headers=headers, body=body)
            assert (answer.json["error"], answer.status) == (code, ADMIN_STATUSES[admin_code(code)]), path
            assert answer.json["words"]
            assert answer.headers["cache-control"] == "no-store"
            assert "location" not in answer.headers
        assert (await ask(there, "deliveries/")).status == 200


async def test_nothing_secret_leaves(tmp_path: Path) -> None:
    """No payload, no secret, no hec_token in any answer, however a secret came into the payload."""
    async with admin_world(tmp_path) as there:
        there.splunk.always(None)
        secret = b'{"action":"created","data":{"password":"hunter2-in-a-payload","note":"acme-client-secret"}}'
        answer = await there.post("/sentry/acme", secret)
        await there.landed(1)
        await bury(there, 1, 2)
        await change(there, "redeliver", search={"tenant": "acme"}, dry_run=True)
        answers = [await ask(there, path) for path in ("deliveries", "audit", "stats")]
        answers.append(await ask(there, f"deliveries/{answer.json['delivery']}"))
        answers += [await change(there, "discard", search={"tenant": "acme"})]
        answers.append(await ask(there, "deliveries"))
        said = b"".join(each.body + str(each.headers).encode() for each in answers).decode()
        values = FILES | {"admin": TOKEN, "payload": "hunter2", "note": "note 1"}
        assert not [name for name, text in values.items() if re.search(rf"(?<![\w-]){text}(?![\w-])", said)]
        assert "file:acme_secret" in said


async def test_every_cause_may_be_searched_for(tmp_path: Path) -> None:
    """Also where there is none of it."""
    async with admin_world(tmp_path) as there:
        assert not await found(there, *(("cause", each.value) for each in Cause))
