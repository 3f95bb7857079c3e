"""The add-on in deploy/splunk fits the events: source types, indexed fields, the names and values that CIM wants."""

import re
from typing import Any

import pytest

from app.sentry.resources import ACTIONS, OTHERS, UNKNOWN
from app.splunk.encode import RELAY_ATTEMPT, RELAY_WAITED
from tests.spl.search import Search
from tests.splunk_app.cim import ALERTS, CHANGE, PROBLEM, Model
from tests.splunk_app.events import calculated, goldens, known_names, row
from tests.splunk_app.packages import ADD_ON, Files
from tests.splunk_app.week import Week
from tests.unit.pages import DOCS, rows, section

PACKAGE = Files.of(ADD_ON)
PROPS = PACKAGE.conf("props")
OF_MODEL = {
    PROBLEM: ("sentry:issue",),
    CHANGE: ("sentry:installation",),
    ALERTS: ("sentry:event_alert", "sentry:activity_alert", "sentry:metric_alert"),
}
LEFT_TO_THE_MODEL = {"status", "priority", "severity"}
"""What people filter issues by stays as it is in the event: the model says ``unknown`` where it is absent."""
COMING = {"relay_backfilled"}
"""Indexed fields that the events are about to get."""


def events(model: Model) -> list[Any]:
    """The golden events that belong to a model."""
    found = {name: event for name, event in goldens().items() if event["sourcetype"] in OF_MODEL[model]}
    assert found
    return [pytest.param(row(event), id=name) for name, event in found.items()]


def wrong(model: Model, fields: dict[str, Any], left: frozenset[str] = frozenset()) -> list[str]:
    """Fields that the model requires and the event has not, and values that it does not know."""
    missing = [name for name in model.required if fields.get(name) in (None, "") and name not in left]
    allowed = model.prescribed.items()
    return missing + [
        f"{name}={fields[name]}" for name, known in allowed if fields.get(name) and fields[name] not in known
    ]


@pytest.mark.parametrize("fields", events(PROBLEM))
def test_issues_are_problems_of_ticket_management(fields: dict[str, Any]) -> None:
    """Even the sparsest; and the id of a ticket is the one that its comments and errors have."""
    assert not wrong(PROBLEM, fields, frozenset(LEFT_TO_THE_MODEL))
    assert fields["ticket_id"] == fields["issue_id"]
    assert fields["severity_id"] in range(1, 7)
    assert fields.get("severity") in (None, "critical", "high", "medium", "low", "informational")


@pytest.mark.parametrize("fields", events(ALERTS))
def test_alerts_have_what_alert_normalisation_requires(fields: dict[str, Any]) -> None:
    """Even the sparsest, with the severities and types that the model knows; ITSI's number for resolved is 2."""
    assert not wrong(ALERTS, fields)
    assert fields["severity_id"] == (2 if fields["action"] == "resolved" else fields["severity_id"])
    assert fields["severity_id"] in range(1, 7)
    if fields["resource"] == "metric_alert":
        assert fields["vendor_severity"] == fields["trigger"]


@pytest.mark.parametrize("fields", events(CHANGE))
def test_installations_are_changes(fields: dict[str, Any]) -> None:
    """What happened to the integration stays in ``action``; the model's ``status`` says that it succeeded."""
    assert not wrong(CHANGE, fields)
    assert fields["action"] in ("created", "deleted")


def test_severity_and_its_number_agree() -> None:
    """6 is critical, 1 informational, in issues and alerts alike."""
    numbers = {"critical": 6, "high": 5, "medium": 4, "low": 3, "informational": 1, None: 1}
    for event in goldens().values():
        fields = row(event)
        if "severity_id" in fields and fields["action"] != "resolved":
            assert fields["severity_id"] == numbers[fields.get("severity")]


def test_a_tickets_submission_is_a_number() -> None:
    """Whatever fraction Sentry's date has."""
    fields = row(goldens()["issue.created.typical"])
    assert fields["time_submitted"] == 1_777_885_687.0


