"""Is it from Sentry? The only place where a request becomes a ``Hook``.

Sentry signs the raw body with HMAC-SHA256, the key being the client secret as text, and sends the digest as 64
lower-case hex digits. Timestamp, resource, request id and idempotency key are not signed (read in Sentry's
``build_signature`` and its request serializer). Parsing and writing the JSON again gives other bytes: only what
came over the wire is verified.
"""

import hmac
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple

import orjson

from app.errors import BadSignature
from app.model import Hook, Secret, Sender

_INTEGRATION = b"sentry-hook-signature"
_SERVICE_HOOK = b"x-servicehook-signature"
_SIGNATURES = {_INTEGRATION: "signature", _SERVICE_HOOK: "service_hook_signature"}
_NAMES = {
    b"sentry-hook-resource": "resource",
    b"sentry-hook-timestamp": "sent_at",
    b"x-servicehook-timestamp": "sent_at",
    b"request-id": "request_id",
    b"idempotency-key": "idempotency_key",
}
HEADER_CHARS_MAX = 256
"""Longer header values are cut: no real one comes near, and they are kept with every hook."""
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")
SIGNATURE = re.compile(rb"[0-9a-f]{64}")
"""What Sentry sends as a signature."""


@dataclass(slots=True)
class Headers:
    """What a request says about itself. Empty where it says nothing; none of it is signed."""

    signature: bytes = b""
    service_hook_signature: bytes = b""
    resource: str = ""
    sent_at: str = ""
    request_id: str = ""
    idempotency_key: str = ""
    signatures: int = 0
    """How many signature headers came: more than one is nothing that Sentry sends."""


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Out of an ASGI scope's headers (names in lower case)."""
    headers = Headers()
    for name, value in raw:
        if (field := _NAMES.get(name)) is not None:
            setattr(headers, field, value[:HEADER_CHARS_MAX].decode("latin-1"))
        elif (field := _SIGNATURES.get(name)) is not None:
            headers.signatures += 1
            setattr(headers, field, value)
    return headers


SignatureFault = Literal["", "missing_header", "two_signatures", "malformed_signature"]


def signature_fault(headers: Headers) -> SignatureFault:
    """What is wrong with a signature before its body is looked at; empty: nothing."""
    if headers.signatures != 1:
        return "two_signatures" if headers.signatures else "missing_header"
    given = headers.signature or headers.service_hook_signature
    return "" if SIGNATURE.fullmatch(given) else "malformed_signature"


class Receipt(NamedTuple):
    """One post that came in."""

    at: float
    """Unix seconds."""
    nonce: bytes = b""
    """Tells it from every other post, whatever that one's bytes."""


def verify(body: bytes, headers: Headers, secrets: Sequence[Secret], *, tenant: str, receipt: Receipt) -> Hook:
    """The hook, if any of the tenant's ``secrets`` signed these very bytes.

    Raises:
        BadSignature: none did; ``reason`` says in a word what is missing or off.
    """
    proof = _prove(body, headers, secrets)
    return _hook(body, headers, proof, door=f"tenant/{tenant}", tenant=tenant, receipt=receipt)


def verify_shared(
    body: bytes,
    headers: Headers,
    secrets: Sequence[Secret],
    *,
    tenant_of: Callable[[str], str],
    receipt: Receipt,
) -> Hook:
    """The hook of an integration that many tenants share; ``tenant_of`` is asked for it.

    The signed ``installation.uuid`` finds the tenant; for one that nobody claims ``tenant_of`` gives "".
    The door is the installation's, so that an id is the same before and after a tenant claims it.

    Raises:
        BadSignature: as ``verify``.
    """
    proof = _prove(body, headers, secrets)
    installation = installation_of(body)
    return _hook(
        body,
        headers,
        proof,
        door=f"installation/{installation}",
        tenant=tenant_of(installation),
        receipt=receipt,
        installation=installation,
    )


def recognise(body: bytes, headers: Headers, key: Secret, *, tenant: str, receipt: Receipt) -> Hook:
    """The hook of the unsigned legacy plugin, let in by the secret ``key`` of its URL.

    Its door is its own: an unsigned post claims no idempotency key of a signed one.
    """
    proof = _Proof("legacy", sha256(body).digest(), key.name)
    return _hook(body, headers, proof, door=f"legacy/{tenant}", tenant=tenant, receipt=receipt)


def installation_of(body: bytes) -> str:
    """``installation.uuid`` in lower case; empty where the body has none or cannot be read."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return ""
    found = document.get("installation") if isinstance(document, dict) else None
    uuid = found.get("uuid") if isinstance(found, dict) else None
    return uuid.lower() if isinstance(uuid, str) and _UUID.fullmatch(uuid) else ""


class _Proof(NamedTuple):
    """Who sent a body, what stands for that very body, and the name of the secret that says so."""

    sender: Sender
    signature: bytes
    secret: str


def _prove(body: bytes, headers: Headers, secrets: Sequence[Secret]) -> _Proof:
    """Try every secret, each in constant time, so that a refusal's duration tells nothing about any of them."""
    if fault := signature_fault(headers):
        raise BadSignature(fault)
    sender: Sender = "integration" if headers.signature else "service_hook"
    given = headers.signature or headers.service_hook_signature
    found = ""
    for secret in secrets:
        digest = hmac.digest(secret.value, body, "sha256").hex().encode()
        if hmac.compare_digest(digest, given):
            found = found or secret.name
    if not found:
        raise BadSignature("no_secret_matches" if secrets else "no_secret_configured")
    return _Proof(sender, given, found)


def _hook(
    body: bytes,
    headers: Headers,
    proof: _Proof,
    *,
    door: str,
    tenant: str,
    receipt: Receipt,
    installation: str = "",
) -> Hook:
    """Sentry's key says which hook it is.

    Without one, a sender that signs may post again what it had no answer for. Those that do not sign (the plugin, whose
    tasks ignore every fault, GlitchTip, Bugsink) never do.
    """
    key = headers.idempotency_key
    key_digest = _digest(door, "idempotency-key", key.encode("latin-1")) if key else b""
    own = key_digest or _digest(door, "receipt", proof.signature + receipt.nonce)
    return Hook(
        delivery_id=own.hex(),
        tenant=tenant,
        installation=installation,
        sender=proof.sender,
        resource=headers.resource,
        sent_at=headers.sent_at,
        request_id=headers.request_id,
        idempotency_key=key,
        verified_with=proof.secret,
        received_at=receipt.at,
        key_digest=key_digest,
        body_digest=_digest(door, "signature", proof.signature),
        resendable=not key and proof.sender != "legacy",
        payload=body,
    )


def _digest(door: str, kind: str, value: bytes) -> bytes:
    return blake2b(b"%b\0%b\0%b" % (door.encode(), kind.encode(), value), digest_size=16).digest()
