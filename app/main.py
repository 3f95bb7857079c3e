"""The one place where the parts are joined, and their life: what starts first stops last."""

import asyncio
import gc
import os
import platform
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal

import structlog
from fastapi import FastAPI

from app import __version__
from app.addresses import networks
from app.admin.api import PATH as ADMIN
from app.admin.api import AdminApi
from app.admin.local import local_socket
from app.admin.refused import Refused
from app.admin.serialization import iso
from app.admin.service import DeliveryService
from app.admin.token import AdminToken
from app.admin.tries import Tries
from app.asgi import Application, Receive, Scope, Send, refuse
from app.console.web import Console
from app.delivery.limits import DeliveryLimits
from app.delivery.supervisor import Supervisor
from app.errors import ConfigError, IngestRefusal, NotFound, RelayError
from app.health import Delivering, Health, add_routes
from app.ingest.accept import Ingest, IngestLimits
from app.ingest.routes import looks_like_hook
from app.metrics import Metrics
from app.model import RetentionLimits, SpoolLimits
from app.server.limits import ServerLimits
from app.settings import Settings
from app.splunk.answers import Scope as PauseScope
from app.splunk.client import HecClients, WireLimits
from app.spool.engines import admin_socket_of, is_shared, open_spool
from app.spool.interface import Spool
from app.spool.shares import Held
from app.tenants.proxies import proxy_variables
from app.tenants.registry import Registry
from app.turns import Turns
from app.verdict import Trouble

Role = Literal["all", "accept", "deliver"]
"""What a replica does of the two: several on one PostgreSQL may share them out."""

_log = structlog.get_logger()


