"""What a single value of the tenants file may be. Pure; a ``ValueError`` says what would be right.

No message repeats the value: a URL may hold a password, and what should be a reference may be the secret itself.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from app.tenants.privacy import mask

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f\x7f]+")
_INDEX: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}")
_SOURCETYPE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,254}")
_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")
_UUID: Final = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_URL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/\[\]%-]+")
_COLLECTOR: Final = re.compile(r"/services/collector(/.*)?\Z")
_LEGACY_KEY: Final = re.compile(rb"[A-Za-z0-9._~-]{16,200}")
_HEC_TOKEN: Final = re.compile(rb"[\x21-\x7e]{1,1000}")
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]+")
_IDENTITY: Final = frozenset({"schema", "tenant", "resource", "action"})
_STEPS_MAX: Final = 20
_HASH_KEY_BYTES_MIN: Final = 16
_PORT_MAX: Final = 65_535
_TEXT_MAX: Final = 255
_FINGERPRINT_DIGITS: Final = 64
_FINGERPRINT: Final = re.compile(rf"[0-9a-f]{{{_FINGERPRINT_DIGITS}}}")
_ACK_POLL_S_MIN: Final = 0.05
_ACK_POLL_S_MAX: Final = 120.0
_ACK_EXPIRY_S_MIN: Final = 0.1
_ACK_EXPIRY_S_MAX: Final = 3600.0
_HEARTBEAT_S: Final = 300.0
_HEARTBEAT_S_MIN: Final = 1.0
_HEARTBEAT_S_MAX: Final = 86_400.0


def name(text: str) -> str:
    """A tenant or destination: it stands in URL paths and is a metric's label."""
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 63 of a-z, 0-9, _ and -, and begin with a letter or digit")
    return text


def reference(text: str) -> str:
    """A secret's reference. A literal is refused, and not repeated."""
    if not _REFERENCE.fullmatch(text):
        raise ValueError(
            "must be a reference, env:NAME or file:PATH; a secret itself does not belong in this file "
            "(what stands here is not repeated, it may be one)"
        )
    return text


def index(text: str) -> str:
    """A Splunk index, by the rules of Splunk's docs for user-defined ones ("Create custom indexes")."""
    if not _INDEX.fullmatch(text) or "kvstore" in text:
        raise ValueError(
            "must be the name of a Splunk index: a-z, 0-9, _ and -, "
            "beginning with a letter or digit, without the word kvstore"
        )
    return text


def listed(value: object) -> object:
    """One text for a list of one."""
    return [value] if isinstance(value, str) else value


def detail(text: str) -> str:
    """How much of a hook follows the head."""
    return _one_of(text, "none", "summary", "full")


def policy(text: str) -> str:
    """What becomes of an address."""
    return _one_of(text, "keep", "hash", "drop")


def _one_of(text: str, *words: str) -> str:
    if text not in words:
        raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
    return text


def share(number: float) -> float:
    """A part of the spool."""
    if not 0 < number <= 1:
        raise ValueError("must be a part of the spool: more than 0, and 1 at most")
    return number


def part(number: float) -> float:
    """Which part of the issues passes."""
    if not 0 < number < 1:
        raise ValueError("must be between 0 and 1: the part of the issues that passes; drop: true lets none pass")
    return number


def path(text: str) -> str:
    """A way to a part of the event: names with dots between them; what says which hook it is cannot be left out."""
    steps = text.split(".")
    if not all(steps) or len(steps) > _STEPS_MAX or not text.isprintable() or len(text) > _TEXT_MAX:
        raise ValueError(
            f"must be 1 to {_STEPS_MAX} names with dots between them, such as tags.customer or contexts.*.name"
        )
    if text in _IDENTITY:
        raise ValueError("says which hook it is, so that it cannot be left out")
    return text


def pattern(text: str) -> str:
    """A pattern of what is masked; it is compiled to see whether it can be."""
    mask(text)
    return text


def sourcetype(text: str) -> str:
    """A sourcetype without the characters that AppInspect warns of, and without Splunk's separator ``::``."""
    if not _SOURCETYPE.fullmatch(text) or "::" in text:
        raise ValueError("must be letters, digits, _ . : and -, such as sentry:issue, without two colons together")
    return text


def text_line(text: str) -> str:
    """Free text in one line, such as Splunk's ``host``."""
    if not text or len(text) > _TEXT_MAX or not text.isprintable() or text != text.strip():
        raise ValueError(f"must be 1 to {_TEXT_MAX} printable characters without space around them")
    return text


def installation(text: str) -> str:
    """``installation.uuid`` of Sentry, as lower-case text with hyphens."""
    found = _UUID.fullmatch(text.lower())
    if found is None:
        raise ValueError("must be a UUID such as 7a485448-a9e2-4c85-8a3c-4f44175783c9 (installation.uuid)")
    return "-".join(found.groups())


def server_name(text: str) -> str:
    """The name that a certificate is checked against instead of the URL's host."""
    if not _HOST_NAME.fullmatch(text):
        raise ValueError("must be a host name as it stands in the certificate, such as SplunkServerDefaultCert")
    return text


