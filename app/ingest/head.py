"""What can be said of a request by its head alone, before a byte of its body is read. Pure."""

import hmac
from collections.abc import Sequence
from typing import NamedTuple

from app.asgi import Header, Scope
from app.errors import BadSignature, BodyTooLarge, MethodNotAllowed, NotFound, UnknownTenant
from app.ingest.body import announced
from app.ingest.routes import Route, looks_like_hook, match_route, right_path
from app.model import Secret
from app.sentry.signature import Headers, read_headers, signature_fault
from app.sentry.signature_hints import explain_head
from app.tenants.model import Snapshot

_COMPONENT = b"sentry-app-signature"
"""On requests that a Sentry app's UI components make. They are no webhooks, and the relay has no such component:
whether the tenant exists and the signature is right is nothing that they get to know.
"""
TEXT_CHARS_MAX = 128
"""So much of a path or of a name that a stranger chose goes to the log."""


class Head(NamedTuple):
    """A head for which a body is worth reading."""

    route: Route
    headers: Headers
    key: Secret | None
    """The legacy key of the path; ``None`` where a signature has to prove the body."""


def judge_head(scope: Scope, snapshot: Snapshot, *, bytes_max: int) -> Head:
    """The head of a request that may be a hook.

    Raises:
        IngestRefusal: it is none, whatever its body may be.
    """
    raw: list[Header] = scope["headers"]
    headers = read_headers(raw)
    if not headers.signatures and any(name == _COMPONENT for name, _ in raw):
        raise NotFound("ui_component")
    try:
        route = match_route(scope["path"])
    except NotFound:
        raise _not_found(scope, snapshot) from None
    if scope["method"] != "POST":
        raise MethodNotAllowed("only_post")
    key = _proof_wanted(route, headers, snapshot, raw)
    if announced(raw) > bytes_max:
        raise BodyTooLarge("body_over_limit", bytes_max=bytes_max)
    return Head(route, headers, key)


def _not_found(scope: Scope, snapshot: Snapshot) -> NotFound:
    """A prefix that a proxy should have taken off, a second slash, a capital: it says which path would be right."""
    expected = shortened(right_path(scope["path"], snapshot.tenants))
    if looks_like_hook(scope):
        hint = f"this is a Sentry hook; its path should be {expected}"
        return NotFound("misdirected_hook", expected=expected, hint=hint)
    return NotFound("no_such_path")


def _proof_wanted(route: Route, headers: Headers, snapshot: Snapshot, raw: list[Header]) -> Secret | None:
    """The legacy key that proves the body already, or ``None`` for a signature that may come to prove it."""
    if not route.tenant:
        _check_signature(headers, snapshot.shared_secrets, raw)
        return None
    tenant = snapshot.tenants.get(route.tenant)
    if tenant is None:
        raise UnknownTenant("no_such_tenant", tenant=shortened(route.tenant))
    if route.key is None:
        _check_signature(headers, tenant.client_secrets, raw, tenant=tenant.name)
        return None
    key = _find(route.key, tenant.legacy_keys)
    if key is None:
        raise UnknownTenant("no_such_legacy_key", tenant=tenant.name)
    return key


def _check_signature(headers: Headers, secrets: Sequence[Secret], raw: list[Header], **facts: str) -> None:
    reason = signature_fault(headers) or ("" if secrets else "no_secret_configured")
    if reason:
        raise BadSignature(
            reason,
            hint=explain_head(headers, secrets, raw=dict(raw)),
            resource=headers.resource or None,
            request_id=headers.request_id or None,
            **facts,
        )


def _find(key: str, keys: Sequence[Secret]) -> Secret | None:
    given = key.encode("utf-8", "surrogateescape")
    found: Secret | None = None
    for secret in keys:
        if hmac.compare_digest(secret.value, given):
            found = found or secret
    return found


def shortened(text: str) -> str:
    """What a stranger chose, as the log may have it."""
    return text[:TEXT_CHARS_MAX]
