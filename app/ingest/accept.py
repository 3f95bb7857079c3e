"""The accepting path: read, verify, store, answer. Nothing is parsed that need not be, and Splunk is not asked.

A bare ASGI application, because a framework's route costs several times as much and this is the one path whose
cost is paid by every hook (``docs/decisions/0004-a-bare-asgi-application.md``).
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import structlog

from app.errors import BadSignature, IngestRefusal, MethodNotAllowed, NotFound, NotStored, UnknownTenant
from app.ingest.body import announced, read_body
from app.ingest.routes import Route, match_route
from app.metrics import Metrics
from app.model import Accepted, Hook, Secret
from app.sentry.signature import Headers, read_headers, recognise, verify, verify_shared
from app.sentry.signature_hints import explain_failure
from app.spool.interface import Spool
from app.tenants.model import Snapshot

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OFF_LOOP_BYTES = 262_144
"""From this size on, hashing (or for a shared integration parsing) takes long enough to hold up others."""
TROUBLE_S = 10.0
_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")
_COMPONENT = b"sentry-app-signature"
"""On requests that a Sentry app's UI components make. They are no webhooks, and the relay has no such component:
whether the tenant exists and the signature is right is nothing that they get to know.
"""
_log = structlog.stdlib.get_logger()


class SenderDirectory(Protocol):
    """Who may send, now. ``app.tenants.registry.Registry`` is one."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in force."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may take, and what all of them together may."""

    body_bytes_max: int
    body_deadline_s: float
    requests_max: int
    """Requests in progress; more are refused at once."""
    bodies_bytes_max: int
    """Bytes of the bodies of all of them; as ``requests_max``."""


class Ingest:
    """``POST /sentry…`` as an ASGI application."""

    def __init__(self, tenants: SenderDirectory, spool: Spool, *, limits: Limits, metrics: Metrics) -> None:
        self._tenants = tenants
        self._spool = spool
        self._limits = limits
        self._metrics = metrics
        self._in_progress = 0
        self._bytes_in_progress = 0
        self._not_stored: tuple[float, str] | None = None
        """When (``time.monotonic``) and why the last hook could not be stored; ``None`` once one was."""

    def trouble(self) -> str | None:
        """Why hooks cannot be stored, if that was so just now. Forgotten after a while, so that it is tried again."""
        if self._not_stored is None or time.monotonic() - self._not_stored[0] > TROUBLE_S:
            return None
        return self._not_stored[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 with the delivery id, or a refusal with its code word."""
        began = time.perf_counter()
        body_bytes = announced(scope["headers"], bytes_max=self._limits.body_bytes_max)
        self._in_progress += 1
        self._bytes_in_progress += body_bytes
        try:
            hook, accepted = await self._accept(scope, receive)
        except IngestRefusal as refusal:
            await self._refuse(scope, send, refusal)
        except Exception:  # noqa: BLE001 - whatever it was, Sentry gets its answer and the log the trace
            _log.exception("hook.failed", path=_shown(scope))
            await self._refuse(scope, send, NotStored("unexpected_fault"))
        else:
            await _answer(send, 202, b'{"delivery":"%b"}' % accepted.delivery_id.encode(), _JSON)
            self._note(hook, accepted, time.perf_counter() - began)
        finally:
            self._in_progress -= 1
            self._bytes_in_progress -= body_bytes

    async def _accept(self, scope: Scope, receive: Receive) -> tuple[Hook, Accepted]:
        if self._in_progress > self._limits.requests_max:
            raise NotStored("too_many_requests", requests_max=self._limits.requests_max)
        if self._bytes_in_progress > self._limits.bodies_bytes_max:
            raise NotStored("too_many_bytes", bodies_bytes_max=self._limits.bodies_bytes_max)
        body = await read_body(receive, bytes_max=self._limits.body_bytes_max, deadline_s=self._limits.body_deadline_s)
        where = match_route(scope["path"])
        headers = read_headers(scope["headers"])
        if not headers.signatures and any(name == _COMPONENT for name, _ in scope["headers"]):
            raise NotFound("ui_component")
        if scope["method"] != "POST":
            raise MethodNotAllowed("only_post")
        snapshot = self._tenants.snapshot
        check = _Check(where, snapshot, headers, body, scope["headers"])
        hook = await asyncio.to_thread(_hook, check) if len(body) > OFF_LOOP_BYTES else _hook(check)
        destinations = snapshot.tenants[hook.tenant].destination_names if hook.tenant else ("",)
        return hook, await self._spool.accept(hook, destinations)

    def _note(self, hook: Hook, accepted: Accepted, seconds: float) -> None:
        self._not_stored = None
        self._metrics.accepted(hook.tenant, fresh=accepted.fresh, seconds=seconds)
        _log.info(
            "hook.accepted" if accepted.fresh else "hook.repeated",
            tenant=hook.tenant or None,
            installation=hook.installation or None,
            delivery_id=accepted.delivery_id,
            sender=hook.sender,
            resource=hook.resource,
            request_id=hook.request_id,
            bytes=len(hook.payload),
            verified_with=hook.verified_with,
            duration_ms=round(seconds * 1000, 2),
        )

    async def _refuse(self, scope: Scope, send: Send, refusal: IngestRefusal) -> None:
        if isinstance(refusal, NotStored):
            self._not_stored = time.monotonic(), refusal.reason
        self._metrics.refused(refusal.code)
        log = _log.error if refusal.status >= 500 else _log.warning  # noqa: PLR2004 - HTTP's own border
        log("request.refused", code=refusal.code, reason=refusal.reason, path=_shown(scope), **refusal.facts)
        headers = [_JSON, _CLOSE]
        if isinstance(refusal, MethodNotAllowed):
            headers.append((b"allow", b"POST"))
        await _answer(send, refusal.status, b'{"error":"%b"}' % refusal.code.encode(), *headers)


