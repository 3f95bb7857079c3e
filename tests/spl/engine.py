"""Runs a search over events: macros, the index, then one command after the other.

A second opinion on our own SPL where no Splunk is at hand. It knows the commands and functions that our searches use
and refuses every other; it refuses macros, lookups and fields that are not there; rows without a by-field vanish as
they do in Splunk. What it says of a search's meaning is our reading of Splunk's documentation.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from tests.spl import sources
from tests.spl.commands import COMMANDS
from tests.spl.faults import Fault
from tests.spl.reports import eventstats, stats, timechart
from tests.spl.search import Search
from tests.spl.sources import Lookup, Tstats
from tests.spl.table import Names, Table
from tests.spl.text import split
from tests.spl.times import Window, instant
from tests.spl.values import Row

_NESTED_MAX = 10


class Splunk:
    """Events, macros and lookups, to be searched at a moment."""

    def __init__(
        self,
        events: Sequence[Row],
        names: Names,
        *,
        now: float,
        macros: Mapping[str, str] | None = None,
        lookups: dict[str, Lookup] | None = None,
    ) -> None:
        self._events = sorted(events, key=lambda row: -row["_time"])
        self._names = names
        self._now = now
        self._macros = macros or {}
        self.lookups = lookups or {}

    def run(self, text: str, window: Window | None = None, base: Table | None = None) -> Table:
        """The results of a search, or of one that goes on from ``base``. ``Fault`` for what Splunk would not run."""
        window = window or Window()
        stages = split(self._expanded(text), "|")
        if base is not None:
            table, stages = base, stages[1:] if stages[0] == "" else stages
        elif stages[0]:
            table, stages = self._searched(re.sub(r"^search\s+", "", stages[0]), window), stages[1:]
        else:
            table, stages = self._generated(stages[1], window), stages[2:]
        for stage in stages:
            table = self._command(table, stage, window)
        return table

    def _expanded(self, text: str, depth: int = 0) -> str:
        if depth > _NESTED_MAX:
            raise Fault("macros in a circle")

        def body(match: re.Match[str]) -> str:
            if match[1] not in self._macros:
                raise Fault(f"no macro {match[1]!r}")
            return self._expanded(self._macros[match[1]], depth + 1)

        expanded = re.sub(r"`([^`]*)`", body, text)
        if token := re.search(r"\$[\w.|]+\$", expanded):
            raise Fault(f"the token {token[0]} is still there")
        return expanded

    def _matching(self, search: Search, window: Window) -> Iterator[Row]:
        """Events of the range that match, newest first."""
        said, now = search.times, self._now
        earliest = instant(said.get("earliest", window.earliest), now, otherwise=-math.inf)
        latest = instant(said.get("latest", window.latest), now, otherwise=math.inf)
        index_earliest = instant(said.get("_index_earliest", window.index_earliest), now, otherwise=-math.inf)
        index_latest = instant(said.get("_index_latest", window.index_latest), now, otherwise=math.inf)
        for event in self._events:
            if (
                earliest <= event["_time"] < latest
                and index_earliest <= event["_indextime"] < index_latest
                and search.matches(event)
            ):
                yield event

    def _searched(self, text: str, window: Window) -> Table:
        search = Search(text)
        table = Table([], self._names)
        table.need(search.fields, "search")
        if missing := sorted(search.indexed - self._names.indexed):
            raise Fault(f"search: not indexed: {', '.join(missing)}")
        return table.of([dict(event) for event in self._matching(search, window)])

    def _generated(self, stage: str, window: Window) -> Table:
        """What begins with a pipe."""
        command, _, text = stage.partition(" ")
        if command == "tstats":
            read = Tstats.read(text)
            return read.run(self._matching(read.search, window), self._names, self._now)
        if command == "inputlookup":
            return sources.inputlookup(self.lookups, Table([], self._names), text)
        raise Fault(f"no search begins with {command!r}")

    def _command(self, table: Table, stage: str, window: Window) -> Table:
        name, _, text = stage.partition(" ")
        text = text.strip()
        if name in COMMANDS:
            return COMMANDS[name](table, text, self._now)
        if name in ("stats", "eventstats"):
            return (stats if name == "stats" else eventstats)(table, text, self._now)
        if name == "timechart":
            return timechart(table, text, self._now, window)
        if name in ("inputlookup", "lookup", "outputlookup"):
            return getattr(sources, name)(self.lookups, table, text)  # type: ignore[no-any-return]
        if name == "append":
            return self._appended(table, text, window)
        raise Fault(f"no command {name!r}")

    def _appended(self, table: Table, text: str, window: Window) -> Table:
        if not (text.startswith("[") and text.endswith("]")):
            raise Fault("append takes a search in brackets")
        other = self.run(text[1:-1].strip(), window)
        columns = tuple(dict.fromkeys([*table.columns, *other.columns])) if table.columns else ()
        return Table([*table.rows, *other.rows], table.names.plus(other.names.exact), columns, table.any_name)
