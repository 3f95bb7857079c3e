"""What comes in at the front: signed hooks, and everything that is not quite one."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journey.relay_world import (
    INSTALLATION,
    LEGACY_KEY,
    OTHER,
    PREVIOUS,
    SHARED,
    World,
    comment,
    post,
    read_answer,
    signature,
    until_closed,
    world,
)

ACME = "/sentry/acme"
HEAD = b"POST /sentry/acme HTTP/1.1\r\nHost: r\r\nSentry-Hook-Signature: " + b"0" * 64 + b"\r\n"
"""The beginning of a head for which a body is read."""
RESOURCE = {"Sentry-Hook-Resource": "comment", "Sentry-Hook-Timestamp": "1772487704", "Request-ID": "r" * 32}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """A relay with small limits."""
    async with world(tmp_path, BODY_BYTES_MAX="100000") as running:
        yield running


async def test_a_signed_hook_is_answered_202_and_becomes_a_hec_event(here: World) -> None:
    """The main job."""
    answer = await here.post(ACME, comment(), headers=RESOURCE)
    assert answer.status == 202
    (landed,) = await here.landed(1)
    assert answer.json == {"delivery": landed["fields"]["relay_delivery_id"]}
    assert landed["sourcetype"] == "sentry:comment"
    assert landed["index"] == "sentry"
    assert landed["time"] == 1772488304.11816
    assert landed["event"]["tenant"] == "acme"


@pytest.mark.parametrize("path", ["/sentry/acme", "/sentry/acme/"])
async def test_paths_work_with_and_without_a_trailing_slash(here: World, path: str) -> None:
    """Sentry takes a redirect for success, so there is none."""
    assert (await here.post(path, comment())).status == 202


async def test_every_secret_of_the_tenant_verifies(here: World) -> None:
    """Rotation has no overlap at Sentry: old and new both have to work here."""
    assert (await here.post(ACME, comment(1), secret=PREVIOUS)).status == 202
    assert (await here.post(ACME, comment(2))).status == 202
    lines = here.logged("hook.accepted")
    assert [line["verified_with"] for line in lines] == ["file:acme_previous", "file:acme_secret"]


async def test_a_shared_integrations_hook_finds_its_tenant_by_installation(here: World) -> None:
    """One secret, many tenants: the signed uuid decides, and the hec_token is that tenant's."""
    assert (await here.post("/sentry", comment(), secret=SHARED, headers=RESOURCE)).status == 202
    (landed,) = await here.splunk.wait_for(1)
    assert (landed.token, landed.index) == ("globex-hec", "globex")


async def test_a_hook_of_an_unclaimed_installation_waits_for_its_tenant(here: World) -> None:
    """Accepted, parked, and delivered under the same id once the tenants file names it."""
    other = "11111111-2222-4333-8444-555555555555"
    body = comment(installation=other.upper())
    key = RESOURCE | {"Idempotency-Key": "k"}
    first = await here.post("/sentry/", body, secret=SHARED, headers=key)
    assert first.status == 202
    assert here.splunk.indexed_count == 0
    assert here.relay.health is not None
    assert "parked" in " ".join((await here.relay.health.readiness()).parts["spool"].words)
    file = here.folder / "tenants.yaml"
    file.write_text(file.read_text().replace(INSTALLATION, f"{INSTALLATION}, {other}"))
    (landed,) = await here.landed(1)
    assert landed["fields"]["relay_delivery_id"] == first.json["delivery"]
    assert landed["event"]["tenant"] == "globex"
    assert (await here.post("/sentry", body, secret=SHARED, headers=key)).json == first.json


async def test_a_shared_integration_signs_only_for_its_own_installations(here: World) -> None:
    """What another integration signed in the name of an installation that is bound to this one is refused."""
    body = comment()
    assert (await here.post("/sentry", body, secret=OTHER)).status == 401
    assert here.logged("request.refused")[0]["reason"] == "other_integration"
    assert (await here.post("/sentry", body, secret=SHARED)).status == 202
    await here.landed(1)


async def test_the_same_hook_for_two_tenants_is_two_deliveries(here: World) -> None:
    """Ids are derived from tenant and key: no tenant shuts another one's hook out."""
    mine = await here.post(ACME, comment(), headers={"Idempotency-Key": "k"})
    shared = await here.post("/sentry", comment(), secret=SHARED, headers={"Idempotency-Key": "k"})
    assert mine.json != shared.json
    await here.landed(2)


def _headers(*lines: str) -> bytes:
    body = comment()
    head = "".join(f"{line}\r\n" for line in ("Host: relay", f"Content-Length: {len(body)}", *lines))
    return f"POST {ACME} HTTP/1.1\r\n{head}\r\n".encode() + body


