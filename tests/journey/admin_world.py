"""What the tests of the operator's side share: an admin token, requests with it, dead letters on demand."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
from click.testing import CliRunner, Result

from app.__main__ import main
from app.main import Role
from app.sandbox.splunk import Fault
from tests.contract.test_spool_postgres import until
from tests.journey.relay_world import Answered, World, comment, world

TOKEN = "an-admin-token-of-a-test"
REFUSE = Fault.code(6)
"""Splunk refuses the hec_event for its content."""


@asynccontextmanager
async def admin_world(folder: Path, *, role: Role = "all", **changes: str) -> AsyncIterator[World]:
    """A relay with an admin API; ``changes`` as of ``world``."""
    (folder / "admin_token").write_text(TOKEN)
    async with world(folder, role=role, ADMIN_TOKEN=f"file:{folder / 'admin_token'}", **changes) as there:
        yield there


async def ask(
    there: World,
    path: str,
    query: list[tuple[str, str]] | None = None,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Answered:
    """One request below /admin/api (to /admin itself without a path), with the right token unless told otherwise."""
    lines = {"Host": "relay", "Authorization": f"Bearer {TOKEN}", "Content-Length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    target = (f"/admin/api/{path}" if path else "/admin") + (f"?{urlencode(query)}" if query else "")
    answer = await there.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
    assert answer is not None
    return answer


async def change(there: World, action: str, *, actor: str = "ada", **body: Any) -> Answered:
    """A change of dead letters."""
    headers = {"Content-Type": "application/json", "X-Relay-Actor": actor}
    raw = json.dumps({"reason": "a test"} | body).encode()
    return await ask(there, f"deliveries/{action}", method="POST", body=raw, headers=headers)


async def found(there: World, *query: tuple[str, str]) -> list[dict[str, Any]]:
    """The deliveries that a search finds."""
    answer = await ask(there, "deliveries", list(query))
    assert answer.status == 200, answer.body
    deliveries: list[dict[str, Any]] = answer.json["deliveries"]
    return deliveries


async def bury(there: World, *numbers: int) -> list[str]:
    """Hooks that Splunk refuses, each posted alone; the ids of the dead letters that they become."""
    there.splunk.always(REFUSE)
    ids: list[str] = []
    for number in numbers:
        answer = await there.post("/sentry/acme", comment(number))
        assert answer.status == 202
        ids.append(answer.json["delivery"])
        await until(lambda: _is_dead(there, ids[-1]))
    there.splunk.always(None)
    return ids


async def bury_over_socket(there: World, spool: str, *numbers: int) -> list[str]:
    """As ``bury``, for a relay without an admin token: its state is asked for through its socket."""
    there.splunk.always(REFUSE)
    ids = [(await there.post("/sentry/acme", comment(number))).json["delivery"] for number in numbers]

    async def dead() -> bool:
        listed = await relay("list", "--json", RELAY_SPOOL_URL=spool)
        return len(json.loads(listed.output)["deliveries"]) == len(ids)

    await until(dead)
    there.splunk.always(None)
    return ids


async def _is_dead(there: World, delivery_id: str) -> bool:
    return bool(await found(there, ("id", delivery_id), ("state", "dead")))


async def relay(*words: str, **environ: str) -> Result:
    """``relay deliveries``, on a thread: it has an event loop of its own."""

    def run() -> Result:
        return CliRunner().invoke(main, ["deliveries", *words], env=environ)

    return await anyio.to_thread.run_sync(run)
