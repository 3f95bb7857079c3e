"""Secrets in every corner of every hook: none is on the wire to Splunk, in a log line, a metric or an answer."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.goldens import NAMES, PAYLOADS, SENDERS
from tests.journey.relay_world import LEGACY_KEY, SECRET, World, world

PLANTED = "Zq9planted7secret5"
PERSON = {"id": "u-1", "email": "ada.planted@person.example", "ip_address": "198.51.100.77"}
PERSONAL = ("ada.planted", "198.51.100.77", "planted%40")
TEXT = (
    f"https://user:{PLANTED}@host.example/?token={PLANTED}&to=ada.planted%40person.example, ADA.planted@person.example"
)
CORNERS: dict[str, Any] = {
    "password": PLANTED,
    "api_key": [PLANTED],
    "cookies": [["sessionid", PLANTED]],
    "headers": [["Authorization", f"Bearer {PLANTED}"], ["X-Forwarded-For", PERSON["ip_address"]], ["Cookie", PLANTED]],
    "settings": [{"name": "client_secret", "value": PLANTED}],
    "installUrl": f"https://builds.example/{PLANTED}",
    "inner": {"installation": {"code": PLANTED}, "env": {"REMOTE_ADDR": PERSON["ip_address"]}},
    "curl": f"curl -H 'Authorization: Basic {PLANTED}' -H 'X-Api-Key: {PLANTED}'",
    "sent": json.dumps({"secret": PLANTED, "list": [{"name": "token", "value": PLANTED}], "email": PERSON["email"]}),
    "contact_email": PERSON["email"],
}


def _planted(value: Any, depth: int = 0) -> Any:
    """A copy with a secret in every object, every list of pairs and every text of any length."""
    if isinstance(value, dict):
        filled = {key: _planted(each, depth + 1) for key, each in value.items()}
        if "ip_address" in filled or "geo" in filled:
            filled |= PERSON
        return filled | {key: each for key, each in CORNERS.items() if key not in filled}
    if isinstance(value, list):
        pairs = [["auth_token", PLANTED], ["user.email", PERSON["email"]], ["client_ip", PERSON["ip_address"]]]
        filled_list = [_planted(each, depth + 1) for each in value]
        return filled_list + (pairs if value and isinstance(value[0], list) else [])
    return f"{value} {TEXT}" if isinstance(value, str) and " " in value else value


def _bodies() -> Iterator[tuple[str, bytes]]:
    for name in NAMES:
        if name.endswith(".worst"):
            continue
        body = json.loads((PAYLOADS / f"{name}.json").read_text())
        event = (body.get("data") or {}).get("error") or (body.get("data") or {}).get("event") or body.get("event")
        if isinstance(event, dict):
            event["user"] = PERSON
        whole = json.dumps(_planted(body)).encode()
        yield name, whole
        yield name, whole[: len(whole) * 2 // 3]


def _request(name: str, body: bytes) -> tuple[str, str | None, dict[str, str]]:
    resource = name.partition(".")[0]
    if SENDERS.get(resource) == "legacy":
        return f"/sentry/acme/legacy/{LEGACY_KEY}", None, {}
    return "/sentry/acme", SECRET, {"Sentry-Hook-Resource": resource}


def _set_detail(here: World, detail: str) -> None:
    file = here.folder / "tenants.yaml"
    text = file.read_text().replace(
        "  acme:\n", f"  acme:\n    detail: {detail}\n    privacy: {{mask: ['masked-[a-z]+']}}\n"
    )
    file.write_text(text)


async def _until_reloaded(here: World) -> None:
    async with asyncio.timeout(60):
        while not here.logged("tenants.reloaded"):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("detail", ["summary", "full"])
async def test_no_planted_secret_leaves(tmp_path: Path, detail: str) -> None:
    """Every resource, whole and broken off, signed, unsigned and behind a key."""
    async with world(tmp_path) as here:
        _set_detail(here, detail)
        await _until_reloaded(here)
        answers: list[bytes] = []
        count = 0
        for name, body in _bodies():
            path, secret, headers = _request(name, body)
            answer = await here.post(path, body, secret=secret, headers=headers)
            assert answer.status == 202, name
            refused = await here.post(f"/sentry/acme/legacy/{PLANTED}", body, secret=None)
            badly_signed = await here.post("/sentry/acme", body, secret=PLANTED, headers={"Cookie": PLANTED})
            assert (refused.status, badly_signed.status) == (404, 401)
            answers += [answer.body, refused.body, badly_signed.body]
            count += 1
        landed = await here.splunk.wait_for(count, timeout_s=60)
        for path in ("/livez", "/readyz", "/version", "/metrics", f"/sentry/{PLANTED}", f"/nothing/{PLANTED}"):
            seen = await here.send(
                f"GET {path}?token={PLANTED} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n".encode()
            )
            assert seen is not None
            answers.append(seen.body)
        wire = [each.raw for each in landed]
        logs = json.dumps([line for line in here.logs if line.get("path") != f"/sentry/{PLANTED}"], default=str)
        assert [each for each in wire if PLANTED.encode() in each] == []
        assert [each for each in answers if PLANTED.encode() in each] == []
        assert PLANTED not in logs.replace(f"/sentry/{PLANTED}", "").replace(f'"tenant": "{PLANTED}"', "")
        for secret in (SECRET, LEGACY_KEY, "acme-hec"):
            assert secret not in logs
            assert not any(secret.encode() in each for each in (*wire, *answers))
        # Only where the hook says who its user is can an address in plain words be known for that user's.
        about_somebody = [
            each for each in wire if re.search(rb'"resource":"(error|event_alert|legacy|service_hook)"', each)
        ]
        readable = [each.lower() for each in about_somebody if b"unreadable_payload" not in each]
        assert len(readable) > len(SENDERS)
        assert [word for word in PERSONAL for each in readable if word.encode() in each] == []
