"""The servers that are measured, each one process: ``python -m tests.bench.servers NAME FOLDER``.

``bare``   a bare ASGI application that reads the body and answers.
``floor``  the same with HMAC and the relay's own group commit to SQLite FULL.
``row``    as ``floor``, but into one plain table, one column: what no queue with dedup and books can reach.
``relay``  the relay's accepting path: tenant look-up, verification, dedup, books, log line, metrics.
``pages``  the same with ``/metrics`` and ``/readyz`` beside it, and a hook waiting in each of ten thousand streams.
"""

import asyncio
import gc
import hmac
import os
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI

from app import logs
from app.asgi import Application, Receive, Scope, Send
from app.health import Delivering, Health, add_routes
from app.ingest.accept import Ingest, IngestLimits
from app.ingest.body import read_body
from app.metrics import Metrics
from app.model import Hook, Secret, SpoolLimits, Stream
from app.server.limits import ServerLimits
from app.server.listener import Door, Listener
from app.spool.sqlite.file import PAGE_BYTES, connect
from app.spool.sqlite.spool import SqliteSpool
from app.spool.sqlite.writer import GroupCommit
from app.tenants.model import Snapshot, Tenant
from tests.bench.load import SECRET

TENANTS = 10_000
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read and answer."""
    await read_body(receive, bytes_max=10_000_000)
    await _answer(send)


class _Rows:
    """The least that can be stored: the payload."""

    def __call__(self, connection: sqlite3.Connection, items: Sequence[bytes], /) -> Sequence[None]:
        marks = ", ".join(["(?)"] * len(items))
        connection.execute(f"INSERT INTO payloads (payload) VALUES {marks}", list(items))  # noqa: S608 - marks only
        return [None] * len(items)

    problem = remark = None

    def opening(self, connection: sqlite3.Connection, items: Sequence[bytes], /) -> None: ...
    def closing(self, connection: sqlite3.Connection, /) -> None: ...
    def probe(self, connection: sqlite3.Connection, /) -> None: ...
    def committed(self) -> None: ...
    def rolled_back(self, error: Exception) -> None: ...
    def unread(self, item: object, result: object) -> None: ...


def _signed(scope: Scope, body: bytes) -> bool:
    given = next(value for name, value in scope["headers"] if name == b"sentry-hook-signature")
    return hmac.compare_digest(hmac.digest(SECRET, body, "sha256").hex().encode(), given)


def row(folder: Path) -> Application:
    """HMAC, and the group commit around one plain table."""
    path = folder / "row.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE payloads (payload BLOB)")
    commits = GroupCommit(path, lambda: connect(path), _Rows(), jobs_max=10_000, on_fatal=print)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, bytes_max=10_000_000)
        if _signed(scope, body):
            await commits.put(body)
            await _answer(send)

    return app


async def floor(folder: Path) -> Application:
    """HMAC, and the relay's own group commit: the least that durable and deduplicated accepting can cost."""
    spool = await _spool(folder)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive, bytes_max=10_000_000)
        if _signed(scope, body):
            key = blake2b(next(value for name, value in scope["headers"] if name == b"request-id"), digest_size=16)
            hook = Hook(delivery_id=key.hexdigest(), tenant="bench", key_digest=key.digest(), payload=body)
            await spool.accept(hook, ("main",))
            await _answer(send)

    return app


async def _spool(folder: Path) -> SqliteSpool:
    return await SqliteSpool.open(folder / "spool.db", hooks_max=10_000_000, bytes_max=10**12, queue_hooks_max=10_000)


@dataclass
class _Tenants:
    snapshot: Snapshot
    problem: str | None = None


async def relay(folder: Path) -> Application:
    """The accepting path as it is, with a tenants file of ten thousand."""
    return (await _relay(folder))[0]


async def pages(folder: Path) -> Application:
    """The accepting path, and the pages that are looked at meanwhile."""
    ingest, spool, known, metrics = await _relay(folder)
    for first in range(0, TENANTS, 500):
        hooks = [
            Hook(delivery_id=f"{n:032x}", tenant=f"tenant-{n}", key_digest=n.to_bytes(16, "big"), payload=b"{}")
            for n in range(first, first + 500)
        ]
        await asyncio.gather(*(spool.accept(hook, ("main",)) for hook in hooks))
        for hook in hooks:
            metrics.accepted(hook.tenant, fresh=True, seconds=0.01)
            metrics.attempted(
                Stream(hook.tenant, "main"), outcome="delivered", hec_code="0", hec_events=1, body_bytes=1, seconds=0.01
            )
    api = FastAPI(openapi_url=None)
    health = Health(
        spool=spool,
        tenants=known,
        delivering=_Quiet(),
        metrics=metrics,
        trouble=ingest.trouble,
        bounds=SpoolLimits(10_000_000, 10**12, 10**9, 86_400),
        troubles=list,
    )
    add_routes(api, health)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (ingest if scope["path"].startswith("/sentry") else api)(scope, receive, send)

    return app


class _Quiet(Delivering):
    problem = None
    trouble = None

    def states(self) -> list[str]:
        return []


async def _relay(folder: Path) -> tuple[Ingest, SqliteSpool, "_Tenants", Metrics]:
    secret = Secret("env:BENCH", SECRET)
    tenants = {
        f"tenant-{n}": Tenant(name=f"tenant-{n}", client_secrets=(secret,), destination_names=("main",))
        for n in range(TENANTS)
    }
    spool = await SqliteSpool.open(folder / "spool.db", hooks_max=10_000_000, bytes_max=10**12, queue_hooks_max=10_000)
    limits = IngestLimits(body_bytes_max=10_000_000)
    known, metrics = _Tenants(Snapshot(tenants=tenants, by_installation={})), Metrics("bench")
    return Ingest(known, spool, limits=limits, metrics=metrics), spool, known, metrics


async def main(name: str, folder: Path) -> None:
    """Serve on a free port and print it."""
    app: Application = bare
    match name:
        case "row":
            app = row(folder)
        case "floor":
            app = await floor(folder)
        case "relay":
            app = await relay(folder)
        case "pages":
            app = await pages(folder)
    logs.configure("json", "info", Path(os.devnull).open("wb"))  # noqa: ASYNC230, SIM115 - open for as long as the process
    if name in {"relay", "pages"}:
        limits = ServerLimits(connections_max=1_000, bodies_bytes_max=10**9, body_bytes_max=10_000_000)
        door = Door(application=_with_lifespan(app), host="127.0.0.1", port=0, limits=limits, setting="")
        server: uvicorn.Server = Listener(door, refused=lambda _refusal, _peer: None)
    else:
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", proxy_headers=False)
        )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    gc.collect()
    gc.freeze()
    sys.stdout.write(f"{server.servers[0].sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await serving


def _with_lifespan(app: Application) -> Application:
    async def whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})

    return whole


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
    os._exit(0)
