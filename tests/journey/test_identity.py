"""Which posts are one hook, from outside: what is sent and what Splunk gets.

Why the bytes do not decide: ``docs/decisions/0051-identity-is-sentrys-word.md``.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.journey.relay_world import LEGACY_KEY, SHARED, World, comment, post, world

ACME = "/sentry/acme"
LEGACY = f"/sentry/acme/legacy/{LEGACY_KEY}"
PAYLOADS = Path(__file__).parents[1] / "fixtures/payloads"
RESOURCE = {"Sentry-Hook-Resource": "issue"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """A relay."""
    async with world(tmp_path) as running:
        yield running


def issue(status: str) -> bytes:
    """An issue of which nothing but the state was changed: each time it has that state, the bytes are the same."""
    data = {"issue": {"id": "42", "shortId": "BROT-Q", "title": "TypeError", "status": status, "count": "7"}}
    return json.dumps({"action": status, "installation": {"uuid": "u"}, "data": data}).encode()


@contextmanager
def slow_disk(here: World) -> Iterator[None]:
    """Nothing is written while this lasts: somebody else has the file."""
    with closing(sqlite3.connect(here.folder / "spool.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def hang_up(here: World, raw: bytes) -> None:
    """Post, and close the connection before there is an answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(raw)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def delivered(here: World, count: int) -> list[dict[str, Any]]:
    """So many hec_events, and no more once another hook has followed them through."""
    await here.post(ACME, comment(999), headers={"Idempotency-Key": "last"})
    landed = await here.landed(count + 1)
    return [each for each in landed if each["event"]["resource"] != "comment"][: count + 1]


@pytest.mark.parametrize("keyed", [True, False], ids=["keys", "no keys"])
async def test_an_issue_that_is_resolved_again_is_resolved_in_splunk(here: World, *, keyed: bool) -> None:
    """Resolved, unresolved, resolved: three hooks, of which the third has the bytes of the first, and says so."""
    answers = [
        await here.post(ACME, issue(status), headers=RESOURCE | ({"Idempotency-Key": f"k{n}"} if keyed else {}))
        for n, status in enumerate(("resolved", "unresolved", "resolved"))
    ]
    landed = {each["event"]["delivery_id"]: each["event"] for each in await here.landed(3)}
    ids = [each.json["delivery"] for each in answers]
    assert [landed[each]["status"] for each in ids] == ["resolved", "unresolved", "resolved"]
    assert [landed[each].get("same_body_as") for each in ids] == [None, None, ids[0]]
    accepted = here.logged("hook.accepted")
    assert [line.get("same_body_as") for line in accepted] == [None, None, ids[0]]
    assert here.relay.health is not None
    page = (await here.relay.health.metrics_page()).decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    (counted,) = [sample for sample in samples if sample.name == "relay_hooks_same_body_total"]
    assert (counted.labels, counted.value) == ({"tenant": "acme", "sender": "integration"}, 1.0)


async def test_an_alert_that_comes_three_times_is_three_alerts(here: World) -> None:
    """GlitchTip says nothing else when a monitor goes down again."""
    body = (PAYLOADS / "glitchtip.triggered.typical.json").read_bytes()
    ids = [(await here.post(LEGACY, body, secret=None)).json["delivery"] for _ in range(3)]
    landed = {each["event"]["delivery_id"]: each["event"] for each in await here.landed(3)}
    assert len(set(ids)) == 3
    assert [landed[each].get("same_body_as") for each in ids] == [None, ids[0], ids[0]]


async def test_the_same_key_is_one_hook_and_two_keys_are_two(here: World) -> None:
    """Whatever the bytes: Sentry's retry may count one event more, and its next hook may count the same."""
    first = await here.post(ACME, issue("resolved"), headers={"Idempotency-Key": "k1"})
    again = await here.post(ACME, issue("resolved"), headers={"Idempotency-Key": "k1"})
    changed = await here.post(ACME, issue("ignored"), headers={"Idempotency-Key": "k1"})
    other = await here.post(ACME, issue("resolved"), headers={"Idempotency-Key": "k2"})
    assert {each.status for each in (first, again, changed, other)} == {202}
    assert first.json == again.json == changed.json != other.json
    assert len(await delivered(here, 2)) == 2
    assert len(here.logged("hook.repeated")) == 2


async def test_doors_share_no_keys(here: World) -> None:
    """Whoever knows a legacy key of a tenant cannot have its signed hooks taken for repeats."""
    key = {"Idempotency-Key": "k"}
    answers = [
        await here.post(LEGACY, b'{"message":"unsigned"}', secret=None, headers=key),
        await here.post(ACME, issue("resolved"), headers=key),
        await here.post("/sentry", comment(), secret=SHARED, headers=key),
    ]
    assert len({each.json["delivery"] for each in answers}) == 3
    await here.landed(3)


async def test_what_comes_again_because_nobody_waited_for_the_answer_is_one_hook(here: World) -> None:
    """The connection was gone before the answer: the same bytes without a key are Sentry's retry, once."""
    raw = post(ACME, issue("resolved"), headers=RESOURCE)
    with slow_disk(here):
        await hang_up(here, raw)
        retry = asyncio.create_task(here.post(ACME, issue("resolved"), headers=RESOURCE))  # at once, beside the first
        await asyncio.sleep(0.05)
    retried = await retry
    again = await here.post(ACME, issue("resolved"), headers=RESOURCE)
    assert again.json != retried.json
    landed = {each["event"]["delivery_id"]: each["event"] for each in await delivered(here, 2)}
    assert [landed[each.json["delivery"]].get("same_body_as") for each in (retried, again)] == [
        None,
        retried.json["delivery"],
    ]


async def test_a_large_hook_whose_sender_has_gone_is_one_with_its_resend(here: World) -> None:
    """A body beyond what the server reads ahead does not hide that."""
    large = json.dumps({"action": "resolved", "data": {"issue": {"id": "1", "culprit": "x" * 500_000}}}).encode()
    with slow_disk(here):
        await hang_up(here, post(ACME, large, headers=RESOURCE))
        await asyncio.sleep(0.1)  # the relay reads on
    await until(lambda: bool(here.logged("hook.accepted")))
    await here.post(ACME, large, headers=RESOURCE)
    assert len(await delivered(here, 1)) == 1


async def test_what_comes_again_after_it_was_stored_too_late_is_one_hook(here: World) -> None:
    """A slow disk: answered 500 within Sentry's second, stored after it. What follows the retry is another hook."""
    with slow_disk(here):
        assert (await here.post(ACME, issue("resolved"), headers=RESOURCE)).json == {"error": "not_stored"}
    (landed,) = await here.landed(1)
    retry, other = [await here.post(ACME, issue("resolved"), headers=RESOURCE) for _ in range(2)]
    assert landed["event"]["delivery_id"] == retry.json["delivery"] != other.json["delivery"]
    assert len(await delivered(here, 2)) == 2


async def test_a_captured_hook_that_is_sent_again_is_delivered_marked_and_counted(here: World) -> None:
    """Under another key it cannot be told from a hook with the same bytes; it can be seen."""
    first = await here.post(ACME, issue("resolved"), headers=RESOURCE | {"Idempotency-Key": "k"})
    for number in range(5):
        await here.post(ACME, issue("resolved"), headers=RESOURCE | {"Idempotency-Key": f"made-up-{number}"})
    events = [each["event"] for each in await here.landed(6)]
    assert [each.get("same_body_as") for each in events].count(first.json["delivery"]) == 5