def hec_url(text: str) -> str:
    """The base URL of HEC: scheme, host, port, any prefix path; ``/services/collector…`` and ``/`` taken off.

    Query, fragment and user-info are refused: a ``token`` in the query wins over the header even where Splunk
    does not allow it (``inputs.conf.spec``, ``allowQueryStringAuth``), and all of it would end in logs.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise ValueError("must begin with https:// (or http:// where HEC has TLS turned off)")
    if "@" in rest:
        raise ValueError("must not hold a user or password; the hec_token goes into hec_token")
    if "?" in rest or "#" in rest:
        raise ValueError("must not have a query (?) or fragment (#); the hec_token goes into hec_token")
    if not _URL_CHARACTERS.fullmatch(rest) or "%" in rest.partition("/")[0]:
        raise ValueError("has characters that a URL cannot have; write https://HOST:PORT")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"has a port that is not 1 to {_PORT_MAX}, or brackets without an IPv6 address") from None
    if port == 0 or not _host(parts.hostname or ""):
        raise ValueError("names no host that can be asked; write https://HOST:PORT")
    path = _COLLECTOR.sub("", parts.path).rstrip("/")
    return f"{scheme.lower()}://{parts.netloc.lower().removesuffix(':')}{path}"


def proxy_url(text: str) -> str:
    """The address of a proxy: scheme, host and port, nothing else."""
    found = hec_url(text)
    if urlsplit(found).path or "/services/collector" in text:
        raise ValueError("must be the address of a proxy alone, such as http://proxy.example:3128")
    return found


def proxy_credentials(value: bytes) -> bytes:
    """User and password for a proxy, with a colon between them (RFC 7617)."""
    if not _PRINTABLE.fullmatch(value) or not value.partition(b":")[1]:
        raise ValueError("must be USER:PASSWORD in printable ASCII")
    return value


def _host(text: str) -> bool:
    """Whether this is a host name or an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ":" not in text and _HOST_NAME.fullmatch(text) is not None
    return True


def client_secret(value: bytes) -> bytes:
    """A client secret: Sentry makes it of hex digits. An empty one would let anybody sign.

    A slip of copying is refused here, at the start: later it would only show in hooks that are refused, and lost.
    """
    if not value.strip():
        raise ValueError("is empty")
    if b"\n" in value:
        raise ValueError("holds more than one line")
    if value[:1] + value[-1:] in {b"''", b'""'}:
        raise ValueError("stands in quotes, which would be part of it")
    if not _PRINTABLE.fullmatch(value) or value != value.strip():
        raise ValueError("has white space at an end, or a character in it that is not printable ASCII, such as a BOM")
    return value


def legacy_key(value: bytes) -> bytes:
    """A key that stands in the URL of an unsigned webhook and is all that guards it."""
    if not _LEGACY_KEY.fullmatch(value):
        raise ValueError("must be 16 to 200 of A-Z a-z 0-9 . _ ~ -, since it is part of a URL and hard to guess")
    return value


def hash_key(value: bytes) -> bytes:
    """The key of hashed addresses. Whoever guesses it can try every address."""
    if len(value) < _HASH_KEY_BYTES_MIN:
        raise ValueError(f"is shorter than {_HASH_KEY_BYTES_MIN} bytes")
    return value


def hec_token(value: bytes) -> bytes:
    """A hec_token: any printable ASCII (Splunk makes GUIDs but takes other text)."""
    if not value:
        raise ValueError("is empty")
    if not _HEC_TOKEN.fullmatch(value):
        raise ValueError("must be printable ASCII without whitespace, as a header's value is")
    return value


def fingerprint(text: str) -> str:
    """The SHA-256 of a certificate, as ``openssl x509 -fingerprint -sha256`` shows it; given back without colons."""
    digits = text.replace(":", "").lower()
    if not _FINGERPRINT.fullmatch(digits):
        raise ValueError(
            f"must be the SHA-256 of a certificate: {_FINGERPRINT_DIGITS} hex digits, with colons or without"
        )
    return digits


def ack_poll_s(seconds: float) -> float:
    """Between two polls: Splunk forgets the channel after 600 s (``maxIdleTime`` of limits.conf.spec)."""
    if not _ACK_POLL_S_MIN <= seconds <= _ACK_POLL_S_MAX:
        raise ValueError(f"must be from {_ACK_POLL_S_MIN:g} to {_ACK_POLL_S_MAX:g} seconds")
    return seconds


def ack_expiry_s(seconds: float) -> float:
    """How long an acknowledgment may take; Splunk's docs name five minutes."""
    if not _ACK_EXPIRY_S_MIN <= seconds <= _ACK_EXPIRY_S_MAX:
        raise ValueError(f"must be from {_ACK_EXPIRY_S_MIN:g} to {_ACK_EXPIRY_S_MAX:g} seconds")
    return seconds


def heartbeat(value: object) -> object:
    """Seconds between two heartbeats; ``true`` for five minutes, ``false`` for none."""
    word = str(value).lower()
    if word in {"true", "false"}:
        return _HEARTBEAT_S if word == "true" else None
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not _HEARTBEAT_S_MIN <= seconds <= _HEARTBEAT_S_MAX:
        raise ValueError(f"must be true, false, or {_HEARTBEAT_S_MIN:g} to {_HEARTBEAT_S_MAX:g} seconds")
    return seconds


def private_key(value: bytes) -> bytes:
    """A file with a private key that needs no password: there is nobody to type it."""
    if b"PRIVATE KEY-----" not in value:
        raise ValueError("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
    if b"ENCRYPTED" in value:
        raise ValueError("holds a private key under a password, which nobody is there to type")
    return value


def certificates(value: bytes) -> bytes:
    """A file of certificates."""
    if b"-----BEGIN CERTIFICATE-----" not in value:
        raise ValueError("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    return value