def test_a_comment_does_not_touch_the_state_of_its_ticket() -> None:
    """It has an event type of its own and no tag of the model."""
    types, tags = PACKAGE.conf("eventtypes"), PACKAGE.conf("tags")
    tagged = [types[name.removeprefix("eventtype=")]["search"] for name, tag in tags.items() if "ticketing" in tag]
    comment = row(goldens()["comment.created.typical"])
    assert tagged
    assert not [text for text in tagged if Search(text).matches(comment)]
    assert Search(types["sentry_comment"]["search"]).matches(comment)


def test_tags_are_those_of_the_models() -> None:
    """Alerts carry none of the model for security tools unless somebody wants it."""
    found = {name.removeprefix("eventtype="): set(tags) for name, tags in PACKAGE.conf("tags").items()}
    assert found == {"sentry_issue": set(PROBLEM.tags), "sentry_integration_change": set(CHANGE.tags)}
    assert f"# {ALERTS.tags[0]} = enabled" in PACKAGE["default/tags.conf"]


def test_every_source_type_has_its_stanza() -> None:
    """And each is read the same way; none has its fields twice."""
    sent = {event["sourcetype"] for event in goldens().values()} | {
        event["sourcetype"] for event, _ in Week(hours=0).events
    }
    assert set(PROPS) == {f"sentry:{resource}" for resource in (*ACTIONS, *OTHERS, UNKNOWN, "relay", "gap")}
    assert sent <= set(PROPS)
    for stanza in PROPS.values():
        assert (stanza["KV_MODE"], stanza["TRUNCATE"], stanza["DATETIME_CONFIG"]) == ("json", "1000000", "CURRENT")
        assert "INDEXED_EXTRACTIONS" not in stanza
    assert len({stanza["description"] for stanza in PROPS.values()}) == len(PROPS)


def test_every_event_type_finds_what_it_is_called() -> None:
    """By source types alone, so that it holds for every index."""
    found = {
        name: {
            event["event"]["resource"] for event in goldens().values() if Search(stanza["search"]).matches(row(event))
        }
        for name, stanza in PACKAGE.conf("eventtypes").items()
    }
    assert found.pop("sentry_any") == {event["event"]["resource"] for event in goldens().values()}
    assert found == {
        "sentry_error": {"error"},
        "sentry_issue": {"issue"},
        "sentry_comment": {"comment"},
        "sentry_alert": {"event_alert", "activity_alert", "metric_alert"},
        "sentry_integration_change": {"installation"},
    }


def test_every_indexed_field_is_declared_and_the_relays_own() -> None:
    """INDEXED holds for the name in every index of a Splunk, so no other name may be taken."""
    sent = {name for event in goldens().values() for name in event["fields"]}
    declared = set(PACKAGE.conf("fields"))
    assert declared == sent | {RELAY_ATTEMPT, RELAY_WAITED} | COMING
    assert not [name for name in declared if not name.startswith("relay_")]


def test_no_name_is_both_indexed_and_in_the_event() -> None:
    """It would have two values."""
    for event in goldens().values():
        assert not {*event["fields"]} & {*event["event"]}


def test_a_calculated_field_reads_what_its_events_have() -> None:
    """Each name in an EVAL is a field of the schema."""
    known = known_names(PACKAGE)
    for sourcetype in PROPS:
        for name, expression in calculated(sourcetype):
            assert not [field for field in expression.fields if not known.has(field)], f"{sourcetype} {name}"


def test_the_page_says_what_the_add_on_calculates() -> None:
    """Every calculated field has its row under the Common Information Model, and there is none too many."""
    assert section(DOCS / "events.md", "## Common Information Model")
    said = {name for line in rows("events.md", "## Common Information Model") for name in line.code[0]}
    made = {key[5:] for stanza in PROPS.values() for key in stanza if key.startswith("EVAL-")}
    assert made == said


def test_the_page_lists_the_macros() -> None:
    """With what each stands for."""
    said = {name for line in rows("splunk-setup.md", "## Macros") for name in line.code[0]}
    assert said == set(PACKAGE.macros())
    assert not [
        name for name, body in PACKAGE.macros().items() if re.search(r"\bindex=", body) and name != "sentry_index"
    ]