class Relay:
    """The whole service as an ASGI application: ``/sentry…`` goes to ``ingest``, the rest to FastAPI.

    With an admin token ``/admin…`` goes to ``admin``; without one, or where the admin API has an address of its own,
    it is a path like any that does not exist.
    """

    def __init__(self, settings: Settings, *, role: Role, on_fatal: Callable[[str], None]) -> None:
        self._settings = settings
        self._role = role
        self._on_fatal = on_fatal
        self._ingest: Ingest | None = None
        self._turns = Turns()
        self._admin: Application | None = None
        self.end_at: float | None = None
        """When (the loop's seconds) whatever is under way has to have ended, once the relay was told to stop."""
        self.health: Health | None = None
        self.api = FastAPI(title="sentry-splunk-relay", version=__version__, openapi_url=None, redirect_slashes=False)
        self.fault: str | None = None
        """Why it did not start, in words."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: a request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path: str = scope["path"]
        if self._ingest is not None and path.startswith("/sentry"):
            await self._ingest(scope, receive, send)
            return
        await self._turns.turn()  # no hook waits for who only looks
        # With one trailing slash or without, and no redirect between the two.
        scope["path"] = path.removesuffix("/") or "/"
        if self._admin is not None and not self._settings.admin_address and _is_admin(scope["path"]):
            await self._admin(scope, receive, send)
        elif self._ingest is not None and looks_like_hook(scope):
            scope["path"] = path
            await self._ingest(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    async def admin_only(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: what ``RELAY_ADMIN_ADDRESS`` serves."""
        scope["path"] = scope["path"].removesuffix("/") or "/"
        if self._admin is not None and _is_admin(scope["path"]):
            await self._admin(scope, receive, send)
        else:
            await refuse(send, NotFound.status, NotFound.code)

    def refused(self, refusal: IngestRefusal, peer: str) -> None:
        """The server has refused what no application has seen."""
        if self._ingest is not None:
            self._ingest.note_refusal(refusal, path="", peer=peer, client=peer)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """As a framework's, but a relay that cannot start says why in a sentence and not in a traceback."""
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._parts())
            except RelayError as error:
                self.fault = str(error)
                await send({"type": "lifespan.startup.failed"})  # without a message: who runs it says why
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _parts(self) -> AsyncIterator[None]:
        settings, role = self._settings, self._role
        metrics = Metrics(__version__, delays=settings.metrics_delays)
        if role != "all" and not is_shared(settings.spool_url.get_secret_value()):
            raise ConfigError(f"role {role} needs a spool on PostgreSQL: a SQLite spool has one owner, which does both")
        registry = await asyncio.to_thread(Registry.load, settings.tenants_file, environ=os.environ)
        for words in registry.snapshot.warnings:
            _log.warning("tenants.doubtful", words=words)
        async with AsyncExitStack() as stack:
            spool = await stack.enter_async_context(
                await open_spool(
                    settings.spool_url.get_secret_value(),
                    hooks_max=settings.spool_hooks_max,
                    bytes_max=settings.spool_bytes_max,
                    queue_hooks_max=settings.accept_queue_hooks_max,
                    parked=Held(settings.parked_hooks_max, settings.parked_bytes_max),
                    history=settings.history_max > 0 and settings.history_age_max_s > 0,
                    unsynced_ok=settings.spool_unsynced == "allow",
                )
            )
            spool.on_fatal(self._on_fatal)
            for words in spool.evidence().remarks:
                _log.warning("spool.doubtful", words=words)
            supervisor = self._supervisor(spool, registry, metrics)
            metrics.limits(bounds_of(settings))
            limits = IngestLimits(body_bytes_max=settings.body_bytes_max)
            ingest = Ingest(registry, spool, limits=limits, metrics=metrics, accepts=role != "deliver")
            stack.callback(ingest.close)
            self._ingest = ingest
            self.health = Health(
                spool=spool,
                tenants=registry,
                delivering=supervisor or _Resting(),
                metrics=metrics,
                trouble=ingest.trouble,
                accepts=role != "deliver",
                bounds=bounds_of(settings),
                troubles=partial(_troubles_of, supervisor),
            )
            add_routes(self.api, self.health)
            service = DeliveryService(
                spool,
                clock=time.time,
                situation=self.health.situation,
                troubles=partial(_troubles_of, supervisor),
                registry=registry,
                refused=partial(_refused_by, ingest),
            )
            await stack.enter_async_context(self._operators(service, metrics))
            if supervisor is not None:
                supervisor.start()
                stack.push_async_callback(self._drain, supervisor)
            await stack.enter_async_context(_running(registry.watch(poll_s=settings.tenants_poll_s), self._watch_ended))
            gc.collect()
            gc.freeze()  # what is here now stays: walking it again and again costs the p99 of accepting
            _log.info("relay.started", version=__version__, role=role, tenants=len(registry.snapshot.tenants))
            yield
        _log.info("relay.stopped")

    @asynccontextmanager
    async def _operators(self, service: DeliveryService, metrics: Metrics) -> AsyncIterator[None]:
        """The operator's doors: API and pages behind the admin token, and the socket for those on this host."""
        settings, refused = self._settings, metrics.admin_refused
        if settings.admin_token:
            token = AdminToken.load(settings.admin_token, environ=os.environ)
            tries = Tries()
            api = AdminApi(service, token, refused=refused, tries=tries)
            self._admin = _Admin(api, Console(service, token, tries, refused=refused))
        path = admin_socket_of(settings.admin_socket, settings.spool_url.get_secret_value())
        async with AsyncExitStack() as stack:
            if path is not None:
                await stack.enter_async_context(local_socket(path, AdminApi(service, None, refused=refused)))
            yield

    async def _drain(self, supervisor: Supervisor) -> None:
        """Deliveries under way get what is left of their deadline: requests have had their part of it."""
        left_s = self._settings.drain_deadline_s
        if self.end_at is not None:
            left_s = min(left_s, max(0.0, self.end_at - asyncio.get_running_loop().time()))
        await supervisor.drain(left_s)

    def _supervisor(self, spool: Spool, registry: Registry, metrics: Metrics) -> Supervisor | None:
        if self._role == "accept":
            return None
        return Supervisor(
            spool=spool,
            tenants=registry,
            limits=delivery_limits_of(self._settings),
            retention=retention_limits_of(self._settings),
            open_client=HecClients(wire_limits_of(self._settings), unused_proxies=proxy_variables(os.environ)).open,
            on_fatal=self._on_fatal,
            observer=metrics,
            host=platform.node() or "sentry-splunk-relay",
        )

    def _watch_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.error("worker.died", worker="tenants", exc_info=task.exception())
            self._on_fatal("the watch over the tenants file died")


class _Admin:
    """``/admin/api`` is the API, everything else below ``/admin`` the pages."""

    def __init__(self, api: AdminApi, console: Console) -> None:
        self._api = api
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"]
        is_api = path == f"{ADMIN}/api" or path.startswith(f"{ADMIN}/api/")
        await (self._api if is_api else self._console)(scope, receive, send)


class _Resting(Delivering):
    """Stands where the supervisor would, in a replica that does not deliver."""

    problem = None
    trouble = None

    def states(self) -> list[str]:
        """Why nothing is delivered here."""
        return ["this replica's role is accept: it stores hooks, and others deliver them"]