_GOOD = signature(comment())
BAD_SIGNATURES = {
    "none": ([], "missing_header", "does not sign"),
    "resource only": (["Sentry-Hook-Resource: issue"], "missing_header", "proxy"),
    "empty": (["Sentry-Hook-Signature: "], "malformed_signature", "0 characters"),
    "wrong": ([f"Sentry-Hook-Signature: {'0' * 64}"], "no_secret_matches", "rotated"),
    "truncated": ([f"Sentry-Hook-Signature: {_GOOD[:63]}"], "malformed_signature", "63 characters"),
    "upper case": ([f"Sentry-Hook-Signature: {_GOOD.upper()}"], "malformed_signature", "upper case"),
    "two": ([f"Sentry-Hook-Signature: {_GOOD}"] * 2, "two_signatures", "more than one"),
    "not hexadecimal": (["Sentry-Hook-Signature: é" + "z" * 63], "malformed_signature", "hexadecimal"),
    "re-serialised": (
        ["Sentry-Hook-Signature: " + signature(comment() + b"\n")],
        "no_secret_matches",
        "line end",
    ),
}


@pytest.mark.parametrize("case", BAD_SIGNATURES)
async def test_a_bad_signature_is_401_and_the_log_says_what_would_help(here: World, case: str) -> None:
    """Nothing is stored; the answer tells the sender nothing, the log tells the operator what to look at."""
    lines, reason, words = BAD_SIGNATURES[case]
    answer = await here.send(_headers(*lines))
    assert answer is not None
    assert (answer.status, answer.json) == (401, {"error": "bad_signature"})
    line = await here.refusal()
    assert (line["code"], line["reason"], line["tenant"]) == ("bad_signature", reason, "acme")
    assert words in line["hint"]
    assert "acme-client-secret" not in str(here.logs)
    assert _GOOD not in str(here.logs)


async def test_a_body_that_something_wrote_again_is_told_from_a_wrong_secret(here: World) -> None:
    """The commonest mistake on the way: parse and write again."""
    written = json.dumps(json.loads(comment()), indent=1).encode()
    answer = await here.post(ACME, written, headers={"Sentry-Hook-Signature": signature(comment())})
    assert answer.status == 401
    assert "changed the body" in (await here.refusal())["hint"]


AUTHENTIC = {
    "not JSON": b"<html>no</html>",
    "empty": b"",
    "not an object": b"[1,2,3]",
    "deep": b'{"a":' * 12_000 + b"1" + b"}" * 12_000,
    "NUL": b'{"action":"created","data":{"comment_id":1,"comment":"a\\u0000b"}}',
    "lone surrogate": b'{"action":"created","data":{"comment_id":1,"comment":"a\\ud800b"}}',
    "big integers": b'{"action":"created","data":{"comment_id":%d,"issue_id":-%d}}' % (2**80, 2**200),
    "duplicate keys": b'{"action":"created","action":"deleted","data":{},"data":{"comment_id":1}}',
    "invalid UTF-8": b'{"action":"created","data":{"comment":"\xff\xfe"}}',
    "infinite": b'{"action":"created","data":{"comment_id":Infinity,"n":NaN,"m":1e999}}',
    "gzip claimed and not": b'{"action":"created"}',
    "gzip": gzip.compress(b"0" * 5_000_000),
    "types": b'{"action":[],"installation":7,"data":"x","actor":null}',
}


@pytest.mark.parametrize("case", AUTHENTIC)
async def test_what_is_authentic_is_accepted_whatever_it_contains(here: World, case: str) -> None:
    """Sentry gives most hooks one try: it is kept, and it reaches Splunk in some shape."""
    headers = {"Sentry-Hook-Resource": "comment"}
    if "gzip" in case:
        headers["Content-Encoding"] = "gzip"
    answer = await here.post(ACME, AUTHENTIC[case], headers=headers)
    assert answer.status == 202
    (landed,) = await here.landed(1)
    assert landed["fields"]["relay_delivery_id"] == answer.json["delivery"]
    assert landed["event"]["tenant"] == "acme"


async def test_an_unreadable_hook_at_the_shared_door_is_kept_for_an_operator(here: World) -> None:
    """Authentic but without an installation: parked, not refused."""
    assert (await here.post("/sentry", b"\xff", secret=SHARED)).status == 202
    assert (await here.post("/sentry", b'{"installation":{"uuid":"a\\ud800"}}', secret=SHARED)).status == 202


