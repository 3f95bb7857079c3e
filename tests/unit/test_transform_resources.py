"""Every resource, by payloads of this project's own in the shapes that Sentry sends, against the whole hec_event."""

import json

import pytest

from app.transform import transform
from app.transform.schema.json_schema import written
from tests.goldens import DELIVERY_ID, DESTINATION, HEC_EVENTS, NAMES, SCHEMA, SENT_AT, goldens, hook_of
from tests.goldens import made_of as _transformed

SECRETS = (
    "0123456789abcdef0123456789abcdef",
    "short-grant",
    "k-778899",
    "k-998877",
    "t-556677",
    "s-112233",
    "abcdef123456",
    "w-121212",
    "i-343434",
    "565656",
    "SECRET_SOURCE_LINE",
    "203.0.113.9",
    "kunde@example.org",
    "203.0.113.77",
    "hunter2",
    "Ada Byron",
    "ada.byron@example.org",
)


GOLDENS = goldens()


@pytest.mark.parametrize("name", GOLDENS)
def test_each_payload_becomes_the_hec_event_that_stands_beside_it(name: str) -> None:
    """The golden file is the whole envelope; ``python -m tests.goldens`` writes them anew where a change is meant."""
    assert GOLDENS[name] == json.loads((HEC_EVENTS / f"{name}.json").read_text())


def test_no_golden_file_is_left_over_and_the_schema_is_the_codes_own() -> None:
    """Every file belongs to a payload, and docs/events.schema.json is what the code says."""
    assert {path.stem for path in HEC_EVENTS.glob("*.json")} == GOLDENS.keys()
    assert SCHEMA.read_text() == written()


@pytest.mark.parametrize("name", NAMES)
def test_identifying_keys_come_first_and_no_name_has_two_values(name: str) -> None:
    """Schema, tenant, resource, action and title begin each event; no indexed field is a key of it."""
    made = transform(hook_of(name), DESTINATION)
    assert isinstance(made, tuple)
    ids = [hec_event.event["delivery_id"] for hec_event in made]
    assert ids == ([DELIVERY_ID] if len(made) == 1 else [f"{DELIVERY_ID}-{n + 1}" for n in range(len(made))])
    for hec_event in made:
        assert list(hec_event.event)[:5] == ["schema", "tenant", "resource", "action", "title"]
        assert not set(hec_event.fields) & set(hec_event.event)


@pytest.mark.parametrize("name", GOLDENS)
def test_nothing_secret_or_personal_of_the_payloads_passes(name: str) -> None:
    """Grants, download links, cookies, headers, query secrets, source lines, names and addresses stay behind."""
    found = json.dumps(GOLDENS[name], ensure_ascii=False)
    assert [secret for secret in SECRETS if secret in found] == []


def test_the_error_event_reads_as_a_splunk_user_wants_it() -> None:
    """Outermost exception, the application's newest frame, unhandled, project and organization from the link."""
    event = _transformed("error.created.typical").event
    assert event["exception_type"] == "PaymentError"
    assert event["frame"] == "shop/pay.py:88 in charge"
    assert (event["frame_in_app"], event["handled"]) == (True, False)
    assert (event["project"], event["project_id"], event["organization"]) == ("shop", "4507000000000001", "brauerei")
    assert event["tags"] == {
        "environment": "production",
        "handled": "no",
        "level": "error",
        "release": "shop@2.4.1",
        "server_name": "web-3",
        "team": ["payments", "ledger"],
    }


def test_both_date_spellings_are_the_same_instant() -> None:
    """``+00:00`` without a fraction and ``Z`` with one come out in the one spelling."""
    assert _transformed("error.created.typical").time == "1777885687"
    assert _transformed("event_alert.triggered.typical").time == "1777885687.25"
    assert _transformed("issue.created.typical").event["first_seen"] == "2026-05-04T09:08:07.000000Z"


def test_a_change_without_a_time_of_its_own_has_the_time_it_was_sent() -> None:
    """When an issue was resolved stands nowhere in the payload; when its last event came in is another matter."""
    assert _transformed("issue.resolved.typical").time == SENT_AT
    assert _transformed("metric_alert.critical.typical").time == SENT_AT
    assert _transformed("metric_alert.resolved.typical").time == SENT_AT


def test_renamed_spellings_have_one_shape() -> None:
    """``archived`` keeps its action and has the status of ``ignored``; ids are strings, counts numbers."""
    event = _transformed("issue.archived.typical").event
    assert (event["action"], event["status"], event["substatus"]) == (
        "archived",
        "ignored",
        "archived_until_condition_met",
    )
    assert event["actor"] == {"type": "user", "id": "77", "name": "Anna Weiß"}
    assert (event["count"], event["user_count"]) == (25, 3)


def test_seer_names_the_changed_files_and_leaves_the_source_behind() -> None:
    """A diff is the customer's source code; the path and the line counts are enough to search."""
    event = _transformed("seer.coding_completed.typical").event
    assert event["seer"] == {
        "changes": [{"repo": "brauerei/shop", "path": "shop/bank.py", "type": "M", "added": 3, "removed": 1}]
    }


def test_an_unknown_resource_keeps_its_name_and_everything_else() -> None:
    """Sentry added four resources in two years: the next one arrives before the relay knows it."""
    made = _transformed("tide_table.published.typical")
    assert made.sourcetype == "sentry:unknown"
    assert (made.event["resource"], made.event["action"]) == ("tide_table", "published")
    kept = made.event["payload"]
    assert isinstance(kept, dict)
    assert kept["data"] == {
        "tide": {"height": 1.5},
        "installation_grant": {"installation": {"code": "[Filtered]"}},
        "installUrl": "[Filtered]",
    }
