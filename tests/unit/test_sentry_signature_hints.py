"""What the log says of a signature that nothing verifies: no secret signed it, or something wrote the body again."""

import hmac
import json
from base64 import b64encode
from urllib.parse import urlencode

import pytest

from app.model import Secret
from app.sentry.signature import read_headers
from app.sentry.signature_hints import explain_failure

SECRET = Secret("env:S", b"0123456789abcdef0123456789abcdef")
DOCUMENT = {
    "action": "created",
    "installation": {"uuid": "u"},
    "data": {"error": {"url": "https://s/x", "title": "ü", "received": 1795162531.0}},
    "actor": {"type": "user", "id": 7},
}
BODY = json.dumps(DOCUMENT, separators=(",", ":")).encode()


def _hint(body: bytes) -> str:
    signature = hmac.digest(SECRET.value, BODY, "sha256").hex().encode()
    raw = [(b"sentry-hook-signature", signature)]
    return explain_failure(body, read_headers(raw), [SECRET], raw=dict(raw))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(DOCUMENT).encode(),
        json.dumps(DOCUMENT, indent=2).encode(),
        BODY.replace(b"/", rb"\/"),
        BODY.replace(b"1795162531.0", b"1795162531"),
        json.dumps(DOCUMENT, ensure_ascii=False).replace("1795162531.0", "1795162531").encode(),
        b64encode(BODY),
        urlencode({"payload": BODY.decode()}).encode(),
        json.dumps({"body": BODY.decode(), "headers": {}}).encode(),
        json.dumps({"event": DOCUMENT}).encode(),
        BODY + b"\n",
    ],
    ids=["blanks", "indented", "slashes", "whole", "unicode", "base64", "form", "text", "wrapper", "line end"],
)
def test_a_body_that_something_wrote_again_is_told_with_the_secret_that_signed_it(body: bytes) -> None:
    """Nobody goes looking for a rotated secret then."""
    hint = _hint(body)
    assert "verifies with env:S" in hint
    assert SECRET.value.decode() not in hint


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "came empty"),
        (json.dumps(DOCUMENT, sort_keys=True, separators=(",", ":")).encode(), "its keys are sorted"),
        (b'{"action": "created", "other": 1}', "blanks or line ends"),
        (b"payload", "it is no JSON"),
        (BODY.replace(b"created", b"deleted"), "was the client secret rotated"),
    ],
)
def test_what_no_secret_signed_is_told_from_what_was_changed_beyond_repair(body: bytes, words: str) -> None:
    """By what Sentry never writes."""
    assert words in _hint(body)
