"""Reads a payload's JSON so that nothing downstream meets anything odd in it.

What ``read`` hands out holds only ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``, where

- strings and keys have no NUL and no lone surrogate (they become U+FFFD), so that every string can be UTF-8;
- integers fit 64 bits (others are kept exactly, as the text of their digits);
- floats are finite (``NaN``, ``Infinity`` and numbers a double cannot hold are kept as their text).

orjson reads what it reads exactly; the rest goes through the standard library, with a bounded depth.

Looking for what orjson does not read exactly costs as much as its reading. ``read_fast`` does not look: its caller
meets a float of ``FLOAT_MAX`` or more, or a NUL, and then calls ``read_exact``.
"""

import json
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

import orjson

Fault = Literal["", "empty_payload", "unreadable_payload", "payload_not_an_object"]

FLOAT_MAX = float(1 << 63)
"""orjson makes a float of this size or more out of every integer beyond 64 bits."""

INT_MIN, INT_MAX = -(1 << 63), (1 << 64) - 1
"""The integers that orjson reads and writes."""

DEPTH_MAX = 200
"""Levels that the standard library may nest, far below Python's recursion limit wherever we are called."""

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
"""Makes every digit a zero, so that a long number is found by one search."""
_LONG_NUMBER = b"0" * 19
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Reading(NamedTuple):
    """What a payload says.

    ``body`` is the JSON object, empty if there is none. ``value`` is whatever JSON value there was. ``fault``
    is empty for an object, else the word for what was found instead.
    """

    body: dict[str, object]
    value: object
    fault: Fault = ""


def read(payload: bytes) -> Reading:
    """Read a payload; never raises."""
    return _reading(payload, _read_odd if _odd(payload) else _read_plain)


def read_exact(payload: bytes) -> Reading:
    """As ``read``, the slow way; floats of ``FLOAT_MAX`` and more are kept as their text; never raises."""
    return _reading(payload, _read_odd)


def read_fast(payload: bytes) -> Reading:
    """As ``read``, but integers beyond 64 bits may be floats, and strings may hold a NUL; never raises."""
    try:
        value: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return read(payload)
    return Reading(value, value) if isinstance(value, dict) else read(payload)


def fit(text: str) -> str:
    """The text without NUL and lone surrogates, which neither UTF-8 nor Splunk can hold."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNFIT.sub("\ufffd", text)


def text_of(payload: bytes) -> str:
    """The payload as text, for the case that it is no JSON: whatever does not decode becomes U+FFFD."""
    return fit(payload.decode(json.detect_encoding(payload), "replace"))


def _reading(payload: bytes, reader: Callable[[bytes], object]) -> Reading:
    if not payload.strip():
        return Reading({}, None, "empty_payload")
    try:
        value = reader(payload)
    except (ValueError, RecursionError):
        return Reading({}, None, "unreadable_payload")
    if isinstance(value, dict):
        return Reading(value, value)
    return Reading({}, value, "payload_not_an_object")


def _odd(payload: bytes) -> bool:
    """Whether orjson would round an integer of this payload, or let a NUL through."""
    return _LONG_NUMBER in payload.translate(_DIGITS) or rb"\u0000" in payload


def _read_plain(payload: bytes) -> object:
    """What orjson says; what orjson refuses (lone surrogates, NaN, raw control characters) has a second chance."""
    try:
        value: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _read_odd(payload)
    return value


def _read_odd(payload: bytes) -> object:
    """The standard library's reading, made safe. Raises ``ValueError`` (or a subclass) on what is no JSON."""
    text = payload.decode(json.detect_encoding(payload), "replace")
    if _too_deep(text):
        raise ValueError("nested too deep")
    return _fit_tree(json.loads(text, strict=False, parse_int=_integer, parse_float=_real, parse_constant=str))


def _integer(digits: str) -> int | str:
    if len(digits) > 20:  # noqa: PLR2004 - no 64-bit integer is longer; Python itself refuses very long ones
        return digits
    number = int(digits)
    return number if INT_MIN <= number <= INT_MAX else digits


def _real(digits: str) -> float | str:
    number = float(digits)
    return number if abs(number) < FLOAT_MAX else digits


def _too_deep(text: str) -> bool:
    """Whether brackets nest deeper than ``DEPTH_MAX``. Counted, so that it never depends on the stack."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return False
    depth = 0
    for found in _BRACKETS.finditer(text):
        first = found[0][0]
        if first in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif first in "]}":
            depth -= 1
    return False


def _fit_tree(value: object) -> object:
    if isinstance(value, str):
        return fit(value)
    if isinstance(value, list):
        return [_fit_tree(item) for item in value]
    if isinstance(value, dict):
        return {fit(key): _fit_tree(item) for key, item in value.items()}
    return value
