"""Values as Splunk has them: texts, numbers, and lists of these where a field has several."""

from typing import Any

Row = dict[str, Any]
"""One result: a value a field. What a field does not have is not there."""


def values(row: Row, name: str) -> list[Any]:
    """Every value of a field, none where it is absent."""
    value = row.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def number(value: object) -> float | None:
    """The number that a value is or reads as."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def shown(value: Any) -> Any:
    """A whole number without its fraction, anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def same(one: object, other: object) -> tuple[Any, Any]:
    """Both as numbers if both are, else both as text: what Splunk compares."""
    left, right = number(one), number(other)
    if left is None or right is None:
        return str(shown(one)), str(shown(other))
    return left, right
