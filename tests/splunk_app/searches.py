"""Every search there is to run: panels of the dashboards, saved searches, workflow actions, blocks of the pages."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.spl.engine import Splunk
from tests.spl.sources import Lookup
from tests.spl.table import Table
from tests.spl.times import Window
from tests.spl.values import Row
from tests.splunk_app.events import known_names
from tests.splunk_app.packages import Files, all_macros
from tests.splunk_app.week import NEVER_HEARD, NOW, SILENT_TENANT

TOKENS = {"tenant|s": '"*"', "time.earliest": "-24h@h", "time.latest": "now"}
"""What the inputs of a dashboard put into its searches."""
TENANTS: Sequence[Row] = [
    {"tenant": SILENT_TENANT, "silent_hours_max": "12"},
    {"tenant": NEVER_HEARD, "silent_hours_max": "24"},
]


class Saved(NamedTuple):
    """A saved search with its time range."""

    text: str
    window: Window


def filled(text: str, tokens: Mapping[str, str]) -> str:
    """A search with its tokens replaced."""
    return re.sub(r"\$([\w.|!]+)\$", lambda match: tokens.get(match[1], match[0]), text)


def splunk(events: list[Row], add_on: Files, app: Files, tenants: Sequence[Row] = TENANTS) -> Splunk:
    """A Splunk with both packages installed, these events, and these tenants in the lookup of who is expected."""
    lookups = {}
    for name, stanza in app.conf("transforms").items():
        if stanza.get("external_type") == "kvstore":
            fields = tuple(field.strip() for field in stanza["fields_list"].split(","))
            lookups[name] = Lookup(fields, kv_store=True)
        else:
            header = app[f"lookups/{stanza['filename']}"].splitlines()[0]
            lookups[name] = Lookup(tuple(header.split(",")), [dict(tenant) for tenant in tenants])
    return Splunk(events, known_names(add_on), now=NOW, macros=all_macros(add_on, app), lookups=lookups)


def saved_searches(app: Files) -> dict[str, Saved]:
    """By name."""
    found = {}
    for name, stanza in app.conf("savedsearches").items():
        times = (stanza.get(f"dispatch.{key}", "") for key in ("earliest_time", "latest_time"))
        indexed = (stanza.get(f"dispatch.{key}", "") for key in ("index_earliest", "index_latest"))
        found[name] = Saved(stanza["search"], Window(*times, *indexed))
    return found


def workflow_searches(app: Files, event: Row) -> dict[str, str]:
    """The searches that the menu of this event offers."""
    tokens = {name: str(value) for name, value in event.items()}
    actions = app.conf("workflow_actions").items()
    return {
        name: filled(stanza["search.search_string"], tokens)
        for name, stanza in actions
        if stanza["type"] == "search" and stanza["fields"] in event
    }


def runner(engine: Splunk, definition: Mapping[str, Any]) -> Callable[[str], Table]:
    """Runs the data sources of a dashboard by their ids, each base search once."""
    done: dict[str, Table] = {}

    def run(name: str) -> Table:
        if name not in done:
            options = definition["dataSources"][name]["options"]
            text = filled(options["query"], TOKENS)
            times = options.get(
                "queryParameters", {"earliest": TOKENS["time.earliest"], "latest": TOKENS["time.latest"]}
            )
            base = run(options["extend"]) if "extend" in options else None
            done[name] = engine.run(text, Window(times["earliest"], times["latest"]), base)
        return done[name]

    return run


def run_dashboards(engine: Splunk, app: Files) -> Iterator[tuple[str, str, Table]]:
    """Every data source of every dashboard with its rows."""
    for page, definition in app.dashboards().items():
        run = runner(engine, definition)
        for name in definition["dataSources"]:
            yield page, name, run(name)
