"""A whole relay for a test: real HTTP on both sides, a spool on disk, a tenants file."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from structlog.testing import capture_logs

from app.main import Relay, Role, create_app, server_limits_of
from app.sandbox.splunk import HecToken, StandInSplunk
from app.server.listener import Door, Listener
from app.settings import load_settings

SECRET = "acme-client-secret"
PREVIOUS = "acme-previous-secret"
SHARED = "shared-client-secret"
OTHER = "client-secret-of-another-integration"
LEGACY_KEY = "legacy-key-of-acme-1234"
INSTALLATION = "5b7d1f3e-90aa-4a5f-8c21-3f6f0d1e7a42"
TENANTS = """
tenants:
  acme:
    sentry:
      client_secrets: [file:acme_secret, file:acme_previous]
      legacy_keys: [file:acme_legacy]
    splunk:
      - {{name: main, url: "{splunk}", hec_token: file:acme_hec_token, index: sentry}}
  globex:
    sentry:
      installations: [{installation}]
      shared_integration: public
    splunk:
      - {{name: main, url: "{splunk}", hec_token: file:globex_hec_token, index: globex}}
shared_integrations:
  - {{name: public, client_secrets: [file:shared_secret]}}
  - {{name: other, client_secrets: [file:other_secret]}}
"""
FILES = {
    "acme_secret": SECRET,
    "acme_previous": PREVIOUS,
    "acme_legacy": LEGACY_KEY,
    "acme_hec_token": "acme-hec",
    "globex_hec_token": "globex-hec",
    "shared_secret": SHARED,
    "other_secret": OTHER,
}


@dataclass
class Answered:
    """An answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass
class World:
    """What a test turns and looks at."""

    folder: Path
    port: int
    splunk: StandInSplunk
    relay: Relay
    logs: list[Any]

    async def send(self, raw: bytes, *, half_close: bool = False) -> Answered | None:
        """Bytes on a connection of their own; the answer, or ``None`` if the relay closed without one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            if half_close:
                writer.write_eof()
            return await read_answer(reader)
        finally:
            writer.close()

    async def post(
        self, path: str, body: bytes, *, secret: str | None = SECRET, headers: dict[str, str] | None = None
    ) -> Answered:
        """A POST, signed with ``secret`` unless that is ``None``."""
        answer = await self.send(post(path, body, secret=secret, headers=headers))
        assert answer is not None
        return answer

    async def landed(self, count: int) -> list[dict[str, Any]]:
        """The envelopes of the first ``count`` hec_events that Splunk indexed."""
        return [orjson.loads(each.raw) for each in await self.splunk.wait_for(count, timeout_s=60)]

    def logged(self, event: str) -> list[Any]:
        """The log lines of that event."""
        return [line for line in self.logs if line["event"] == event]

    async def refusal(self) -> Any:
        """The first line of a refusal, once it is written: a hint takes a moment."""
        async with asyncio.timeout(60):
            while not self.logged("request.refused"):
                await asyncio.sleep(0.005)
        return self.logged("request.refused")[0]


async def read_answer(reader: asyncio.StreamReader) -> Answered | None:
    """One answer, if it ever comes."""
    async with asyncio.timeout(60):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        status_line, *lines = head.decode().rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Answered(int(status_line.split()[1]), headers, body)


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What still comes on a connection that the relay closes, gently or not."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def signature(body: bytes, secret: str = SECRET) -> str:
    """As Sentry signs."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def post(path: str, body: bytes, *, secret: str | None = SECRET, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a POST."""
    lines = {"Host": "relay", "Content-Type": "application/json", "Content-Length": str(len(body))}
    if secret is not None:
        lines["Sentry-Hook-Signature"] = signature(body, secret)
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def comment(number: int = 1, *, installation: str = INSTALLATION) -> bytes:
    """The body of a small hook."""
    return json.dumps(
        {
            "action": "created",
            "installation": {"uuid": installation},
            "data": {
                "comment": f"note {number}",
                "comment_id": number,
                "issue_id": 7,
                "project_slug": "checkout",
                "timestamp": "2026-03-02T21:51:44.118160Z",
            },
            "actor": {"type": "user", "id": 1, "name": "Ada"},
        },
        separators=(",", ":"),
    ).encode()


@asynccontextmanager
async def world(folder: Path, *, role: Role = "all", **changes: str) -> AsyncIterator[World]:
    """Start everything; ``changes`` are settings without their prefix."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    async with StandInSplunk([HecToken("acme-hec"), HecToken("globex-hec")]) as splunk:
        tenants = folder / "tenants.yaml"
        tenants.write_text(TENANTS.format(splunk=splunk.url, installation=INSTALLATION))
        environ = {
            "TENANTS_FILE": str(tenants),
            "SPOOL_URL": f"sqlite:///{folder / 'spool.db'}",
            "LINGER_S": "0.01",
            "TENANTS_POLL_S": "0.05",
            "BODY_DEADLINE_S": "1",
            "RETRY_BASE_S": "0.02",
            "RETRY_MAX_S": "0.1",
        } | changes
        settings = load_settings({f"RELAY_{name}": value for name, value in environ.items()})
        with capture_logs() as lines:
            relay = create_app(settings, role=role)
            door = Door(application=relay, host="127.0.0.1", port=0, limits=server_limits_of(settings), setting="")
            server = Listener(door, refused=relay.refused)
            serving = asyncio.create_task(server.serve())
            try:
                yield World(folder, await server.port, splunk, relay, lines)
            finally:  # also after a test that fails: a relay whose tasks just vanish ends the process
                server.should_exit = True
                await serving
