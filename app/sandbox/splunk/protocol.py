"""HEC's manners without a socket: the head of a request decides on its admission, head and body on the outcome.

Pure: bytes and settings in, values out. What needs memory (ack ids, what was indexed) is left to the caller.
Sources: Splunk docs, "HTTP Event Collector REST API endpoints", "Set up and use HTTP Event Collector",
``inputs.conf.spec``; measured on Splunk 10.4 and Cloud 10.5 where a comment does not say otherwise. The order
of the checks is token, channel, encoding, size, content; only that the token comes before the channel is
documented.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from app.sandbox.splunk.answers import Answer, allowing, hec, nowhere, page
from app.sandbox.splunk.batch import read_batch
from app.sandbox.splunk.envelope import Envelope
from app.sandbox.splunk.model import Endpoint, HecToken

_COLLECTOR = "/services/collector"
PATHS: Mapping[str, Endpoint] = MappingProxyType(
    {
        _COLLECTOR: "event",
        f"{_COLLECTOR}/event": "event",
        f"{_COLLECTOR}/event/1.0": "event",
        f"{_COLLECTOR}/raw": "raw",
        f"{_COLLECTOR}/raw/1.0": "raw",
        f"{_COLLECTOR}/ack": "ack",
        f"{_COLLECTOR}/health": "health",
        f"{_COLLECTOR}/health/1.0": "health",
    }
)
_GUID = re.compile(r"\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.IGNORECASE)
BODY_BYTES_MAX = 838_860_800
"""``max_content_length`` (limits.conf.spec)."""
EVENT_BYTES_MAX = 5 * 1024 * 1024
"""``maxEventSize`` (inputs.conf.spec)."""
_ACK_DISABLED = 14
_INCORRECT_INDEX = 7
_BAD_FORMAT = 6
_NO_DATA = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request. Names of ``headers`` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How this Splunk is set up, apart from its hec_tokens."""

    cloud: bool = False
    body_bytes_max: int = BODY_BYTES_MAX
    event_bytes_max: int = EVENT_BYTES_MAX
    health: int = 17
    """The code that ``/health`` tells: 17 to 20, or 23."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may proceed, and where to. ``channel`` is empty unless the hec_token uses ack."""

    endpoint: Endpoint
    token: HecToken
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a request comes to. ``asked`` (of an ack poll): ids to be answered from the ack memory."""

    answer: Answer
    taken: Sequence[Envelope] = ()
    objects: int = 0
    body: bytes = b""
    """The body after unpacking."""
    asked: Sequence[int] | None = None

    @property
    def is_success(self) -> bool:
        """Whether Splunk refused nothing."""
        return self.answer.code == 0


def endpoint_of(head: Head) -> Endpoint | None:
    """Where a request goes if it does anything there; ``None`` for OPTIONS, wrong paths and methods."""
    endpoint = PATHS.get(head.path)
    methods = ("GET", "HEAD") if endpoint == "health" else ("POST",)
    return endpoint if head.method in methods else None


def claimed_token(head: Head) -> str | None:
    """The hec_token that the client names, right or wrong; one in the query wins over the header."""
    if "token" in head.query:
        return head.query["token"]
    return _from_header(head.headers.get("authorization"))


def admitted(head: Head, tokens: Mapping[str, HecToken], rules: Rules) -> Admission | Answer:
    """The answer that needs no body, or the admission to read it."""
    endpoint = PATHS.get(head.path)
    if endpoint is None:
        return nowhere(404)
    if head.method == "OPTIONS":
        return allowing("GET,HEAD,OPTIONS" if endpoint == "health" else "POST,OPTIONS")
    if endpoint_of(head) is None:
        return nowhere(405)
    if endpoint == "health":
        # Answers without a hec_token (measured on 8.2, 10.4 and Cloud), whatever the docs say of 21 and 22.
        return hec(rules.health)
    token = _authenticated(head, tokens)
    if isinstance(token, Answer):
        return token
    return _on_channel(head, endpoint, token, rules)


def _authenticated(head: Head, tokens: Mapping[str, HecToken]) -> HecToken | Answer:
    in_query = "token" in head.query
    if not in_query and "authorization" not in head.headers:
        return hec(2)
    claimed = claimed_token(head)
    if claimed is None:
        return hec(3)
    token = tokens.get(claimed)
    if token is None:
        return hec(4)
    if in_query:
        # allowQueryStringAuth is off by default, and yet the query wins over the header.
        return hec(16)
    return hec(1) if token.disabled else token


def _from_header(authorization: str | None) -> str | None:
    """The hec_token of ``Splunk <token>``, or the password of Basic; ``None`` for anything else."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "splunk":
        return credentials or None
    if scheme.lower() != "basic":
        return None
    try:
        user_and_password = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user_and_password.partition(":")[2] or None


