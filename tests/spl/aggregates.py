"""Functions of ``stats``, ``eventstats``, ``timechart`` and ``tstats``, and the grouping they share."""

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from tests.spl.expressions import Expression
from tests.spl.faults import Fault
from tests.spl.text import closing, names, unquoted
from tests.spl.values import Row, number, shown, values

_CALL = re.compile(r"([a-z_]+?)(\d+)?(\(|(?=[\s,]|$))")
_AS = re.compile(r'\s+as\s+("[^"]+"|[\w.{}]+)', re.IGNORECASE)

Timed = Sequence[tuple[float, Any]]
"""Values with the times of their rows."""


def _numbers(found: Timed) -> list[float]:
    return [each for _, value in found if (each := number(value)) is not None]


def _of_numbers(call: Callable[[list[float]], float]) -> Callable[[Timed], Any]:
    """Null where there is no number."""
    return lambda found: shown(call(numbers)) if (numbers := _numbers(found)) else None


def _extreme(choose: Callable[..., Any]) -> Callable[[Timed], Any]:
    """Of numbers if there are any, else of texts."""

    def call(found: Timed) -> Any:
        numbers = _numbers(found)
        return shown(choose(numbers)) if numbers else choose((str(value) for _, value in found), default=None)

    return call


FUNCTIONS: dict[str, Callable[[Timed], Any]] = {
    "avg": _of_numbers(statistics.fmean),
    "count": len,
    "dc": lambda found: len({str(shown(value)) for _, value in found}),
    "earliest": lambda found: min(found, key=lambda each: each[0])[1] if found else None,
    "latest": lambda found: max(found, key=lambda each: each[0])[1] if found else None,
    "list": lambda found: [value for _, value in found] or None,
    "max": _extreme(max),
    "median": _of_numbers(statistics.median),
    "min": _extreme(min),
    "stdev": _of_numbers(lambda numbers: statistics.stdev(numbers) if len(numbers) > 1 else 0.0),
    "sum": _of_numbers(sum),
    "values": lambda found: sorted({str(shown(value)) for _, value in found}) or None,
}


class Aggregate(NamedTuple):
    """One function over one field or expression, under a name."""

    name: str
    function: Callable[[Timed], Any]
    field: str | None
    expression: Expression | None
    counts: bool

    @property
    def fields(self) -> set[str]:
        """What it reads."""
        return self.expression.fields if self.expression else {self.field} if self.field else set()

    def of(self, rows: Iterable[Row]) -> Any:
        """Its value over these rows; null stands for no value."""
        if not self.field and not self.expression:
            return sum(1 for _ in rows)
        return self.function([(number(row.get("_time")) or 0.0, value) for row in rows for value in self._values(row)])

    def _values(self, row: Row) -> list[Any]:
        if self.expression is None:
            return values(row, self.field or "")
        found = self.expression.value(row)
        return [] if found is None or found is False else [found]


def _function(name: str, percent: str | None) -> Callable[[Timed], Any]:
    if name == "perc" and percent:
        share = int(percent) / 100
        return _of_numbers(lambda found: sorted(found)[max(0, math.ceil(len(found) * share) - 1)])
    if percent or name not in FUNCTIONS:
        raise Fault(f"stats has no function {name}{percent or ''}")
    return FUNCTIONS[name]


def aggregates(text: str, now: float) -> list[Aggregate]:
    """What a command computes: ``count dc(user_id) as users count(eval(handled="false"))``."""
    found, place = [], 0
    while place < len(text):
        if text[place] in " ,":
            place += 1
            continue
        match = _CALL.match(text, place)
        if not match:
            raise Fault(f"stats cannot read {text[place:]!r}")
        name, place, inside = match[1] + (match[2] or ""), match.end(), ""
        if match[3]:
            end = closing(text, place)
            inside, place = text[place:end].strip(), end + 1
            name = f"{name}({inside})"
        if said := _AS.match(text, place):
            name, place = unquoted(said[1]), said.end()
        expression = Expression(inside[5:-1], now) if inside.startswith("eval(") else None
        if not inside and match[1] != "count":
            raise Fault(f"stats: {match[1]} of what?")
        field = unquoted(inside) if inside and not expression else None
        found.append(Aggregate(name, _function(match[1], match[2]), field, expression, match[1] in ("count", "dc")))
    return found


def by(text: str) -> tuple[str, list[str]]:
    """What stands before ``by``, and the fields behind it."""
    match = re.search(r"(?:^|\s)by\s+(.+)$", text, re.IGNORECASE | re.DOTALL)
    return (text[: match.start()], names(match[1])) if match else (text, [])


def grouped(rows: Iterable[Row], fields: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of these fields; a row without one of them is in no group, as in Splunk."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        keys: list[tuple[Any, ...]] = [()]
        for field in fields:
            keys = [(*key, shown(value)) for key in keys for value in values(row, field)]
        for key in keys:
            groups[key].append(row)
    return dict(sorted(groups.items(), key=lambda each: [(number(part) or 0.0, str(part)) for part in each[0]]))


def computed(wanted: Iterable[Aggregate], rows: Sequence[Row]) -> Row:
    """One row of results."""
    return {each.name: value for each in wanted if (value := each.of(rows)) is not None}
