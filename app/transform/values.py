"""Reads one value at a time; a value of the wrong type counts as absent.

Values come from ``app.sentry.payload``, so their strings can be written as UTF-8.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from app.sentry.payload import FLOAT_MAX, INT_MAX, INT_MIN

Obj = Mapping[str, object]
_NO_KEYS: Obj = MappingProxyType({})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""Control characters, line ends of Unicode, and marks that change the direction of what follows."""

TEXT_CHARS_MAX = 200
"""Characters that a text may have unless its field says otherwise."""
CUT = "…"
"""The last character of a text that was cut."""


def obj(value: object) -> Obj:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else _NO_KEYS


def items(value: object) -> Sequence[object]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()


def objects(value: object) -> list[Obj]:
    """The objects of a list; what else stands in it is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def one_line(value: str) -> str:
    """The text without line ends and other control characters, which have no place in Splunk's metadata."""
    return value if value.isprintable() else _CONTROLS.sub(" ", value).strip()


class Inexact(Exception):  # noqa: N818 - says what it found; it never leaves ``transform``
    """A number may not be what the payload said: the payload has to be read exactly."""


def text(value: object, chars_max: int = TEXT_CHARS_MAX) -> str | None:
    """A scalar as text of at most ``chars_max`` characters; ``None`` for what is none, or blank.

    Raises:
        Inexact: the number may have been rounded while it was read.
    """
    if isinstance(value, str):
        if len(value) > chars_max:
            return value[: chars_max - 1] + CUT
        # Whatever begins with a letter is not blank; every ASCII blank is less than "!".
        return value if value >= "!" or (value and not value.isspace()) else None
    if value is None or value is True or value is False:
        return None if value is None else "true" if value else "false"
    found = number(value)
    return None if found is None else str(found)


def put(into: dict[str, object], name: str, value: object, chars_max: int = TEXT_CHARS_MAX) -> None:
    """Enter a scalar as text, as ``text`` has it, unless it is none. Made for the way that most hooks go.

    Raises:
        Inexact: as ``text``.
    """
    if value is None:
        return
    if type(value) is str and value >= "!" and len(value) <= chars_max:
        into[name] = value
    elif (found := text(value, chars_max)) is not None:
        into[name] = found


def take(into: dict[str, object], said: Obj, fields: Iterable[tuple[str, str, int]]) -> None:
    """Enter several scalars of an object as text, as ``put`` does: the name, the object's key, the most characters.

    Raises:
        Inexact: as ``text``.
    """
    get = said.get
    for name, key, chars_max in fields:
        value = get(key)
        if value is None:
            continue
        if type(value) is str and value >= "!" and len(value) <= chars_max:
            into[name] = value
        elif (found := text(value, chars_max)) is not None:
            into[name] = found


def first(*values: object, chars_max: int = TEXT_CHARS_MAX) -> str | None:
    """The first of the values that is text."""
    for value in values:
        if value is None:
            continue
        if type(value) is str and value >= "!" and len(value) <= chars_max:
            return value
        if (found := text(value, chars_max)) is not None:
            return found
    return None


def number(value: object) -> int | float | None:
    """A number, also one written as text (Sentry's ``count`` is ``"25"``).

    Raises:
        Inexact: as ``text``.
    """
    if isinstance(value, float):
        if not -FLOAT_MAX < value < FLOAT_MAX:
            raise Inexact
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise Inexact
        return value
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdecimal():  # noqa: PLR2004 - 64 bits
        return int(value)
    return None


def truth(value: object) -> bool | None:
    """A boolean, also in the words of Sentry's tags (``yes``, ``no``)."""
    if isinstance(value, bool):
        return value
    return {"yes": True, "true": True, "no": False, "false": False}.get(value) if isinstance(value, str) else None


def texts(value: object, *, count_max: int, chars_max: int = TEXT_CHARS_MAX) -> list[str]:
    """The scalars of a list as texts, the first ``count_max`` of them."""
    return [kept for item in items(value)[:count_max] if (kept := text(item, chars_max)) is not None]


def present(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """An object of those pairs whose value is there: no nulls, no blanks, nothing empty."""
    return {key: value for key, value in pairs if value or value is False or value == 0}
