"""hec_events as a search sees them: flat rows with indexed, extracted and calculated fields."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from app.delivery.destination.events import LaneState
from app.delivery.heartbeat import heartbeat
from app.delivery.tally import Posts
from app.model import Stream
from app.splunk.answers import Scope
from app.splunk.encode import encode
from app.transform.schema.json_schema import written
from tests.goldens import DESTINATION, HEC_EVENTS
from tests.spl.expressions import Expression
from tests.spl.table import Names
from tests.spl.values import Row
from tests.splunk_app.packages import ADD_ON, Files

HecEvent = dict[str, Any]

PIPELINE = {
    "of what was brought in afterwards": ("backfilled",),
    "of a gap": ("from", "to", "cause", "expected", "repaired", "not_repairable"),
}
"""Fields that the events are about to get and the schema does not have yet."""

SPLUNKS_OWN = frozenset({"_time", "_indextime", "_raw", "host", "source", "sourcetype", "index", "eventtype", "tag"})
INDEXED_BY_SPLUNK = frozenset({"_time", "_indextime", "host", "source", "sourcetype", "index"})


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of JSON under the names that Splunk's extraction gives them: ``a.b`` and ``list{}.c``."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from flattened(inside, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inside in value:
            yield from flattened(inside, f"{name}{{}}")
    else:
        yield name, str(value).lower() if isinstance(value, bool) else value


@cache
def calculated(sourcetype: str) -> tuple[tuple[str, Expression], ...]:
    """The calculated fields of a source type."""
    stanza = Files.of(ADD_ON).conf("props").get(sourcetype, {})
    return tuple((key[5:], Expression(text, now=0)) for key, text in stanza.items() if key.startswith("EVAL-"))


def row(hec_event: HecEvent, indexed_at: float | None = None) -> Row:
    """The row that Splunk's search head has of it, add-on installed; every EVAL sees the extracted fields only."""
    extracted: Row = {}
    for name, value in flattened(hec_event["event"]):
        if name in extracted:
            held = extracted[name]
            extracted[name] = [*(held if isinstance(held, list) else [held]), value]
        else:
            extracted[name] = value
    made = {name: text.value(extracted) for name, text in calculated(hec_event["sourcetype"])}
    at = float(hec_event["time"])
    return {
        **{name: value for name, value in (extracted | made).items() if value is not None},
        **hec_event["fields"],
        "_time": at,
        "_indextime": at if indexed_at is None else indexed_at,
        "_raw": json.dumps(hec_event["event"], ensure_ascii=False),
        "host": hec_event["host"],
        "source": hec_event["source"],
        "sourcetype": hec_event["sourcetype"],
        "index": "sentry",
    }


def heartbeat_of(
    tenant: str, at: float, books: Mapping[str, int], *, resent: int = 0, paused_for: str = ""
) -> HecEvent:
    """A heartbeat as the relay makes it."""
    stream = Stream(tenant, "main")
    lane = LaneState(
        stream=stream,
        scope=Scope.DESTINATION,
        index=None,
        state="open",
        words=paused_for,
        act="Splunk's admin",
        since=at,
    )
    made = heartbeat(
        replace(DESTINATION, tenant=tenant),
        books,
        posts=Posts(Counter({"0": 12}), resent),
        states=[lane] if paused_for else [],
        at=at,
        host="relay-1",
    )
    found: HecEvent = json.loads(encode(made))
    return found


@cache
def _heartbeat_names() -> frozenset[str]:
    books = dict.fromkeys(("waiting", "oldest_waiting_s", "dead", "delivered"), 0)
    said = heartbeat_of("acme", 1_778_000_000.0, books, paused_for="Splunk does not answer")
    return frozenset(name for name, _ in flattened(said["event"]))


def goldens() -> dict[str, HecEvent]:
    """Every golden hec_event by its name."""
    return {path.stem: json.loads(path.read_bytes()) for path in sorted(HEC_EVENTS.glob("*.json"))}


def _of_schema(schema: Any, name: str) -> Iterator[tuple[str, bool]]:
    """Each leaf that a schema allows, and each object with any keys (True): what holds others is no field itself."""
    anything = not {"type", "const", "enum"} & {*schema}
    open_object = schema.get("type") == "object" and not schema.get("properties")
    if name and (anything or open_object or schema.get("type") not in ("object", "array")):
        yield name, open_object or anything
    for key, inside in schema.get("properties", {}).items():
        yield from _of_schema(inside, f"{name}.{key}" if name else key)
    if isinstance(schema.get("items"), dict):
        yield from _of_schema(schema["items"], f"{name}{{}}")


@cache
def _schema_names() -> dict[str, bool]:
    return dict(_of_schema(json.loads(written()), ""))


def known_names(add_on: Files) -> Names:
    """What a search may name: by the code's schema, fields.conf, props.conf, and what comes with any event."""
    indexed = frozenset(add_on.conf("fields")) | INDEXED_BY_SPLUNK
    props = add_on.conf("props").values()
    calculated = {key[5:] for stanza in props for key in stanza if key.startswith("EVAL-")}
    found = _schema_names()
    coming = {name for names in PIPELINE.values() for name in names}
    exact = frozenset(found) | _heartbeat_names() | coming | calculated | indexed | SPLUNKS_OWN
    return Names(exact, tuple(f"{name}." for name, any_key in found.items() if any_key), indexed)
