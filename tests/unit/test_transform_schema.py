"""Schema, documentation and code say the same."""

import re
from pathlib import Path

from app.sentry.resources import ACTIONS
from app.transform.schema import DETAIL_NAMES, FLAGS, HEAD, HEAD_NAMES

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def _section(title: str) -> str:
    return DOCS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _first_column(section: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_field_is_documented_in_the_order_in_which_it_stands() -> None:
    """And no field that does not exist."""
    head, _, flags = _section("The head").partition("### Flags")
    assert _first_column(head) == list(HEAD_NAMES)
    assert flags
    assert _first_column(_section("The detail")) == list(DETAIL_NAMES)


def test_types_and_meanings_are_the_codes_own() -> None:
    """A row begins with what the schema says of the field."""
    assert [field.name for field in HEAD if f"| `{field.name}` | {field.type} | {field.meaning} |" not in DOCS] == []


def test_no_name_stands_twice() -> None:
    """Head and detail are one object."""
    names = (*HEAD_NAMES, *DETAIL_NAMES)
    assert len(names) == len(set(names))


def test_every_flag_is_documented() -> None:
    """Flags are words that people search for."""
    assert tuple(_first_column(_section("The head").partition("### Flags")[2])) == FLAGS


def test_every_resource_has_payloads_that_are_tried() -> None:
    """At least one typical and one sparse."""
    names = [path.name for path in (Path(__file__).parents[1] / "fixtures" / "payloads").glob("*.json")]
    for resource in (*ACTIONS, "legacy", "service_hook"):
        for size in ("typical", "sparse"):
            assert [name for name in names if name.startswith(f"{resource}.") and f".{size}." in name], (resource, size)