async def test_a_body_over_the_limit_is_413_however_its_length_is_told(here: World) -> None:
    """Said in Content-Length, found while reading chunks, or without end."""
    large = b"x" * 100_001
    assert (await here.post(ACME, large)).json == {"error": "body_too_large"}
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    answer = await here.send(chunked + chunk * 11 + b"0\r\n\r\n")
    assert answer is not None
    assert (answer.status, answer.json) == (413, {"error": "body_too_large"})
    endless = await here.send(chunked + chunk * 30)
    assert endless is not None
    assert endless.status == 413
    fits = b"x" * 100_000
    assert (await here.post(ACME, fits)).status == 202


async def test_a_body_that_does_not_come_is_408_and_a_cut_one_is_nothing(here: World) -> None:
    """A Content-Length that promises more than comes: slow at first, then gone."""
    slow = await here.send(HEAD + b"Content-Length: 50\r\n\r\nonly this")
    assert slow is not None
    assert (slow.status, slow.json) == (408, {"error": "body_too_slow"})
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(HEAD + b"Content-Length: 50\r\n\r\nonly this")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    del reader
    async with asyncio.timeout(60):
        while not [line for line in here.logged("request.refused") if line["code"] == "body_cut"]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "path",
    [
        "/sentry/nobody",
        "/sentry/ACME",
        "/sentry/acme%00",
        "/sentry/acme%2F",
        "/sentry/%61cme%2flegacy%2fx",
        "/sentry//acme",
        "/sentry/acme//",
        "/sentry/../sentry/acme",
        "/sentry/acme/legacy/wrong-key",
        "/sentry/acme/legacy/",
        "/sentry/acme/legacy/a/b",
        "/sentryacme",
        "/sentry/" + "a" * 4000,
        "/sentry/%ff%fe",
        "/nothing",
    ],
)
async def test_other_paths_are_404_and_never_redirect(here: World, path: str) -> None:
    """Tricks with slashes, escapes and names get a plain 404 (or their tenant), and nothing of a key is logged."""
    answer = await here.post(path, comment())
    assert answer.status in {404, 202} if path == "/sentry/acme%2F" else answer.status == 404
    assert "location" not in answer.headers
    assert "wrong-key" not in str(here.logs)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [ACME, "/sentry/nobody", "/sentry", "/components/options"])
async def test_a_ui_component_is_404_and_learns_nothing(here: World, method: str, path: str) -> None:
    """Its request is no webhook; what stands in its query is in no log."""
    head = f"{method} {path}?installationId=i-1&query=visible-nowhere HTTP/1.1\r\nHost: r\r\nConnection: close\r\n"
    answer = await here.send(f"{head}Content-Length: 0\r\nSentry-App-Signature: {signature(b'')}\r\n\r\n".encode())
    assert answer is not None
    assert (answer.status, answer.json) == (404, {"error": "not_found"})
    assert "visible-nowhere" not in str(here.logs)
    assert signature(b"") not in str(here.logs)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_only_post_posts(here: World, method: str) -> None:
    """Somebody opens the URL in a browser: 405, and what is allowed."""
    answer = await here.send(f"{method} {ACME} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n".encode())
    assert answer is not None
    assert (answer.status, answer.json) == (405, {"error": "method_not_allowed"})
    assert answer.headers["allow"] == "POST"


async def test_the_legacy_plugin_comes_in_by_its_key(here: World) -> None:
    """Unsigned, so the secret is in the path; it is not in the log."""
    body = json.dumps({"id": "1", "project": "checkout", "message": "boom", "event": {"event_id": "a" * 32}}).encode()
    answer = await here.post(f"{ACME}/legacy/{LEGACY_KEY}", body, secret=None)
    assert answer.status == 202
    (landed,) = await here.landed(1)
    assert landed["sourcetype"] == "sentry:legacy"
    assert LEGACY_KEY not in str(here.logs)


async def test_a_service_hook_is_verified_by_its_own_header(here: World) -> None:
    """Same HMAC, other names."""
    body = json.dumps({"project": {"slug": "checkout"}, "group": {"id": "7"}, "event": {"eventID": "a" * 32}}).encode()
    headers = {"X-ServiceHook-Signature": signature(body), "X-ServiceHook-GUID": "b" * 32}
    assert (await here.post(ACME, body, secret=None, headers=headers)).status == 202
    (landed,) = await here.landed(1)
    assert landed["sourcetype"] == "sentry:service_hook"


async def test_a_full_spool_is_500_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    """500 is what Sentry retries; Splunk comes back, the spool empties, hooks are taken again."""
    async with world(tmp_path, SPOOL_HOOKS_MAX="2") as here:
        here.splunk.set_health(18)
        for token in ("acme-hec", "globex-hec"):
            here.splunk.remove_token(token)
        assert (await here.post(ACME, comment(1))).status == 202
        assert (await here.post("/sentry", comment(2), secret=SHARED)).status == 202  # no tenant may fill it alone
        full = await here.post(ACME, comment(3))
        assert (full.status, full.json) == (500, {"error": "not_stored"})
        assert here.logged("request.refused")[0]["reason"] == "spool_full"
        assert here.relay.health is not None
        assert not (await here.relay.health.readiness()).ready


