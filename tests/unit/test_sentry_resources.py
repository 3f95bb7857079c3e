"""How header and body together tell what a hook is."""

import orjson
import pytest

from app.model import Sender
from app.sentry.payload import read
from app.sentry.resources import ACTIONS, Kind, identify

_SUBJECT = {
    "installation": {"installation": {}},
    "issue": {"issue": {}},
    "error": {"error": {}},
    "comment": {"comment_id": 1},
    "event_alert": {"event": {}},
    "activity_alert": {"activity": {}, "issue": {}},
    "metric_alert": {"metric_alert": {}},
    "seer": {"run_id": 1},
    "preprod_artifact": {"buildId": "1"},
}


def _identify(header: str, body: object, sender: Sender = "integration") -> Kind:
    return identify(sender, header, read(orjson.dumps(body)))


@pytest.mark.parametrize(
    ("resource", "action"), [(each, action) for each in ACTIONS for action in sorted(ACTIONS[each])]
)
def test_every_resource_and_action_is_known(resource: str, action: str) -> None:
    """With the header that Sentry sends, and by the body alone where the header is missing."""
    body = {"action": action, "data": _SUBJECT[resource]}
    assert _identify(resource, body) == Kind(resource, action, known=True)
    assert _identify("", body) == Kind(resource, action, known=True, flags=("resource_header_missing",))


def test_where_header_and_body_disagree_the_body_decides() -> None:
    """The header is not signed; the hook says what it claimed."""
    kind = _identify("comment", {"action": "created", "data": {"error": {}}})
    assert kind == Kind("error", "created", known=True, header="comment", flags=("resource_header_disagrees",))


def test_an_issue_inside_another_resource_shows_nothing() -> None:
    """Seer's payloads may embed the issue; its action is none of an issue's."""
    kind = _identify("seer", {"action": "root_cause_completed", "data": {"issue": {"id": "1"}}})
    assert kind == Kind("seer", "root_cause_completed", known=True)


def test_a_resource_of_tomorrow_is_not_taken_for_the_issue_it_embeds() -> None:
    """Its own name counts, and it passes as unknown."""
    kind = _identify("Tide", {"action": "created", "data": {"issue": {}}})
    assert kind == Kind("Tide", "created", known=False, flags=("unknown_resource",))


@pytest.mark.parametrize(
    ("header", "body", "flag"),
    [
        ("issue", {"action": "painted", "data": {"issue": {}}}, "unknown_action"),
        ("issue", {"action": 7, "data": {"issue": {}}}, "unknown_action"),
        ("issue", {"action": "created", "data": []}, "unexpected_shape"),
        ("error", {"action": "created", "data": {"error": "text"}}, "unexpected_shape"),
        ("error", [], "payload_not_an_object"),
        ("", {}, "unknown_resource"),
    ],
)
def test_what_cannot_be_read_as_a_known_resource_is_flagged(header: str, body: object, flag: str) -> None:
    """Each with the word for why."""
    kind = _identify(header, body)
    assert not kind.known
    assert flag in kind.flags


def test_names_are_bounded_and_fit_to_show() -> None:
    """A header may be anything: control characters go, and so does the length."""
    kind = _identify("x\0\x1b" + "y" * 500, {"action": "z" * 500})
    assert kind.resource == "x\ufffd\ufffd" + "y" * 61
    assert len(kind.action) == 64


def test_other_senders_need_no_header() -> None:
    """The path says what they are; a payload of another shape (a chat message, say) is unknown."""
    assert _identify("", {"event": {}}, "legacy") == Kind("legacy", "triggered", known=True)
    assert _identify("", {"group": {}}, "service_hook") == Kind("service_hook", "event", known=True)
    assert _identify("", {"text": "hi"}, "legacy").flags == ("unexpected_shape",)
