"""The functions of ``eval`` that our searches use. Arguments come evaluated; null is None."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.spl.times import instant, read, written
from tests.spl.values import number


class Function(NamedTuple):
    """A function and how many arguments it takes."""

    call: Callable[..., Any]
    least: int
    most: int


def _case(*pairs: Any) -> Any:
    return next((value for test, value in zip(pairs[::2], pairs[1::2], strict=True) if test is True), None)


def _round(value: Any, digits: Any = 0) -> float | None:
    found = number(value)
    return None if found is None else round(found, int(number(digits) or 0))


def _text(call: Callable[..., Any]) -> Callable[..., Any]:
    """Null of null; else the function of the first argument as text."""
    return lambda first, *rest: None if first is None else call(str(first), *rest)


def _relative(epoch: Any, modifier: str) -> float | None:
    found = number(epoch)
    return None if found is None else instant(modifier, found, otherwise=found)


def _strftime(epoch: Any, form: str) -> str | None:
    found = number(epoch)
    return None if found is None else written(found, form)


def _largest(*arguments: Any) -> float | None:
    return max((found for value in arguments if (found := number(value)) is not None), default=None)


_MANY = 99
FUNCTIONS: dict[str, Function] = {
    "case": Function(_case, 2, _MANY),
    "coalesce": Function(lambda *found: next((each for each in found if each is not None), None), 1, _MANY),
    "false": Function(lambda: False, 0, 0),
    "if": Function(lambda test, then, otherwise: then if test is True else otherwise, 3, 3),
    "isnotnull": Function(lambda value: value is not None, 1, 1),
    "isnull": Function(lambda value: value is None, 1, 1),
    "lower": Function(_text(str.lower), 1, 1),
    "match": Function(_text(lambda text, pattern: re.search(pattern, text) is not None), 2, 2),
    "max": Function(_largest, 1, _MANY),
    "mvcount": Function(lambda value: None if value is None else len(value) if isinstance(value, list) else 1, 1, 1),
    "null": Function(lambda: None, 0, 0),
    "relative_time": Function(_relative, 2, 2),
    "replace": Function(_text(lambda text, pattern, by: re.sub(pattern, by, text)), 3, 3),
    "round": Function(_round, 1, 2),
    "strftime": Function(_strftime, 2, 2),
    "strptime": Function(_text(read), 2, 2),
    "tostring": Function(lambda value, _form=None: None if value is None else str(value), 1, 2),
    "true": Function(lambda: True, 0, 0),
}
"""``now()`` is the evaluator's own: it knows the time."""
