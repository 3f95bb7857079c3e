"""What Splunk's HTTP Event Collector says, and what proxies say in its place.

Codes, statuses and texts follow Splunk docs, "Troubleshoot HTTP Event Collector". 0 to 17 were seen on real
Splunks; 18 to 27 are documentary; 28 was measured on Splunk Cloud 10.5 and is in no table (the end of its
text is not established).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from http import HTTPStatus
from types import MappingProxyType

import orjson

TEXTS: Mapping[int, tuple[int, str]] = MappingProxyType(
    {
        0: (200, "Success"),
        1: (403, "Token disabled"),
        2: (401, "Token is required"),
        3: (401, "Invalid authorization"),
        4: (403, "Invalid token"),
        5: (400, "No data"),
        6: (400, "Invalid data format"),
        7: (400, "Incorrect index"),
        8: (500, "Internal server error"),
        9: (503, "Server is busy"),
        10: (400, "Data channel is missing"),
        11: (400, "Invalid data channel"),
        12: (400, "Event field is required"),
        13: (400, "Event field cannot be blank"),
        14: (400, "ACK is disabled"),
        15: (400, "Error in handling indexed fields"),
        16: (400, "Query string authorization is not enabled"),
        17: (200, "HEC is healthy"),
        18: (503, "HEC is unhealthy, queues are full"),
        19: (503, "HEC is unhealthy, ack service unavailable"),
        20: (503, "HEC is unhealthy, queues are full, ack service unavailable"),
        21: (400, "Invalid token"),
        22: (400, "Token disabled"),
        23: (503, "Server is shutting down"),
        24: (200, "queue is approaching its capacity limit"),
        25: (200, "ACK is approaching its capacity limit"),
        26: (429, "HEC queue is at capacity"),
        27: (429, "HEC ACK channel is at capacity"),
        28: (
            400,
            "Data channel is missing. If you have multiple indexers, sticky session load balancers are required",
        ),
    }
)
WARNING_CODES = frozenset({24, 25})
"""Successes that ask the sender to slow down."""
SHUTTING_DOWN = 23
NOWHERE = "The requested URL was not found on this server."
_JSON = "application/json; charset=UTF-8"
_HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``content`` is a HEC object (sent as JSON), a page (sent as HTML) or empty."""

    status: int
    content: Mapping[str, object] | str = ""
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False

    @property
    def said(self) -> Mapping[str, object]:
        """The HEC object, or an empty one."""
        return self.content if isinstance(self.content, Mapping) else {}

    @property
    def code(self) -> int | None:
        """The HEC code, if there is one."""
        code = self.said.get("code")
        return code if isinstance(code, int) else None

    @property
    def body(self) -> bytes:
        """The bytes of the body."""
        return self.content.encode() if isinstance(self.content, str) else orjson.dumps(dict(self.content))

    @property
    def content_type(self) -> str:
        """JSON or HTML."""
        return _HTML if isinstance(self.content, str) else _JSON

    def saying(self, **more: object) -> "Answer":
        """The same answer with more keys in its HEC object."""
        return replace(self, content={**self.said, **more})

    def with_header(self, name: str, value: str) -> "Answer":
        """The same answer with one more header."""
        return replace(self, headers=(*self.headers, (name, value)))


def hec(code: int, number: int | None = None) -> Answer:
    """The answer of a HEC code; ``number`` becomes ``invalid-event-number``."""
    status, text = TEXTS[code]
    content: dict[str, object] = {"text": text, "code": code}
    if number is not None:
        content["invalid-event-number"] = number
    return Answer(status, content, close=code == SHUTTING_DOWN)


def page(status: int) -> Answer:
    """An HTML page, as proxies and balancers write for an error (or instead of Splunk)."""
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    words = escape(title)
    return Answer(status, f"<!doctype html><html><head><title>{words}</title></head><h1>{words}</h1></html>\n")


def nowhere(status: int) -> Answer:
    """What Splunk writes for an unknown path and for a wrong method alike (measured on 10.4 and Cloud).

    ``code`` is an HTTP status here and no HEC code; for 405 it stays 404.
    """
    return Answer(status, {"text": NOWHERE, "code": 404})


def allowing(methods: str) -> Answer:
    """The answer to OPTIONS: empty, no token asked for (measured)."""
    return Answer(200, "", (("Allow", methods),))