def _on_channel(head: Head, endpoint: Endpoint, token: HecToken, rules: Rules) -> Admission | Answer:
    if not token.use_ack:
        # The channel header is ignored.
        return hec(_ACK_DISABLED) if endpoint == "ack" else Admission(endpoint, token, "")
    channel = head.headers.get("x-splunk-request-channel") or head.query.get("channel")
    if not channel:
        return hec(28 if rules.cloud else 10)
    if not _GUID.fullmatch(channel):
        return hec(11)
    return Admission(endpoint, token, channel.lower())


def received(admission: Admission, head: Head, body: bytes, rules: Rules) -> Outcome:
    """What an admitted request with its whole body comes to."""
    encoding = head.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        return Outcome(answer=page(415))
    if encoding == "gzip" and admission.endpoint == "ack":
        # Not measured, but compressed polls broke Vector's acknowledgments until it sent them plain.
        return Outcome(answer=hec(_BAD_FORMAT))
    try:
        unpacked = body if encoding == "identity" else _gunzipped(body, rules.body_bytes_max)
    except zlib.error:
        # Not established.
        return Outcome(answer=hec(_BAD_FORMAT))
    if len(unpacked) > rules.body_bytes_max:
        return Outcome(answer=page(413))
    return {"event": _events, "raw": _raw_lines}.get(admission.endpoint, _poll)(admission, head, unpacked, rules)


def unpacked_bytes(head: Head, body: bytes) -> int:
    """About how long the unpacked body will be; for gzip what its trailer says, which may be a lie."""
    is_gzip = head.headers.get("content-encoding", "").strip().lower() == "gzip"
    return int.from_bytes(body[-4:], "little") if is_gzip else len(body)


def _gunzipped(body: bytes, bytes_max: int) -> bytes:
    """At least ``bytes_max`` + 1 bytes of the unpacked body, or all of it."""
    parts, size = [], 0
    while body and size <= bytes_max:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(body, bytes_max + 1 - size))
        size += len(parts[-1])
        if not member.eof and size <= bytes_max:
            raise zlib.error("the gzip stream is cut")
        body = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _events(admission: Admission, _head: Head, body: bytes, rules: Rules) -> Outcome:
    batch = read_batch(body, admission.token, event_bytes_max=rules.event_bytes_max)
    return Outcome(answer=hec(batch.code, batch.number), taken=batch.taken, objects=batch.objects, body=body)


def _raw_lines(admission: Admission, head: Head, body: bytes, _rules: Rules) -> Outcome:
    """Metadata stand in the query; every line that is not blank becomes an event."""
    asked = head.query.get
    index = asked("index")
    lines = [line for line in body.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return Outcome(answer=hec(_NO_DATA), body=body)
    if index is not None and admission.token.indexes and index not in admission.token.indexes:
        return Outcome(answer=hec(_INCORRECT_INDEX, 1), objects=1, body=body)
    taken = [
        Envelope(number, index, None, asked("host"), asked("source"), asked("sourcetype"), {}, line.encode())
        for number, line in enumerate(lines)
    ]
    return Outcome(answer=hec(0), taken=taken, objects=len(taken), body=body)


def _poll(_admission: Admission, _head: Head, body: bytes, _rules: Rules) -> Outcome:
    if not body.strip():
        return Outcome(answer=hec(_NO_DATA))
    try:
        asked = orjson.loads(body)["acks"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        asked = None
    if not isinstance(asked, list) or not all(type(each) is int for each in asked):
        return Outcome(answer=hec(_BAD_FORMAT), body=body)
    return Outcome(answer=hec(0), objects=len(asked), body=body, asked=asked)
