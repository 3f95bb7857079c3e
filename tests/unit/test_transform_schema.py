"""Schema, documentation, code and golden files say the same."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.sentry.resources import ACTIONS, OTHERS
from app.transform.schema.fields import DETAIL, DETAIL_NAMES, FLAGS, GROUPS, HEAD, HEAD_NAMES, IDENTITY
from app.transform.schema.nested import INSIDE
from tests.goldens import HEC_EVENTS, NAMES, ROOT

DOCS = (ROOT / "docs" / "events.md").read_text()
SCHEMA = json.loads((ROOT / "docs" / "events.schema.json").read_text())
EVENTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text())["event"] for path in sorted(HEC_EVENTS.glob("*.json"))
}
ELSEWHERE = frozenset(
    {"user_name", "user_name_hash", "user_email", "user_email_hash", "user_ip", "user_ip_hash", "payload_text"}
)
"""Fields that no golden file has: they need a tenant that wants them, or a payload that is no JSON."""
TYPES = {"string": str, "integer": int, "number": int | float, "boolean": bool, "array": list, "object": dict}


def _section(title: str) -> str:
    return DOCS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _first_column(section: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def _is(value: object, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean")


def _faults(value: object, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """What is wrong with a value by a schema, as far as ``events.schema.json`` uses the language."""
    if "anyOf" in schema:
        if all(list(_faults(value, each, path)) for each in schema["anyOf"]):
            yield f"{path} is none of those allowed"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path} is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is {value}"
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{path} is no {schema['type']}"
    if isinstance(value, list) and "items" in schema:
        for each in value:
            yield from _faults(each, schema["items"], f"{path}[]")
    if isinstance(value, dict):
        yield from _key_faults(value, schema, path)


def _key_faults(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{path}.{key} is missing" for key in schema.get("required", ()) if key not in value)
    for key, each in value.items():
        if key not in properties and others is False:
            yield f"{path}.{key} is not in the schema"
        else:
            inner = properties.get(key, others if isinstance(others, dict) else {})
            yield from _faults(each, inner, f"{path}.{key}")


@pytest.mark.parametrize("name", EVENTS)
def test_every_golden_event_is_as_the_schema_has_it(name: str) -> None:
    """Down to the keys of the objects inside; the file is generated from the code."""
    assert list(_faults(EVENTS[name], SCHEMA)) == []


def test_the_schema_finds_what_is_wrong() -> None:
    """A validator that lets everything pass would prove nothing."""
    good = EVENTS["error.created.typical"]
    for wrong in ({"level": 7}, {"odd": "x"}, {"severity": "high!"}, {"actor": {"age": 7}}, {"tags": {"a": 7}}):
        assert list(_faults(good | wrong, SCHEMA))


def test_every_field_is_documented_in_the_order_in_which_it_stands() -> None:
    """And no field that does not exist."""
    head, _, flags = _section("The head").partition("### Flags")
    assert _first_column(head) == list(HEAD_NAMES)
    assert flags
    assert _first_column(_section("The detail")) == list(DETAIL_NAMES)


def test_the_documentation_of_each_field_is_complete() -> None:
    """Type, meaning and where it is found are the code's own; where it comes from and a search are there."""
    for field in (*HEAD, *DETAIL):
        begins = f"| `{field.name}` | {field.type} | {field.meaning} | {field.found_in} | "
        (row,) = [line for line in DOCS.split("\n") if line.startswith(begins)]
        comes_from, search = row.removeprefix(begins).removesuffix(" |").split(" | ", 1)
        assert comes_from
        assert search.startswith("`")


def test_what_stands_inside_objects_is_documented() -> None:
    """Each key with its type and meaning."""
    for path, fields in INSIDE.items():
        for field in fields:
            shown = rf"\| `{path.replace('.', r'({})?.')}({{}})?\.{field.name}` \| {field.type} \| "
            assert re.search(shown + re.escape(field.meaning), DOCS), (path, field.name)


@pytest.mark.parametrize("field", [*HEAD, *DETAIL], ids=lambda field: field.name)
def test_a_field_is_found_where_the_schema_says_and_nowhere_else(field: Any) -> None:
    """Of each group that may have it there is a payload that does."""
    with_it = {event["resource"] for event in EVENTS.values() if field.name in event} & {*ACTIONS, *OTHERS}
    assert with_it <= field.resources
    if field.found_in != "all" and field.name not in {*ELSEWHERE, "tags_more", "resource_header"}:
        assert [each for each in field.found_in.split(", ") if not with_it & {*GROUPS.get(each, (each,))}] == []


def test_no_name_stands_twice() -> None:
    """Head and detail are one object."""
    names = (*HEAD_NAMES, *DETAIL_NAMES)
    assert len(names) == len(set(names))
    assert (*names[:4], "delivery_id") == tuple(name for name in names if name in IDENTITY)


def test_every_flag_is_documented() -> None:
    """Flags are words that people search for."""
    assert tuple(_first_column(_section("The head").partition("### Flags")[2])) == FLAGS


@pytest.mark.parametrize("resource", [*ACTIONS, *OTHERS])
@pytest.mark.parametrize("size", ["sparse", "typical", "worst"])
def test_every_resource_has_payloads_that_are_tried(resource: str, size: str) -> None:
    """At least one sparse, one typical and one as bad as it gets."""
    assert [name for name in NAMES if name.startswith(f"{resource}.") and name.endswith(f".{size}")]
