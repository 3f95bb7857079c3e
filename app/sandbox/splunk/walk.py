"""One JSON object at a place in a text, with the exact text of each member and its end (pure)."""

import json
import re
from dataclasses import dataclass, field
from typing import NoReturn

import orjson

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class BrokenJsonError(ValueError):
    """Here stands no JSON object."""


@dataclass(slots=True)
class WalkedObject:
    """An object; of two equal keys the last counts (which Splunk takes is not established)."""

    members: dict[str, object] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    end: int = 0


def _refuse(constant: str) -> NoReturn:
    raise BrokenJsonError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def skip_space(text: str, at: int) -> int:
    """The place of the next character that is not JSON white space, or the end."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def next_object(text: str, at: int) -> WalkedObject:
    """The object that begins at ``at``.

    Raises:
        BrokenJsonError: none does.
    """
    _expect(text, at, "{")
    walked = WalkedObject()
    at = skip_space(text, at + 1)
    if text[at : at + 1] == "}":
        walked.end = at + 1
        return walked
    while True:
        _expect(text, at, '"')
        key, at = _decoded(text, at)
        at = skip_space(text, at)
        _expect(text, at, ":")
        begin = skip_space(text, at + 1)
        value, at = _decoded(text, begin)
        walked.members[str(key)] = value
        walked.texts[str(key)] = text[begin:at]
        at = skip_space(text, at)
        if text[at : at + 1] == "}":
            walked.end = at + 1
            return walked
        _expect(text, at, ",")
        at = skip_space(text, at + 1)


def _expect(text: str, at: int, mark: str) -> None:
    if text[at : at + 1] != mark:
        raise BrokenJsonError(f"no {mark} at {at}")


def _decoded(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        return _deep(text, at)
    except ValueError as fault:
        # Also for integers of more digits than Python reads (4300).
        raise BrokenJsonError(str(fault)) from fault


def _deep(text: str, at: int) -> tuple[object, int]:
    """A value nested deeper than Python's decoder goes. orjson goes to 1024 levels; deeper is broken."""
    end = _extent(text, at)
    try:
        return orjson.loads(text[at:end].encode("utf-8", "surrogatepass")), end
    except orjson.JSONDecodeError as fault:
        raise BrokenJsonError(str(fault)) from fault


def _extent(text: str, at: int) -> int:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, at):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth == 0:
            return found.end()
    raise BrokenJsonError("never closed")
