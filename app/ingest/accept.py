"""The accepting path: read, verify, store, answer. Nothing is parsed that need not be, and Splunk is not asked.

A bare ASGI application, because a framework's route costs several times as much and this is the one path whose
cost is paid by every hook (``docs/decisions/0004-a-bare-asgi-application.md``).
"""

import asyncio
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

import structlog

from app.asgi import Cut, Exchange, Receive, Scope, Send, answer, exchange_of, refuse
from app.errors import (
    BadRequest,
    BadSignature,
    BodyCut,
    BodyTooSlow,
    HeadTooLarge,
    IngestRefusal,
    MethodNotAllowed,
    NotStored,
    UnknownTenant,
)
from app.ingest.attempts import Attempt, Attempts
from app.ingest.body import BodyEndedError, read_body
from app.ingest.head import Head, judge_head
from app.ingest.hints import Evidence, SignatureHints
from app.ingest.refusals import RefusalLog, RefusalMemory, RefusedRequest, kind_of
from app.ingest.routes import shown_path
from app.metrics import Metrics
from app.model import Accepted, Hook, Secret
from app.sentry.signature import Receipt, recognise, verify, verify_shared
from app.spool.interface import Spool
from app.tenants.model import Snapshot
from app.turns import Turns

ON_LOOP_BYTES_MAX = 32_768
"""Up to this size a body is hashed on the loop: a thread costs more than that, and others wait for 0.1 ms at most."""
PROVEN_ON_LOOP_BYTES_MAX = 262_144
"""The same for a connection that has delivered a verified hook before."""
TROUBLE_S = 10.0
_OF_THIS_PROCESS = os.urandom(16)
_RECEIPTS = count()
SHARE_FULL = "share_full"
_ALLOW = (b"allow", b"POST")
_log = structlog.stdlib.get_logger()


class SenderDirectory(Protocol):
    """Who may send, now. ``app.tenants.registry.Registry`` is one."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in force."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestLimits:
    """What one request may take. What all of them together may is the server's to say (``app.server``)."""

    body_bytes_max: int


