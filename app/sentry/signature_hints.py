"""What would help whoever reads that a signature was refused. Runs after the refusal; decides nothing. Pure."""

import contextlib
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl

from app.model import Secret
from app.sentry.signature import SIGNATURE, Headers, signature_fault

_WHOLE = re.compile(rb'("(?:timestamp|received)":\d{1,12})(?=[,}])')
"""Seconds that Sentry writes with a fraction, without one."""
_FORM = re.compile(rb"[\w.-]{1,40}=")
_SPACED = re.compile(rb'^\{\s|^\{"[^"]{0,40}":\s')
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
    if not body.strip():
        return "the body came empty: something before the relay took it and passed nothing on"
    if len(body) <= BODY_BYTES_MAX and (found := _nearly(body, given, secrets)):
        return found
    if b"content-encoding" in raw:
        return "the body came with Content-Encoding; Sentry sends it plain, so something in between changed it"
    if len(body) <= BODY_BYTES_MAX and (sign := _sign_of_rewriting(body)):
        return f"no configured secret signed this body, and {sign}: something before the relay wrote it again"
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
    yield body.replace(rb"\/", b"/"), "the body with its slashes not escaped"
    yield _WHOLE.sub(rb"\1.0", body), "the body with .0 behind the whole seconds in it"
    yield from _wrapped(body)
    for text in _compact(body):
        yield text, "the body written again as compact JSON"
        yield (
            _WHOLE.sub(rb"\1.0", text),
            "the body written again as compact JSON, with .0 behind the whole seconds in it",
        )


def _compact(body: bytes) -> Iterator[bytes]:
    """The body as Sentry would write the same JSON; nothing of what is none."""
    try:
        document = json.loads(body)
        for ascii_only in (True, False):
            yield json.dumps(document, separators=(",", ":"), ensure_ascii=ascii_only).encode(errors="replace")
    except (ValueError, RecursionError):
        return


def _wrapped(body: bytes) -> Iterator[tuple[bytes, str]]:
    """What stands inside base64, a form, or a JSON object around it."""
    with contextlib.suppress(ValueError):
        yield b64decode(body.strip(), validate=True), "what the body holds in base64"
    if _FORM.match(body):
        for _, value in parse_qsl(body.decode(errors="replace"), max_num_fields=20):
            yield value.encode(errors="replace"), "a field of the form in the body"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    for value in list(document.values())[:20] if isinstance(document, dict) else ():
        if isinstance(value, str) and value[:1] in ("{", "e"):
            yield value.encode(errors="replace"), "a text inside the body"
        elif isinstance(value, dict):
            yield json.dumps(value, separators=(",", ":")).encode(), "an object inside the body"


def _sign_of_rewriting(body: bytes) -> str | None:
    """What Sentry never writes, in words."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(document, dict):
        return "it is no JSON object"
    if _SPACED.search(body):
        return "it has blanks or line ends between its parts"
    if len(document) > 1 and list(document) == sorted(document) and "data" in document:
        return "its keys are sorted"
    return "its slashes are escaped" if rb"\/" in body else None


def _signed(secret: bytes, body: bytes, given: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, body, "sha256").hex().encode(), given)