class _Check(NamedTuple):
    """Everything that is known of a request once its body is here."""

    where: Route
    snapshot: Snapshot
    headers: Headers
    body: bytes
    raw: Sequence[tuple[bytes, bytes]]


def _hook(check: _Check) -> Hook:
    """The hook, or the ``IngestRefusal`` raised: pure computing, so that a large body can have a thread."""
    now = time.time()
    where, snapshot, headers, body, _ = check
    if not where.tenant:
        return _shared_hook(check, now)
    tenant = snapshot.tenants.get(where.tenant)
    if tenant is None:
        raise UnknownTenant("no_such_tenant", tenant=_bounded(where.tenant))
    if where.key is not None:
        key = _find(where.key, tenant.legacy_keys)
        if key is None:
            raise UnknownTenant("no_such_legacy_key", tenant=tenant.name)
        return recognise(body, headers, key, tenant=tenant.name, received_at=now)
    try:
        return verify(body, headers, tenant.client_secrets, tenant=tenant.name, received_at=now)
    except BadSignature as refusal:
        raise _explained(refusal, check, tenant.client_secrets, tenant=tenant.name) from None


def _shared_hook(check: _Check, now: float) -> Hook:
    def tenant_of(installation: str) -> str:
        tenant = check.snapshot.by_installation.get(installation)
        return tenant.name if tenant else ""

    secrets = check.snapshot.shared_secrets
    try:
        hook = verify_shared(check.body, check.headers, secrets, tenant_of=tenant_of, received_at=now)
    except BadSignature as refusal:
        raise _explained(refusal, check, secrets) from None
    tenant = check.snapshot.tenants.get(hook.tenant)
    if tenant is not None and not tenant.may_be_signed_with(hook.verified_with):
        raise BadSignature("other_integration", tenant=hook.tenant, verified_with=hook.verified_with)
    return hook


def _explained(refusal: BadSignature, check: _Check, secrets: Sequence[Secret], **facts: str) -> BadSignature:
    return BadSignature(
        refusal.reason,
        hint=explain_failure(check.body, check.headers, secrets, raw=dict(check.raw)),
        resource=check.headers.resource,
        request_id=check.headers.request_id,
        bytes=len(check.body),
        **facts,
    )


def _find(key: str, keys: Sequence[Secret]) -> Secret | None:
    given = key.encode("utf-8", "surrogateescape")
    found: Secret | None = None
    for each in keys:
        if hmac.compare_digest(each.value, given):
            found = found or each
    return found


def _shown(scope: Mapping[str, Any]) -> str:
    """The path as the log may have it: bounded, and without a legacy key, right or wrong."""
    parts: list[str] = str(scope["path"]).split("/")
    if len(parts) > 3:  # noqa: PLR2004 - "", "sentry", tenant, and then what may be a key
        parts[3:] = ["…"]
    return _bounded("/".join(parts))


def _bounded(text: str) -> str:
    return text[:128]


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