async def test_who_holds_a_connection_without_sending_makes_room_for_who_sends(tmp_path: Path) -> None:
    """Of too many, the one that has waited longest goes; a hook is never that one."""
    async with world(tmp_path, CONNECTIONS_MAX="4", BODY_DEADLINE_S="60", BODY_START_S="60") as here:
        held = []
        for _ in range(3):
            held.append(await asyncio.open_connection("127.0.0.1", here.port))
            held[-1][1].write(HEAD + b"Content-Length: 50\r\n\r\nonly this")
        answers = await asyncio.gather(*(here.post(ACME, comment(number)) for number in range(3)))
        assert [answer.status for answer in answers] == [202] * 3
        given_up = await read_answer(held[0][0])
        assert given_up is not None
        assert (given_up.status, given_up.json) == (500, {"error": "not_stored"})
        assert (await here.refusal())["reason"] == "too_many_requests"
        assert here.relay.health is not None
        assert (await here.relay.health.readiness()).ready
        for _, writer in held:
            writer.close()


async def test_who_asks_nothing_keeps_no_connection(tmp_path: Path) -> None:
    """Neither in silence nor with half of a head; what has asked may go on to ask after a while."""
    async with world(tmp_path, HEAD_DEADLINE_S="0.5") as here, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(post(ACME, comment(1)))
        first = await read_answer(reader)
        silent, quiet = await asyncio.open_connection("127.0.0.1", here.port)
        halved, half = await asyncio.open_connection("127.0.0.1", here.port)
        half.write(post(ACME, comment())[:40])
        assert await until_closed(silent) == b""
        assert await until_closed(halved) == b""
        writer.write(post(ACME, comment(2)))
        second = await read_answer(reader)
        assert [each.status for each in (first, second) if each] == [202, 202]
        for each in (writer, quiet, half):
            each.close()


async def test_bodies_that_come_too_slowly_make_room_for_others(tmp_path: Path) -> None:
    """What is announced takes no room, and what has come makes room for what comes in full."""
    async with world(tmp_path, BODIES_BYTES_MAX="40000", BODY_BYTES_MAX="30000", BODY_DEADLINE_S="60") as here:
        held = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(5)]
        for _, writer in held:
            writer.write(HEAD + b"Content-Length: 30000\r\n\r\n" + b"x" * 15_000)
            await writer.drain()
        assert (await here.post(ACME, comment().ljust(19_000))).status == 202
        given_up = await read_answer(held[0][0])
        assert given_up is not None
        assert given_up.json == {"error": "not_stored"}
        assert (await here.refusal())["reason"] == "too_many_bytes"
        for _, writer in held:
            writer.close()


async def test_health_version_and_metrics_answer_and_add_up(here: World) -> None:
    """Every part in words, and the books of the metrics page balance."""
    await here.post(ACME, comment())
    await here.landed(1)
    pages = {}
    for path in ("/livez", "/readyz", "/version", "/metrics"):
        answer = await here.send(f"GET {path} HTTP/1.1\r\nHost: r\r\n\r\n".encode())
        assert answer is not None
        assert answer.status == 200
        pages[path] = answer
    assert set(pages["/readyz"].json["parts"]) == {"accepting", "spool", "tenants", "delivery"}
    values = {}
    for line in pages["/metrics"].body.decode().splitlines():
        if line.startswith("relay_deliveries_") and 'tenant="acme"' in line and "buried" not in line:
            values[line.split("{")[0].removeprefix("relay_deliveries_").removesuffix("_total")] = float(
                line.split()[-1]
            )
    gone = sum(values[name] for name in ("delivered", "filtered", "discarded", "adopted", "waiting", "dead"))
    assert values["accepted"] == gone == 1


async def test_a_pipelining_or_lingering_client_is_served_in_order(here: World) -> None:
    """Two requests on one connection, sent at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(post(ACME, comment(1)) + post(ACME, comment(2)))
    answers = [await read_answer(reader), await read_answer(reader)]
    assert [each.status for each in answers if each] == [202, 202]
    writer.close()


async def test_garbage_on_the_port_harms_nobody(here: World) -> None:
    """Not HTTP at all: refused, and the next hook is served."""
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /sentry/acme HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", here.port)) as plain:
            plain.sendall(garbage)
    assert (await here.post(ACME, comment())).status == 202
