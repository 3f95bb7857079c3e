"""One line that holds one object, read by orjson; or ``UNSURE``, where orjson does not tell enough (pure).

It must never differ from the walk over the text. Three things would let it: orjson tells the value of a number
and not its text, makes floats of integers beyond 64 bits, and takes the last of two equal keys (as the walk
does). So ``time`` has to be an integer or to stand in the line exactly once, and large floats are not trusted.
"""

import enum
import re
from typing import Final, NamedTuple

import orjson

_FLOAT_TIME = re.compile(rb'"time"[ \t\r]*:[ \t\r]*(-?\d+\.\d+)[ \t\r]*[,}]')
_BIG = 2.0**63
_OBJECT = ord("{")


class _Unsure(enum.Enum):
    UNSURE = "unsure"


UNSURE: Final = _Unsure.UNSURE


class FastLine(NamedTuple):
    """An object as its members, the exact text of its ``time``, and its own text."""

    members: dict[str, object]
    time_text: str | None
    raw: bytes


def fast_line(line: bytes, event_bytes_max: int) -> FastLine | _Unsure | None:
    """The line's one object; ``None`` for a blank line; ``UNSURE``: ask the walk."""
    raw = line.strip(b" \t\r")
    if not raw:
        return None
    if raw[0] != _OBJECT or len(raw) > event_bytes_max:
        return UNSURE
    try:
        members = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return UNSURE
    fields = members.get("fields")
    if fields and (not isinstance(fields, dict) or any(map(_is_doubtful, fields.values()))):
        return UNSURE
    time_text = _time_text(members, raw) if "time" in members else None
    return UNSURE if time_text is UNSURE else FastLine(members, time_text, raw)


def _time_text(members: dict[str, object], raw: bytes) -> str | _Unsure:
    time = members["time"]
    if type(time) is int:
        return str(time) if time else UNSURE  # 0 may have been -0
    # Escapes could spell the key otherwise (as \u0074ime).
    if type(time) is not float or raw.count(b'"time"') != 1 or b"\\u00" in raw:
        return UNSURE
    found = _FLOAT_TIME.search(raw)
    return found[1].decode() if found else UNSURE


def _is_doubtful(value: object) -> bool:
    """Not a small scalar: the walk reads numbers exactly, and lists may hold such numbers."""
    return not isinstance(value, str) and not (isinstance(value, int | float) and -_BIG < value < _BIG)