class Ingest:
    """``POST /sentry…`` as an ASGI application."""

    def __init__(
        self,
        tenants: SenderDirectory,
        spool: Spool,
        *,
        limits: IngestLimits,
        metrics: Metrics,
        accepts: bool = True,
    ) -> None:
        """``accepts`` false: each hook is refused with what makes Sentry try again, in a replica that only delivers."""
        self._tenants = tenants
        self._spool = spool
        self._limits = limits
        self._metrics = metrics
        self._accepts = accepts
        self._attempts = Attempts()
        self._refusal_log = RefusalLog()
        self._hints = SignatureHints()
        self._turns = Turns()
        self._background: set[asyncio.Task[None]] = set()
        self._hashing = {
            proven: ThreadPoolExecutor(1, thread_name_prefix="hash-proven" if proven else "hash-unproven")
            for proven in (True, False)
        }
        """One thread each, so that those who have proved nothing wait for one another only."""
        self._not_stored: tuple[float, str] | None = None
        """When (``time.monotonic``) and why the spool did not take the last hook; ``None`` once it took one."""
        self.refusals = RefusalMemory()

    def trouble(self) -> str | None:
        """Why hooks cannot be stored, if that was so just now. Forgotten after a while, so that it is tried again."""
        if self._not_stored is None or time.monotonic() - self._not_stored[0] > TROUBLE_S:
            return None
        return self._not_stored[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 with the delivery id, or a refusal with its code word."""
        began = time.perf_counter()
        exchange = exchange_of(scope)
        attempt: Attempt | None = None
        try:
            hook, destinations, share = await self._read(scope, receive, exchange)
            if hook.resendable:
                attempt = self._attempts.begin(hook, exchange)
                await attempt.turn()
            accepted = await self._store(hook, destinations, share)
        except IngestRefusal as refusal:
            await self._refuse(scope, send, refusal, exchange)
        except Exception:  # noqa: BLE001 - whatever it was, Sentry gets its answer and the log the trace
            _log.exception("hook.failed", path=shown_path(scope["path"]))
            await self._refuse(scope, send, NotStored("unexpected_fault"), exchange)
        else:
            late = attempt is not None and attempt.late
            await answer(send, 202, b'{"delivery":"%b"}' % accepted.delivery_id.encode())
            if attempt is not None:
                attempt.was_answered(accepted, self._spool, late=late)
            self._note(hook, accepted, time.perf_counter() - began)
        finally:
            if attempt is not None:
                self._attempts.end(attempt)

    async def _read(self, scope: Scope, receive: Receive, exchange: Exchange) -> tuple[Hook, Sequence[str], float]:
        """Judge the head, read the body, verify it: the hook, its destinations, and its tenant's share of the spool.

        The order is a promise: what can be refused early is refused before it has cost anything.
        """
        if not self._accepts:
            raise NotStored("role_deliver")
        bytes_max = self._limits.body_bytes_max
        head = judge_head(scope, self._tenants.snapshot, bytes_max=bytes_max)
        if exchange.cut:
            raise _cut_short(exchange.cut, bytes_read=0)
        try:
            body = await read_body(receive, bytes_max=bytes_max)
        except BodyEndedError as fault:
            raise _cut_short(exchange.cut, bytes_read=fault.bytes_read) from None
        snapshot = self._tenants.snapshot
        hook = await self._verified(_Check(head, snapshot, body, scope), exchange)
        exchange.proved(hook.tenant)
        destinations = snapshot.tenants[hook.tenant].destination_names if hook.tenant else ("",)
        return hook, destinations, snapshot.spool_share(hook.tenant) if hook.tenant else 1.0

    async def _store(self, hook: Hook, destinations: Sequence[str], share: float) -> Accepted:
        try:
            return await self._spool.accept(hook, destinations, share=share)
        except NotStored as refusal:
            if refusal.reason != SHARE_FULL:  # then everybody else's are stored
                self._not_stored = time.monotonic(), refusal.reason
            raise

    async def _verified(self, check: "_Check", exchange: Exchange) -> Hook:
        at_once = PROVEN_ON_LOOP_BYTES_MAX if exchange.proven else ON_LOOP_BYTES_MAX
        if len(check.body) <= at_once:
            return _hook(check)
        thread = self._hashing[exchange.proven]
        return await asyncio.get_running_loop().run_in_executor(thread, _hook, check)

    def _note(self, hook: Hook, accepted: Accepted, seconds: float) -> None:
        self._not_stored = None
        self._metrics.accepted(hook.tenant, fresh=accepted.fresh, seconds=seconds)
        if accepted.same_body_as:
            self._metrics.same_body(hook.tenant, sender=hook.sender)
        _log.info(
            "hook.accepted" if accepted.fresh else "hook.repeated",
            tenant=hook.tenant or None,
            installation=hook.installation or None,
            delivery_id=accepted.delivery_id,
            same_body_as=accepted.same_body_as or None,
            sender=hook.sender,
            resource=hook.resource,
            request_id=hook.request_id,
            bytes=len(hook.payload),
            verified_with=hook.verified_with,
            duration_ms=round(seconds * 1000, 2),
        )

    async def _refuse(self, scope: Scope, send: Send, refusal: IngestRefusal, exchange: Exchange) -> None:
        """Answer first: what is written about a refusal makes nobody wait. No hook waits for a refusal."""
        await self._turns.turn()
        await refuse(send, refusal.status, refusal.code, *([_ALLOW] if isinstance(refusal, MethodNotAllowed) else []))
        self.note_refusal(refusal, path=scope["path"], peer=exchange.peer, client=exchange.client)

    def note_refusal(self, refusal: IngestRefusal, *, path: str, peer: str, client: str) -> None:
        """Count a refusal, keep it for the operator, and log it as far as the log has room."""
        self._metrics.refused(refusal.code)
        request = RefusedRequest(
            at=time.time(),
            kind=kind_of(refusal),
            status=refusal.status,
            path=shown_path(path),
            peer=peer,
            client=client,
            facts=refusal.facts,
        )
        self.refusals.refused(request)
        left_out = self._refusal_log.admits(request.kind)
        if left_out is None:
            return
        evidence = refusal.evidence if isinstance(refusal, _Unsigned) else None
        if evidence is None or not self._hints.admits(evidence):
            self._refusal_log.write(request, left_out=left_out)
            return
        task = asyncio.create_task(self._write_with_hint(request, evidence, left_out=left_out))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _write_with_hint(self, request: RefusedRequest, evidence: Evidence, *, left_out: int) -> None:
        self._refusal_log.write(request, left_out=left_out, hint=await self._hints.hint(evidence))

    def close(self) -> None:
        """Say what was left out of the log, and let the threads end."""
        self._refusal_log.flush()
        self._hints.close()
        for thread in self._hashing.values():
            thread.shutdown(wait=False)


class _Check(NamedTuple):
    """Everything that is known of a request once its body is here."""

    head: Head
    snapshot: Snapshot
    body: bytes
    scope: Scope


class _Unsigned(BadSignature):
    """No secret signed the body; with what a hint can be made of."""

    def __init__(self, reason: str, evidence: Evidence, /, **facts: object) -> None:
        super().__init__(reason, **facts)
        self.evidence = evidence


def _nonce() -> bytes:
    """Bytes that no other receipt has, of any process; asking the system each time would cost a tenth of a hook."""
    return _OF_THIS_PROCESS + next(_RECEIPTS).to_bytes(8, "big")


def _hook(check: _Check) -> Hook:
    """The hook, or the ``IngestRefusal`` raised: pure computing, so that a large body can have a thread."""
    receipt = Receipt(time.time(), _nonce())
    (route, headers, key), snapshot, body, _ = check
    if not route.tenant:
        return _shared_hook(check, receipt)
    tenant = snapshot.tenants.get(route.tenant)
    if tenant is None:  # the tenants file has changed while the body came
        raise UnknownTenant("no_such_tenant", tenant=route.tenant)
    if key is not None:
        return recognise(body, headers, key, tenant=tenant.name, receipt=receipt)
    try:
        return verify(body, headers, tenant.client_secrets, tenant=tenant.name, receipt=receipt)
    except BadSignature as refusal:
        raise _unsigned(refusal, check, tenant.client_secrets, tenant=tenant.name) from None


def _shared_hook(check: _Check, receipt: Receipt) -> Hook:
    def tenant_of(installation: str) -> str:
        tenant = check.snapshot.by_installation.get(installation)
        return tenant.name if tenant else ""

    secrets = check.snapshot.shared_secrets
    try:
        hook = verify_shared(check.body, check.head.headers, secrets, tenant_of=tenant_of, receipt=receipt)
    except BadSignature as refusal:
        raise _unsigned(refusal, check, secrets) from None
    tenant = check.snapshot.tenants.get(hook.tenant)
    if tenant is not None and not tenant.may_be_signed_with(hook.verified_with):
        raise BadSignature("other_integration", tenant=hook.tenant, verified_with=hook.verified_with)
    return hook


def _unsigned(refusal: BadSignature, check: _Check, secrets: Sequence[Secret], **facts: str) -> BadSignature:
    headers = check.head.headers
    return _Unsigned(
        refusal.reason,
        Evidence(check.body, headers, secrets, check.scope["headers"]),
        resource=headers.resource or None,
        request_id=headers.request_id or None,
        bytes=len(check.body),
        **facts,
    )


def _cut_short(cut: Cut, *, bytes_read: int) -> IngestRefusal:
    """Why a body ended early."""
    refusals: dict[Cut, IngestRefusal] = {
        "": BodyCut("sender_hung_up", bytes=bytes_read),
        "first_byte": BodyTooSlow("first_byte_deadline", bytes=bytes_read),
        "deadline": BodyTooSlow("body_deadline", bytes=bytes_read),
        "bytes": NotStored("too_many_bytes", bytes=bytes_read),
        "place": NotStored("too_many_requests", bytes=bytes_read),
        "malformed": BadRequest("malformed_body", bytes=bytes_read),
        "trailers": HeadTooLarge("trailers_over_limit", bytes=bytes_read),
    }
    return refusals[cut]
