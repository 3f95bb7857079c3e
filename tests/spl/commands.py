"""Commands that look at one row after the other."""

import re
from collections.abc import Callable

from tests.spl.expressions import Expression
from tests.spl.faults import Fault
from tests.spl.search import Search
from tests.spl.table import Table
from tests.spl.text import names, options, split, unquoted
from tests.spl.values import Row, number

Command = Callable[[Table, str, float], Table]
"""What a command makes of a table, given its arguments and the time."""

_SORT_ROWS = 10_000
_HEAD_ROWS = 10


def search(table: Table, text: str, _now: float) -> Table:
    """Rows that match."""
    found = Search(text)
    table.need(found.fields, "search")
    return table.of([row for row in table.rows if found.matches(row)])


def where(table: Table, text: str, now: float) -> Table:
    """Rows for which the expression is true; null is not."""
    expression = Expression(text, now)
    table.need(expression.fields, "where")
    return table.of([row for row in table.rows if expression.value(row) is True])


def evaluate(table: Table, text: str, now: float) -> Table:
    """Fields from expressions, each seeing those before it; null takes the field away."""
    rows = [dict(row) for row in table.rows]
    for assignment in split(text, ","):
        name, sign, formula = assignment.partition("=")
        if not sign:
            raise Fault(f"eval: {assignment!r} assigns nothing")
        name, expression = unquoted(name), Expression(formula, now)
        table.need(expression.fields, "eval")
        for row in rows:
            value = expression.value(row)
            if isinstance(value, bool):
                raise Fault(f"eval: {name} cannot hold a boolean")
            row.pop(name, None)
            if value is not None:
                row[name] = value
        table = Table(rows, table.names.plus([name]), _with(table.columns, name), table.any_name)
    return table


def _with(columns: tuple[str, ...], name: str) -> tuple[str, ...]:
    return columns if not columns or name in columns else (*columns, name)


def fields(table: Table, text: str, _now: float) -> Table:
    """Keeps these fields and the internal ones, or with ``-`` all but these."""
    wanted = names(text.lstrip("+- "))
    table.need(wanted, "fields")
    drop = text.startswith("-")

    def kept(name: str) -> bool:
        return (name in wanted) != drop or (name.startswith("_") and not drop)

    rows = [{name: value for name, value in row.items() if kept(name)} for row in table.rows]
    return Table(rows, table.names, tuple(filter(kept, table.columns)), table.any_name)


def table_(table: Table, text: str, _now: float) -> Table:
    """These columns in this order."""
    wanted = names(text)
    table.need(wanted, "table")
    return table.made([{name: row[name] for name in wanted if name in row} for row in table.rows], wanted)


def sort(table: Table, text: str, _now: float) -> Table:
    """By these fields, numbers as numbers; 10,000 rows unless a number says otherwise (0: all)."""
    match = re.match(r"(?:(\d+)\s+)?(.+)$", text, re.DOTALL)
    if not match:
        raise Fault("sort by what?")
    keys = re.findall(r"([+-]?)\s*([^\s,+-][^\s,]*)", match[2])
    table.need([unquoted(name) for _, name in keys], "sort")
    rows = table.rows
    for sign, name in reversed(keys):
        rows = _sorted(rows, unquoted(name), descending=sign == "-")
    most = int(match[1]) if match[1] else _SORT_ROWS
    return table.of(rows[:most] if most else rows)


def _sorted(rows: list[Row], name: str, *, descending: bool) -> list[Row]:
    def key(row: Row) -> tuple[int, float, str]:
        found = number(row[name])
        return (1, 0, str(row[name])) if found is None else (0, found, "")

    having = sorted((row for row in rows if row.get(name) is not None), key=key, reverse=descending)
    return having + [row for row in rows if row.get(name) is None]


def head(table: Table, text: str, _now: float) -> Table:
    """The first rows, ten unless it says how many."""
    return table.of(table.rows[: int(text or _HEAD_ROWS)])


def fillnull(table: Table, text: str, _now: float) -> Table:
    """A value where a field is absent, 0 unless it says which."""
    said, rest = options(text, "value")
    wanted = names(rest) or table.shown()
    table.need(wanted, "fillnull")
    filling = {name: said.get("value", "0") for name in wanted}
    return table.of([{**filling, **{n: v for n, v in row.items() if v is not None}} for row in table.rows])


def rename(table: Table, text: str, _now: float) -> Table:
    """Other names for fields."""
    pairs = re.findall(r'("[^"]+"|\S+)\s+as\s+("[^"]+"|[^\s,]+)', text, re.IGNORECASE)
    renamed = {unquoted(old): unquoted(new) for old, new in pairs}
    if not renamed:
        raise Fault("rename what?")
    table.need(renamed, "rename")
    rows = [{renamed.get(name, name): value for name, value in row.items()} for row in table.rows]
    columns = tuple(renamed.get(name, name) for name in table.columns)
    return Table(rows, table.names.plus(renamed.values()), columns, table.any_name)


def dedup(table: Table, text: str, _now: float) -> Table:
    """The first row of each value; rows without the field go, unless ``keepempty=true``."""
    said, rest = options(text, "keepempty")
    wanted = names(rest)
    table.need(wanted, "dedup")
    seen: set[tuple[str, ...]] = set()
    rows = []
    for row in table.rows:
        if any(row.get(name) is None for name in wanted):
            rows += [row] if said.get("keepempty") == "true" else []
            continue
        key = tuple(str(row[name]) for name in wanted)
        rows += [] if key in seen else [row]
        seen.add(key)
    return table.of(rows)


def spath(table: Table, text: str, _now: float) -> Table:
    """Everything of the JSON, or one path of it: the rows have it already."""
    said, rest = options(text, "path", "output")
    wanted = [said["path"]] if "path" in said else names(rest)
    return Table(table.rows, table.names.plus(wanted), table.columns, table.any_name)


COMMANDS: dict[str, Command] = {
    "dedup": dedup,
    "eval": evaluate,
    "fields": fields,
    "fillnull": fillnull,
    "head": head,
    "rename": rename,
    "search": search,
    "sort": sort,
    "spath": spath,
    "table": table_,
    "where": where,
}
