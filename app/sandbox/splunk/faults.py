"""What may go wrong, as data: one ``Fault`` spoils one request. How it does is for ``plan`` to say."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.sandbox.splunk.answers import TEXTS, WARNING_CODES

Kind: TypeAlias = Literal[
    "none", "busy", "status", "code", "hang", "stall", "cut", "ok_html", "ok_empty", "slow", "redirect"
]
RetryAfter: TypeAlias = int | str | None
"""Seconds, or an HTTP date as text."""
_ERRORS = range(400, 600)
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to spoil a request. Made by the class methods below, each of which says what it means.

    ``stored`` everywhere: the request takes its effect (hec_events are indexed, acks are told and forgotten)
    whatever the client gets to know. A request that would have been refused anyway stores nothing more.
    """

    kind: Kind
    hec_code: int | None = None
    http_status: int | None = None
    number: int | None = None
    stored: bool = False
    html: bool = True
    partial_answer: bool = False
    reset: bool = False
    s: float | None = None
    retry_after: RetryAfter = None
    location: str = ""

    @classmethod
    def none(cls) -> "Fault":
        """This one request is served normally."""
        return cls(kind="none")

    @classmethod
    def busy(cls, after: int | None = None, retry_after: RetryAfter = None) -> "Fault":
        """503 code 9. With ``after``: the first N objects are taken and ``invalid-event-number`` is N.

        Of a batch with fewer objects all are taken and the number is their count. An object before the N-th
        that is at fault by itself is answered as ever.
        """
        return cls(kind="busy", number=_count(after), retry_after=retry_after)

    @classmethod
    def status(
        cls,
        status: int,
        html: bool = True,  # noqa: FBT001, FBT002 - a fault script gives it by position or by name
        retry_after: RetryAfter = None,
        stored: bool = False,  # noqa: FBT001, FBT002 - as html
    ) -> "Fault":
        """An HTTP error (400 to 599) from a proxy, a balancer or a restarting indexer.

        The body is an HTML page, or else ``{"text": ..., "code": status}`` as Splunk writes for paths it does
        not know.
        """
        if status not in _ERRORS:
            raise ValueError(f"status {status} is not an HTTP error (400 to 599)")
        return cls(kind="status", http_status=status, html=html, retry_after=retry_after, stored=stored)

    @classmethod
    def code(
        cls,
        code: int,
        number: int | None = None,
        stored: bool = False,  # noqa: FBT001, FBT002 - a fault script gives it by position or by name
        retry_after: RetryAfter = None,
    ) -> "Fault":
        """Any HEC code (0 to 28) with its HTTP status. Codes 0, 24 and 25 store; others as told.

        ``number`` is said as ``invalid-event-number`` whatever the batch holds, so it may be absurd; the
        objects before it are taken. (Code 7 really names one too many: say so with a number one higher.)
        """
        if code not in TEXTS:
            raise ValueError(f"code {code} is not a HEC code (0 to {max(TEXTS)})")
        stored = stored or code in WARNING_CODES or code == 0
        return cls(kind="code", hec_code=code, number=number, stored=stored, retry_after=retry_after)

    @classmethod
    def accept_then(cls, code: int) -> "Fault":
        """A success that warns: 200 with code 24 or 25, everything stored."""
        if code not in WARNING_CODES:
            raise ValueError(f"code {code} does not warn of a stored batch (24 or 25 do)")
        return cls.code(code)

    @classmethod
    def shutting_down(cls) -> "Fault":
        """503 code 23, and the connection is closed."""
        return cls.code(23)

    @classmethod
    def hang(cls, stored: bool, s: float | None = None) -> "Fault":  # noqa: FBT001 - as in the fault script
        """No answer. After ``s`` seconds (``None``: when the client has gone) the connection is closed."""
        return cls(kind="hang", stored=stored, s=s)

    @classmethod
    def stall(cls, s: float | None = None) -> "Fault":
        """The body is never read. Ends like ``hang``."""
        return cls(kind="stall", s=s)

    @classmethod
    def cut(
        cls,
        stored: bool,  # noqa: FBT001 - a fault script gives it by position or by name
        partial_answer: bool = False,  # noqa: FBT001, FBT002 - as stored
        reset: bool = False,  # noqa: FBT001, FBT002 - as stored
    ) -> "Fault":
        """The connection is closed before any answer, or half-way through it (which says what was done).

        ``reset`` closes it by a TCP reset where no part of an answer was sent.
        """
        return cls(kind="cut", stored=stored, partial_answer=partial_answer, reset=reset)

    @classmethod
    def ok_html(cls, stored: bool = False) -> "Fault":  # noqa: FBT001, FBT002 - as in the fault script
        """200 with an HTML page: a captive proxy, or Splunk Web on the wrong port."""
        return cls(kind="ok_html", stored=stored)

    @classmethod
    def ok_empty(cls, stored: bool = False) -> "Fault":  # noqa: FBT001, FBT002 - as in the fault script
        """200 with no body at all."""
        return cls(kind="ok_empty", stored=stored)

    @classmethod
    def slow(cls, s: float) -> "Fault":
        """Served normally and at once, but the answer comes ``s`` seconds later."""
        return cls(kind="slow", stored=True, s=s)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> "Fault":
        """A 3xx to a sign-on or maintenance page."""
        if status not in _REDIRECTS:
            raise ValueError(f"status {status} does not redirect (300 to 399)")
        return cls(kind="redirect", http_status=status, location=location)


def _count(after: int | None) -> int | None:
    if after is not None and after < 0:
        raise ValueError(f"after {after} is not a count of objects")
    return after
