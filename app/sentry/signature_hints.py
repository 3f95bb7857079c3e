"""What would help whoever reads that a signature was refused. Runs after the refusal; decides nothing. Pure."""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence

from app.model import Secret
from app.sentry.signature import SIGNATURE, Headers, signature_fault

BODY_BYTES_MAX = 65_536
"""A larger body is not looked at: whoever sent it may be anybody."""


def explain_failure(body: bytes, headers: Headers, secrets: Sequence[Secret], *, raw: Mapping[bytes, bytes]) -> str:
    """One sentence, whatever it is that was wrong."""
    if signature_fault(headers) or not secrets:
        return explain_head(headers, secrets, raw=raw)
    return explain_body(body, headers, secrets, raw=raw)


def explain_head(headers: Headers, secrets: Sequence[Secret], *, raw: Mapping[bytes, bytes]) -> str:
    """One sentence on a request that was refused by its headers alone. ``raw``: all of them."""
    if not secrets:
        return "the tenants file gives no client secret for this path"
    if headers.signatures != 1:
        return "there is more than one signature header; Sentry sends one" if headers.signatures else _missing(raw)
    given = headers.signature or headers.service_hook_signature
    if SIGNATURE.fullmatch(given.lower()):
        return "the signature is in upper case; Sentry sends lower case"
    return f"the signature has {len(given)} characters or is not hexadecimal; Sentry sends 64 lower-case hex digits"


def explain_body(body: bytes, headers: Headers, secrets: Sequence[Secret], *, raw: Mapping[bytes, bytes]) -> str:
    """One sentence on a body that no secret signed; holds neither body nor signature nor secret.

    Costs several HMACs a secret and parses the body: for a thread, and seldom.
    """
    given = headers.signature or headers.service_hook_signature
    if len(body) <= BODY_BYTES_MAX and (found := _nearly(body, given, secrets)):
        return found
    if b"content-encoding" in raw:
        return "the body came with Content-Encoding; Sentry sends it plain, so something in between changed it"
    return "no configured secret signed this body: was the client secret rotated, or is it another integration's?"


def _nearly(body: bytes, given: bytes, secrets: Sequence[Secret]) -> str | None:
    for before, words in _altered(body):
        for secret in secrets:
            if _signed(secret.value, before, given):
                return f"{words} verifies with {secret.name}: something before the relay changed the body"
    for secret in secrets:
        if _signed(secret.value.strip(), body, given):
            return f"the body verifies once white space around the secret {secret.name} is removed"
    return None


def _missing(raw: Mapping[bytes, bytes]) -> str:
    if b"sentry-hook-resource" in raw:
        return "Sentry-Hook-Signature is missing although Sentry-Hook-Resource came: does a proxy remove headers?"
    return "neither Sentry-Hook-Signature nor X-ServiceHook-Signature came: the legacy WebHooks plugin does not sign"


def _altered(body: bytes) -> Iterator[tuple[bytes, str]]:
    """What the body may have been before something parsed and wrote it again, or trimmed it."""
    yield body.strip(), "the body without white space around it"
    yield body + b"\n", "the body with a line end"
    try:
        document = json.loads(body)
        for ascii_only in (True, False):
            text = json.dumps(document, separators=(",", ":"), ensure_ascii=ascii_only)
            yield text.encode(errors="replace"), "the body written again as compact JSON"
    except (ValueError, RecursionError):
        return


def _signed(secret: bytes, body: bytes, given: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, body, "sha256").hex().encode(), given)
