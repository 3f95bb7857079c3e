"""The JSON Schema of a hec_event's ``event``, made from the schema that the code goes by.

``python -m app.transform.schema.json_schema > docs/events.schema.json`` writes it anew.
"""

import json
import sys
from collections.abc import Iterable

from app.sentry.resources import ACTIONS, OTHERS
from app.transform.schema.fields import DETAIL, FLAGS, HEAD, SCHEMA, SEVERITIES, Field
from app.transform.schema.nested import INSIDE

_SIMPLE = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_TAGS: dict[str, object] = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
}
_ALWAYS = ("schema", "tenant", "resource", "action")


def json_schema() -> dict[str, object]:
    """The schema, in draft 2020-12. A field may be masked or filtered by its tenant, and is text then."""
    properties = {field.name: _field(field, field.name) for field in (*HEAD, *DETAIL)}
    properties["schema"] = {"const": SCHEMA, "description": HEAD[0].meaning}
    properties["severity"] |= {"enum": sorted({*SEVERITIES.values(), "low"})}
    properties["flags"] |= {"items": {"enum": list(FLAGS)}}
    for name in ("tags", "tags_more"):
        properties[name] |= _TAGS
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The event of a hec_event, schema {SCHEMA}",
        "description": f"Resources: {', '.join((*ACTIONS, *OTHERS))}, or whatever name an unknown one has.",
        "type": "object",
        "required": list(_ALWAYS),
        "properties": properties,
        "additionalProperties": False,
    }


def _field(field: Field, path: str) -> dict[str, object]:
    said: dict[str, object] = {"description": field.meaning}
    if field.found_in != "all":
        said["x-found-in"] = sorted(field.resources)
    if field.type in _SIMPLE:
        return said | {"type": _SIMPLE[field.type]}
    if field.type == "strings":
        return said | {"type": "array", "items": {"type": "string"}}
    if field.type == "any":
        return said
    inside = _object(INSIDE.get(path, ()), path)
    return said | ({"type": "array", "items": inside} if field.type == "objects" else inside)


def _object(fields: Iterable[Field], path: str) -> dict[str, object]:
    """An object with these keys only; with any, where the payload decides what they are."""
    properties = {field.name: _field(field, f"{path}.{field.name}") for field in fields}
    return {"type": "object"} | ({"properties": properties, "additionalProperties": False} if properties else {})


def written() -> str:
    """As the file has it."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
