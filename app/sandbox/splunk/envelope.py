"""The rules for one object of a batch, once its JSON has been read (pure).

Measured on Splunk 10.4 and Cloud 10.5 unless a comment says otherwise. Which of several faults in one object
is told first is not established; nor is what becomes of texts that are no strings, of ``time: null`` or of
nulls among ``fields``. The stand-in is strict there: who passes it passes the real one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeGuard

from app.sandbox.splunk.model import HecToken

_TEXTS = ("host", "source", "sourcetype", "index")
KNOWN = frozenset({"time", "event", "fields", *_TEXTS})
# Fixed decimals only: scientific notation is code 15 on Splunk 10 (two independent reports). A numeric
# string is accepted.
_TIME = re.compile(r'(?P<quote>"?)-?\d+(?:\.\d+)?(?P=quote)', re.ASCII)


class Verdict(IntEnum):
    """What becomes of an object: a HEC code, or one of three that HEC has no code for."""

    INDEXED = 0
    SKIPPED = -1
    """Taken and thrown away without a word: ``fields`` without ``event``, and no metric."""
    STOPPED = -2
    """An unknown key: Splunk stops reading without a word."""
    BAD_FORMAT = 6
    BAD_INDEX = 7
    NO_EVENT = 12
    BLANK_EVENT = 13
    BAD_FIELDS = 15


@dataclass(slots=True)
class Envelope:
    """One object that Splunk takes."""

    number: int
    """Its place in the batch, from 0."""
    index: str | None
    time: str | None
    host: str | None
    source: str | None
    sourcetype: str | None
    fields: Mapping[str, object]
    raw: bytes


def judged(members: Mapping[str, object], time_text: str | None, token: HecToken) -> Verdict:
    """What Splunk makes of an object. ``time_text`` is the exact JSON text of ``time``, if it has one."""
    if not KNOWN.issuperset(members):
        return Verdict.STOPPED
    if not all(members.get(name) is None or isinstance(members[name], str) for name in _TEXTS):
        return Verdict.BAD_FORMAT
    if time_text is not None and not _TIME.fullmatch(time_text):
        return Verdict.BAD_FIELDS
    verdict = _judged_fields(members["fields"]) if "fields" in members else Verdict.INDEXED
    if verdict is Verdict.INDEXED and not _may_write(members.get("index"), token):
        return Verdict.BAD_INDEX
    return verdict if verdict is not Verdict.INDEXED else _judged_event(members)


def _judged_fields(fields: object) -> Verdict:
    if not isinstance(fields, dict):
        return Verdict.BAD_FORMAT
    return Verdict.INDEXED if all(map(_is_flat, fields.values())) else Verdict.BAD_FIELDS


def _judged_event(members: Mapping[str, object]) -> Verdict:
    if "event" not in members:
        return Verdict.SKIPPED if "fields" in members else Verdict.NO_EVENT
    return Verdict.BLANK_EVENT if _is_blank(members["event"]) else Verdict.INDEXED


def _may_write(index: object, token: HecToken) -> bool:
    """No index named: the hec_token's default, which needs no leave. An empty list allows any."""
    return index is None or not token.indexes or index in token.indexes


def _is_flat(value: object) -> bool:
    """A scalar, or an array of scalars."""
    return all(map(_is_scalar, value)) if isinstance(value, list) else _is_scalar(value)


def _is_scalar(value: object) -> TypeGuard[str | float]:
    return isinstance(value, str | int | float)


def _is_blank(event: object) -> bool:
    """``null``, white space, ``{}`` or ``[]``; ``0`` and ``false`` are events."""
    if isinstance(event, str):
        return not event.strip()
    return event is None or (isinstance(event, dict | list) and not event)
