"""Commands that make other rows out of the rows: ``stats``, ``eventstats``, ``timechart``."""

import math
from collections.abc import Sequence

from tests.spl.aggregates import Aggregate, aggregates, by, computed, grouped
from tests.spl.faults import Fault
from tests.spl.table import Table
from tests.spl.text import options
from tests.spl.times import Window, instant, span, usual_span
from tests.spl.values import Row, number, shown

_SERIES = 10


def _read(table: Table, text: str, now: float, where: str) -> tuple[list[Aggregate], list[str]]:
    called, group_by = by(text)
    wanted = aggregates(called, now)
    if not wanted:
        raise Fault(f"{where} computes nothing")
    table.need({name for each in wanted for name in each.fields} | set(group_by), where)
    return wanted, group_by


def stats(table: Table, text: str, now: float) -> Table:
    """A row for each group, or one for all."""
    wanted, group_by = _read(table, text, now, "stats")
    columns = [*group_by, *(each.name for each in wanted)]
    if not group_by:
        return table.made([computed(wanted, table.rows)], columns)
    groups = grouped(table.rows, group_by).items()
    rows = [dict(zip(group_by, key, strict=True)) | computed(wanted, rows) for key, rows in groups]
    return table.made(rows, columns)


def eventstats(table: Table, text: str, now: float) -> Table:
    """The same numbers put on every row of the group."""
    wanted, group_by = _read(table, text, now, "eventstats")
    rows = [dict(row) for row in table.rows]
    for group in grouped(rows, group_by).values():
        found = computed(wanted, group)
        for row in group:
            row.update(found)
    made = [each.name for each in wanted]
    columns = tuple(dict.fromkeys([*table.columns, *made])) if table.columns else ()
    return Table(rows, table.names.plus(made), columns, table.any_name)


def timechart(table: Table, text: str, now: float, window: Window) -> Table:
    """A row for each span of the search's range, a column for each function or each value of the by-field."""
    said, rest = options(text, "span", "limit", "useother", "usenull")
    wanted, group_by = _read(table, rest, now, "timechart")
    if len(group_by) > 1 or (group_by and len(wanted) > 1):
        raise Fault("timechart: one by-field and then one function")
    if not table.rows:
        return table.of([])
    times = [row["_time"] for row in table.rows]
    earliest = instant(window.earliest, now, otherwise=-math.inf)
    latest = instant(window.latest, now, otherwise=math.inf)
    first = earliest if math.isfinite(earliest) else min(times)
    last = latest if math.isfinite(latest) else max(times) + 1
    step = span(said["span"]) if "span" in said else usual_span(last - first)
    buckets: dict[float, list[Row]] = {}
    at = first - first % step
    while at < last:
        buckets[at] = []
        at += step
    for row in table.rows:
        buckets.setdefault(row["_time"] - row["_time"] % step, []).append(row)
    timed = sorted(buckets.items())
    if not group_by:
        rows = [{"_time": at, **computed(wanted, group)} for at, group in timed]
        return table.made(rows, ["_time", *(each.name for each in wanted)])
    return _by_series(table, timed, wanted[0], group_by[0], said)


def _by_series(
    table: Table, timed: Sequence[tuple[float, list[Row]]], wanted: Aggregate, name: str, said: dict[str, str]
) -> Table:
    """The largest series by the sum over all spans; the rest is OTHER, what lacks the field is NULL."""

    def series_of(row: Row) -> str:
        return "NULL" if row.get(name) is None else str(shown(row[name]))

    totals: dict[str, float] = {}
    for _, group in timed:
        for series in {series_of(row) for row in group}:
            value = number(wanted.of([row for row in group if series_of(row) == series])) or 0
            totals[series] = totals.get(series, 0) + value
    if said.get("usenull") == "f":
        totals.pop("NULL", None)
    most = int(said.get("limit", _SERIES)) or len(totals)
    kept = sorted(sorted(totals, key=lambda series: -totals[series])[:most])
    others = [series for series in totals if series not in kept] if said.get("useother") != "f" else []
    rows = []
    for at, group in timed:
        parts = {series: [row for row in group if series_of(row) == series] for series in kept}
        if others:
            parts["OTHER"] = [row for row in group if series_of(row) in others]
        # A count of nothing is 0, a sum of nothing is no number: charts show a gap there.
        found = {series: wanted.of(part) if part or wanted.counts else None for series, part in parts.items()}
        rows.append({"_time": at, **{series: value for series, value in found.items() if value is not None}})
    columns = ["_time", *kept, *(["OTHER"] if others else [])]
    return Table(rows, table.names.plus(columns), tuple(columns), any_name=True)
