"""The headers of Sentry's three webhook systems, and a whole request of each.

Only the body is signed: hex HMAC-SHA256 under the secret taken as text (``build_signature`` in
getsentry/sentry).
This is the sender's half, written on its own; the relay's half lives in ``app.sentry``.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from app.model import Sender
from app.sandbox.sentry.catalogue import Sample

_TRANSPORT = {
    "User-Agent": "sentry/26.10.0 (https://sentry.io)",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
}


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What Sentry posts, less the address: which system it comes from, headers, body."""

    sender: Sender
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def signed(
    body: bytes,
    secret: bytes,
    *,
    resource: str,
    request_id: str,
    timestamp: int,
    idempotency_key: str | None = None,
) -> dict[str, str]:
    """The headers of an integration-platform webhook.

    ``request_id`` (32 hex digits) and ``timestamp`` (Unix seconds) are new on every attempt,
    ``idempotency_key`` stays; ``None`` leaves it out, as Sentry did before mid 2026.
    """
    key = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    return {
        **_TRANSPORT,
        "Request-ID": request_id,
        "Sentry-Hook-Resource": resource,
        "Sentry-Hook-Timestamp": str(timestamp),
        "Sentry-Hook-Signature": _signature(body, secret),
        **key,
    }


def service_hook_signed(body: bytes, secret: bytes, *, guid: str, timestamp: int) -> dict[str, str]:
    """The headers of a service hook; ``guid`` (32 hex digits) names the hook."""
    return {
        **_TRANSPORT,
        "X-ServiceHook-Timestamp": str(timestamp),
        "X-ServiceHook-GUID": guid,
        "X-ServiceHook-Signature": _signature(body, secret),
    }


def legacy_headers(*, idempotency_key: str | None = None) -> dict[str, str]:
    """The headers of the legacy plugin: nothing is signed, a secret in the URL has to do."""
    return _TRANSPORT | ({} if idempotency_key is None else {"Idempotency-Key": idempotency_key})


def hook_request(sample: Sample, secret: bytes, *, seed: int, now: float, attempt: int = 1) -> HookRequest:
    """A sample as a whole request, every header a function of the arguments.

    ``secret`` signs it (the legacy plugin signs nothing and ignores it). ``attempt`` is Sentry's own: a later
    one has another request id and the same idempotency key.
    """
    body = sample.body(seed, now=now)
    origin = f"{sample.name}:{sample.installation}:{seed}"
    timestamp = int(now)
    match sample.sender:
        case "legacy":
            headers = legacy_headers(idempotency_key=_digest(f"{origin}:legacy-url:0"))
        case "service_hook":
            guid = _digest(f"service hook of {sample.organization}")
            headers = service_hook_signed(body, secret, guid=guid, timestamp=timestamp)
        case "integration":
            headers = signed(
                body,
                secret,
                resource=sample.resource,
                request_id=_digest(f"{origin}:{now}:{attempt}"),
                idempotency_key=_digest(f"{origin}:installation:1"),
                timestamp=timestamp,
            )
    return HookRequest(sample.sender, headers, body)


def _signature(body: bytes, secret: bytes) -> str:
    return hmac.new(secret, body, sha256).hexdigest()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
