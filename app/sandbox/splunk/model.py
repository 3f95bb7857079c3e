"""What the stand-in is told (hec_tokens) and what it remembers (requests and what they got indexed)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import orjson

from app.sandbox.splunk.faults import Fault

Endpoint: TypeAlias = Literal["event", "raw", "ack", "health"]
Remember: TypeAlias = Literal["full", "ids", "count"]
"""How much is kept: everything; token, index and ``fields.relay_delivery_id`` only; or nothing but numbers."""


@dataclass(frozen=True, slots=True)
class HecToken:
    """A hec_token as an administrator sets it up. An empty ``indexes`` allows any (``inputs.conf.spec``)."""

    value: str
    indexes: tuple[str, ...] = ()
    default_index: str = "main"
    use_ack: bool = False
    disabled: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Indexed:
    """One hec_event as it landed in an index."""

    token: str
    index: str
    time: str | None
    """The exact JSON text, quotes included where it was a string; ``None``: the time of receipt."""
    host: str | None
    source: str | None
    sourcetype: str | None
    fields: Mapping[str, object]
    request: int
    """``RequestSeen.number`` of the request that brought it."""
    raw: bytes
    """The object's own JSON text (of ``/raw``: the line). Invalid UTF-8 has become U+FFFD."""
    indexer: int
    endpoint: Endpoint = "event"

    @property
    def event(self) -> object:
        """The ``event`` member, decoded anew at each look; of ``/raw``: the line; ``None`` if not kept."""
        if self.endpoint == "raw":
            return self.raw.decode()
        if not self.raw:
            return None
        try:
            members = json.loads(self.raw)
        except RecursionError:
            # Nested deeper than Python's decoder goes; orjson goes to 1024 levels.
            members = orjson.loads(self.raw)
        return members["event"]


@dataclass(slots=True, kw_only=True, eq=False)
class RequestSeen:
    """One request that was read to its end, and what became of it."""

    number: int
    """Counts from 0 over all requests."""
    connection: int
    """Counts from 0 over all connections."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case. Empty unless everything is remembered."""
    token: str | None
    """The hec_token that the client named, right or wrong."""
    at: float
    """The loop's time when the head of the request had been read."""
    wire_bytes: int = 0
    """Body bytes as sent."""
    body_bytes: int = 0
    """Body bytes after unpacking."""
    body: bytes = field(default=b"", repr=False)
    """The unpacked body. Empty unless everything is remembered."""
    objects: int = 0
    """Objects read from the body, the culprit included; what follows it is not counted."""
    indexed: int = 0
    """How many of them were indexed."""
    indexer: int = 0
    status: int | None = None
    """The HTTP status answered; ``None`` if no answer was given."""
    code: int | None = None
    """The HEC code answered."""
    text: str = ""
    """The text of a HEC answer."""
    invalid_event_number: int | None = None
    fault: Fault | None = None
    """The scripted fault that was applied, if any."""
