"""Where rows come from and go to: the index (``tstats``) and lookups."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.spl.aggregates import aggregates, computed, grouped
from tests.spl.faults import Fault
from tests.spl.search import Search
from tests.spl.table import Names, Table
from tests.spl.text import names, options, split
from tests.spl.times import span
from tests.spl.values import Row


@dataclass
class Lookup:
    """A lookup: its fields and what it holds. ``kv_store`` has keys of its own."""

    fields: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    kv_store: bool = False


@dataclass(frozen=True)
class Tstats:
    """A ``tstats`` that was read."""

    search: Search
    text: str
    by: list[str]
    step: int | None
    fill: str | None

    @staticmethod
    def read(text: str) -> "Tstats":
        """``[fillnull_value="x"] functions [where …] [by … [span=1h]]``."""
        said, rest = options(text, "fillnull_value", "span")
        match = re.match(r"(.*?)(?:\s+where\s+(.*?))?(?:\s+by\s+(.*))?$", rest, re.IGNORECASE | re.DOTALL)
        if not match:
            raise Fault(f"tstats cannot read {text!r}")
        group_by = names(match[3] or "")
        step = span(said["span"]) if "span" in said else None
        if ("_time" in group_by) != (step is not None):
            raise Fault("tstats: by _time and span go together")
        return Tstats(Search(match[2] or ""), match[1], group_by, step, said.get("fillnull_value"))

    def run(self, found: Iterable[Row], known: Names, now: float) -> Table:
        """Its rows, out of indexed fields only."""
        wanted = aggregates(self.text, now)
        if self.search.words or any(each.expression for each in wanted):
            raise Fault("tstats takes neither words nor eval")
        read = self.search.fields | set(self.by) | {name for each in wanted for name in each.fields}
        if missing := sorted(read - known.indexed):
            raise Fault(f"tstats: not indexed: {', '.join(missing)}")
        rows = []
        for event in found:
            row = {name: value for name, value in event.items() if name in known.indexed}
            if self.step:
                row["_time"] -= row["_time"] % self.step
            if self.fill is not None:
                row = dict.fromkeys(self.by, self.fill) | row
            rows.append(row)
        table = Table(rows, known)
        columns = [*self.by, *(each.name for each in wanted)]
        if not self.by:
            return table.made([computed(wanted, rows)], columns)
        groups = grouped(rows, self.by).items()
        return table.made(
            [dict(zip(self.by, key, strict=True)) | computed(wanted, part) for key, part in groups], columns
        )


def named(lookups: dict[str, Lookup], name: str) -> Lookup:
    """The lookup of this name."""
    if name not in lookups:
        raise Fault(f"no lookup {name!r}")
    return lookups[name]


def inputlookup(lookups: dict[str, Lookup], table: Table, text: str) -> Table:
    """What the lookup holds."""
    said, name = options(text, "append")
    lookup = named(lookups, name)
    rows = [dict(row) for row in lookup.rows]
    if said.get("append") != "true":
        return table.made(rows, lookup.fields)
    columns = tuple(dict.fromkeys([*table.columns, *lookup.fields])) if table.columns else ()
    return Table([*table.rows, *rows], table.names.plus(lookup.fields), columns, table.any_name)


def lookup(lookups: dict[str, Lookup], table: Table, text: str) -> Table:
    """``lookup NAME key OUTPUT field as name``: fields of the row with the same key."""
    match = re.fullmatch(r"(\w+)\s+(\w+)\s+OUTPUT\s+(.+)", text)
    if not match:
        raise Fault(f"lookup cannot read {text!r}")
    source, key = named(lookups, match[1]), match[2]
    pairs = [re.fullmatch(r"(\w+)(?:\s+as\s+(\w+))?", each, re.IGNORECASE) for each in split(match[3], ",")]
    wanted = {(pair[2] or pair[1]): pair[1] for pair in pairs if pair}
    table.need([key], "lookup")
    if missing := {key, *wanted.values()} - {*source.fields}:
        raise Fault(f"lookup {match[1]} has no {', '.join(sorted(missing))}")
    by_key = {str(row[key]): row for row in source.rows if key in row}
    rows = []
    for row in table.rows:
        found = by_key.get(str(row.get(key)), {})
        rows.append(row | {name: found[field] for name, field in wanted.items() if field in found})
    return Table(rows, table.names.plus(wanted), table.columns, table.any_name)


def outputlookup(lookups: dict[str, Lookup], table: Table, text: str) -> Table:
    """Puts rows into a KV store, each in the place of the one with its key."""
    said, name = options(text, "append", "key_field")
    target = named(lookups, name)
    if said != {"append": "true", "key_field": "_key"} or not target.kv_store:
        raise Fault(f"outputlookup: only append=true key_field=_key into a KV store, not {text!r}")
    extra = {each for row in table.rows for each in row} - {*target.fields}
    if extra:
        raise Fault(f"outputlookup: {name} has no {', '.join(sorted(extra))}")
    held = {str(row["_key"]): row for row in target.rows}
    target.rows = list((held | {str(row["_key"]): dict(row) for row in table.rows}).values())
    return table
