"""Lenient reading of one value at a time: what has the wrong type is not there.

Everything here expects what ``app.sentry.payload.read`` hands out, whose strings are fit to leave already.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

Obj = Mapping[str, object]
_NO_KEYS: Obj = MappingProxyType({})

CUT = "…"
"""Ends a text that was cut."""


def obj(value: object) -> Obj:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else _NO_KEYS


def items(value: object) -> Sequence[object]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()


def objects(value: object) -> list[Obj]:
    """The objects of a list; what else stands in it is left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: object, chars_max: int = 200) -> str | None:
    """A scalar as text of at most ``chars_max`` characters; ``None`` for what is none, or blank."""
    if isinstance(value, str):
        if len(value) > chars_max:
            return value[: chars_max - 1] + CUT
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def first(*values: object, chars_max: int = 200) -> str | None:
    """The first of the values that is text."""
    for value in values:
        if (found := text(value, chars_max)) is not None:
            return found
    return None


def number(value: object) -> int | float | None:
    """A number, also one written as text (Sentry's ``count`` is ``"25"``)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdecimal():  # noqa: PLR2004 - 64 bits
        return int(value)
    return None


def truth(value: object) -> bool | None:
    """A boolean, also in the words of Sentry's tags (``yes``, ``no``)."""
    if isinstance(value, bool):
        return value
    return {"yes": True, "true": True, "no": False, "false": False}.get(value) if isinstance(value, str) else None


def texts(value: object, *, count_max: int, chars_max: int = 200) -> list[str]:
    """The scalars of a list as texts, the first ``count_max`` of them."""
    return [each for each in (text(item, chars_max) for item in items(value)[:count_max]) if each is not None]


def present(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """An object of those pairs whose value is there: no nulls, no blanks, nothing empty."""
    return {key: value for key, value in pairs if value is not None and value not in ("", [], {})}
