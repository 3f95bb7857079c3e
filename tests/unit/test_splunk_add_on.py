"""The add-on in deploy/splunk fits the events: every source type, every indexed field, and CIM's required fields."""

import configparser
import re
from typing import Any

import orjson
import pytest

from app import __version__
from app.sentry.resources import ACTIONS, OTHERS, UNKNOWN
from tests.unit.pages import DOCS, ROOT, rows, section

ADD_ON = ROOT / "deploy" / "splunk" / "TA_sentry_splunk_relay"
GOLDENS = sorted((ROOT / "tests" / "fixtures" / "hec_events").glob("*.json"))
TICKETS = {"sentry:issue", "sentry:comment"}
ALERTS = {"sentry:event_alert", "sentry:activity_alert", "sentry:metric_alert"}
TICKET_FIELDS = {"dest", "priority", "severity", "severity_id", "status", "ticket_id"}
"""What the CIM model Ticket Management requires (pytest-splunk-addon's data model definitions)."""
ALERT_FIELDS = {*("app", "description", "dest", "id", "severity", "signature", "signature_id", "src", "type", "user")}
"""What alert normalisation requires, from the same definitions."""


def conf(name: str) -> configparser.ConfigParser:
    """One of the add-on's files."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as the library documents
    with (ADD_ON / name).open(encoding="utf-8") as file:
        parser.read_file(file)
    return parser


def evaluated(expression: str, event: dict[str, Any]) -> Any:
    """What Splunk makes of the little that the add-on uses: coalesce, "text", 'a.path' and names."""
    if match := re.fullmatch(r"coalesce\((.*)\)", expression):
        values = (evaluated(each.strip(), event) for each in match[1].split(","))
        return next((each for each in values if each is not None), None)
    if match := re.fullmatch(r'"([^"]*)"', expression):
        return match[1]
    assert re.fullmatch(r"\w+|'[\w.]+'", expression), expression
    found: Any = event
    for key in expression.strip("'").split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def normalised(golden: dict[str, Any]) -> dict[str, Any]:
    """The event's own fields and what the stanza of its source type calculates."""
    event = golden["event"]
    stanza = conf("default/props.conf")[golden["sourcetype"]]
    calculated = {key[5:]: evaluated(text, event) for key, text in stanza.items() if key.startswith("EVAL-")}
    return {**event, **{name: value for name, value in calculated.items() if value is not None}}


def events(sourcetypes: set[str]) -> list[Any]:
    """The golden events of these source types."""
    goldens = {path.stem: orjson.loads(path.read_bytes()) for path in GOLDENS}
    return [pytest.param(each, id=name) for name, each in goldens.items() if each["sourcetype"] in sourcetypes]


@pytest.mark.parametrize("golden", events(TICKETS))
def test_issues_and_comments_have_what_ticket_management_requires(golden: dict[str, Any]) -> None:
    """Even the sparsest, and with the severities that the model knows."""
    fields = normalised(golden)
    assert not {name for name in TICKET_FIELDS if not fields.get(name)}
    assert fields["severity"] in {"critical", "high", "medium", "low", "informational", "unknown"}


@pytest.mark.parametrize("golden", events(ALERTS))
def test_alerts_have_what_alert_normalisation_requires(golden: dict[str, Any]) -> None:
    """Even the sparsest."""
    fields = normalised(golden)
    assert not {name for name in ALERT_FIELDS if not fields.get(name)}


def test_every_source_type_has_its_stanza() -> None:
    """And each is read the same way."""
    props = conf("default/props.conf")
    sent = {orjson.loads(path.read_bytes())["sourcetype"] for path in GOLDENS}
    assert set(props.sections()) == {f"sentry:{resource}" for resource in (*ACTIONS, *OTHERS, UNKNOWN)}
    assert sent <= set(props.sections())
    for name in props.sections():
        assert (props[name]["KV_MODE"], props[name]["TRUNCATE"]) == ("json", "1000000")


def test_every_indexed_field_is_declared() -> None:
    """Those that events carry, and the mark of another attempt."""
    sent = {name for path in GOLDENS for name in orjson.loads(path.read_bytes())["fields"]}
    assert set(conf("default/fields.conf").sections()) == sent | {"relay_attempt", "relay_waited"}


def test_tags_hang_on_event_types_that_exist() -> None:
    """Alerts carry no tag of the model for security tools unless somebody wants it."""
    types = conf("default/eventtypes.conf")
    assert {f"eventtype={name}" for name in types.sections()} >= set(conf("default/tags.conf").sections())
    found = {name: set(re.findall(r'"(sentry:\w+)"', types[name]["search"])) for name in types.sections()}
    assert found == {"sentry_ticket": TICKETS, "sentry_alert": ALERTS}


def test_it_has_the_relays_version_and_its_own_name() -> None:
    """Splunk wants the folder's name as its id."""
    app = conf("default/app.conf")
    assert {app["launcher"]["version"], app["id"]["version"]} == {__version__}
    assert {app["package"]["id"], app["id"]["name"]} == {ADD_ON.name}


def test_the_page_says_what_the_add_on_calculates() -> None:
    """Every calculated field has its row under the Common Information Model."""
    assert section(DOCS / "events.md", "## Common Information Model")
    said = {name for row in rows("events.md", "## Common Information Model") for name in row.code[0]}
    props = conf("default/props.conf")
    made = {key[5:] for name in props.sections() for key in props[name] if key.startswith("EVAL-")}
    assert made == said