def create_app(settings: Settings, *, role: Role = "all", on_fatal: Callable[[str], None] | None = None) -> Relay:
    """The service for an ASGI server that runs the lifespan.

    ``on_fatal`` is called with words when a part has died that the relay cannot work without; the default ends
    the process.
    """
    return Relay(settings, role=role, on_fatal=on_fatal or _end)


def server_limits_of(settings: Settings) -> ServerLimits:
    """What connections may take, by the settings."""
    return ServerLimits(
        connections_max=settings.connections_max,
        bodies_bytes_max=settings.bodies_bytes_max,
        body_bytes_max=settings.body_bytes_max,
        head_bytes_max=settings.head_bytes_max,
        head_deadline_s=settings.head_deadline_s,
        first_byte_s=settings.body_start_s,
        body_deadline_s=settings.body_deadline_s,
        keepalive_s=settings.keepalive_s,
        trusted_proxies=networks(settings.trusted_proxies),
    )


def delivery_limits_of(settings: Settings) -> DeliveryLimits:
    """What delivering needs of the settings."""
    return DeliveryLimits(
        batch_bytes_max=settings.batch_bytes_max,
        batch_hec_events_max=settings.batch_hec_events_max,
        linger_s=settings.linger_s,
        gzip_level=settings.gzip_level,
        concurrency_max=settings.concurrency_max,
        in_flight_bytes_max=settings.in_flight_bytes_max,
        lease_s=settings.lease_s,
        poll_interval_s=settings.poll_interval_s,
        retry_base_s=settings.retry_base_s,
        retry_max_s=settings.retry_max_s,
        retry_after_max_s=settings.retry_after_max_s,
        pause_probe_max_s=settings.pause_probe_max_s,
        event_bytes_max=settings.event_bytes_max,
    )


def retention_limits_of(settings: Settings) -> RetentionLimits:
    """How much of the past the spool keeps, by the settings."""
    return RetentionLimits(
        waiting_age_max_s=settings.waiting_age_max_s,
        dedup_window_s=settings.dedup_window_s,
        dedup_keys_max=settings.dedup_keys_max,
        dead_age_max_s=settings.dead_age_max_s,
        dead_bytes_max=settings.dead_bytes_max,
        history_age_max_s=settings.history_age_max_s,
        history_max=settings.history_max,
    )


def bounds_of(settings: Settings) -> SpoolLimits:
    """What the spool may hold, by the settings."""
    return SpoolLimits(
        hooks_max=settings.spool_hooks_max,
        bytes_max=settings.spool_bytes_max,
        dead_bytes_max=settings.dead_bytes_max,
        dead_age_max_s=settings.dead_age_max_s,
        dedup_keys_max=settings.dedup_keys_max,
    )


def wire_limits_of(settings: Settings) -> WireLimits:
    """What the HEC client needs of the settings."""
    return WireLimits(
        connect_timeout_s=settings.hec_connect_timeout_s,
        timeout_s=settings.hec_timeout_s,
        keepalive_s=settings.hec_keepalive_s,
        connection_age_max_s=settings.hec_connection_age_max_s,
        connections_max=settings.concurrency_max,
    )


def _refused_by(ingest: Ingest) -> list[Refused]:
    """What accepting has refused since the start, as the operator's side takes it."""
    return [
        Refused(
            code=kind.code,
            reason=kind.reason,
            tenant=kind.tenant,
            count=total.count,
            first_at=total.first_at,
            last_at=total.last_at,
            samples=[
                {"at": iso(found.at), "path": found.path, "client": found.client, **found.facts}
                for found in reversed(total.samples)
            ],
        )
        for kind, total in ingest.refusals.totals()
    ]


def _troubles_of(supervisor: Supervisor | None) -> list[Trouble]:
    """What delivering knows of what it does not deliver."""
    return [
        Trouble(
            stream=state.stream,
            words=state.words,
            act=state.act,
            since=state.since,
            next_in_s=state.again_in_s,
            index=state.index if state.scope is PauseScope.LANE else None,
            state="missing" if state.state == "missing" else "paused",
        )
        for state in (supervisor.states() if supervisor else ())
    ]


def _is_admin(path: str) -> bool:
    return path == ADMIN or path.startswith(f"{ADMIN}/")


def _end(_words: str) -> None:
    signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def _running(
    work: Any,  # noqa: ANN401 - any coroutine
    ended: Callable[[asyncio.Task[None]], None],
) -> AsyncIterator[None]:
    """``work`` as a task for as long as the block runs."""
    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
