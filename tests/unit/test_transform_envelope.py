"""Time, host, sourcetype, index and hec_source: everything around the event."""

import orjson
import pytest

from app.model import Hook
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination, Match, Route
from app.transform import Filtered, transform
from tests.goldens import only


def _hook(
    body: object, resource: str = "error", *, sent_at: str = "1778000000", received_at: float = 1778000001.5
) -> Hook:
    return Hook(
        delivery_id="ab" * 16,
        tenant="acme",
        resource=resource,
        sent_at=sent_at,
        received_at=received_at,
        payload=orjson.dumps(body),
    )


def _destination(*routes: Route, **values: str) -> Destination:
    return Destination(
        tenant="acme",
        name="main",
        url="https://splunk.example",
        hec_token=None,
        hec_token_ref="env:T",
        index=values.get("index"),
        sourcetype=values.get("sourcetype"),
        hec_source=values.get("hec_source"),
        host=values.get("host"),
        routes=routes,
    )


def _error(**event: object) -> dict[str, object]:
    return {"action": "created", "data": {"error": event}}


def _made(hook: Hook, destination: Destination) -> HecEvent:
    return only(transform(hook, destination))


@pytest.mark.parametrize(
    ("event", "sent_at", "received_at", "expected"),
    [
        ({"datetime": "2026-05-04T09:08:07.5Z"}, "1778000000", 1778000001.5, "1777885687.5"),
        ({"timestamp": 1777885687.25}, "1778000000", 1778000001.5, "1777885687.25"),
        ({"datetime": "soon"}, "1778000000", 1778000001.5, "1778000000"),
        ({"datetime": "1970-01-01T00:00:00Z"}, "1778000000", 1778000001.5, "1778000000"),
        ({"datetime": "2036-05-04T09:08:07Z"}, "1778000000", 1778000001.5, "1778000000"),
        ({"datetime": "2036-05-04T09:08:07Z"}, "9e99", 1778000001.5, "1778000001.5"),
        ({}, "-5", 0.0, None),
        ({}, "", float("nan"), None),
    ],
)
def test_time_is_the_payloads_own_then_sent_then_received(
    event: dict[str, object], sent_at: str, received_at: float, expected: str | None
) -> None:
    """A date before 2000 or more than a day ahead of the receipt is not believed."""
    hook = _hook(_error(**event), sent_at=sent_at, received_at=received_at)
    assert _made(hook, _destination()).time == expected


def test_host_is_the_destinations_then_the_servers_and_else_unknown() -> None:
    """Never Sentry's own host, and never the user's address, which Sentry's own forwarder falls back to."""
    full = _error(
        tags=[["server_name", "web-3"]], web_url="https://acme.sentry.io/issues/1/", user={"ip_address": "203.0.113.9"}
    )
    linked = _error(web_url="https://acme.sentry.io/issues/1/", user={"ip_address": "203.0.113.9"})
    assert _made(_hook(full), _destination(host="relay-1")).host == "relay-1"
    assert _made(_hook(full), _destination()).host == "web-3"
    assert _made(_hook(linked), _destination()).host == "unknown"
    assert _made(_hook(_error(user={"ip_address": "203.0.113.9"})), _destination()).host == "unknown"


def test_no_line_end_stands_in_what_surrounds_the_event() -> None:
    """A server's name comes from a stranger: the host, the source and the indexed fields are one line each."""
    odd = "web-3\n\x1b[2Jforged\u2028line\u202e"
    made = _made(_hook(_error(server_name=odd, environment=odd)), _destination(hec_source="a\nb"))
    assert made.host == "web-3 [2Jforged line"
    assert made.fields["relay_environment"] == "web-3 [2Jforged line"
    assert made.hec_source == "a b"
    assert made.event["environment"] == odd
    assert _made(_hook(_error(server_name="\x01\x02")), _destination()).host == "unknown"


def test_the_head_says_when_the_relay_took_it_and_under_which_id() -> None:
    """As a number to calculate with; a receipt that is not known is not said."""
    event = _made(_hook(_error(), received_at=1778000001.23456), _destination()).event
    assert (event["received"], event["delivery_id"]) == (1778000001.235, "ab" * 16)
    assert "received" not in _made(_hook(_error(), received_at=float("nan")), _destination()).event


def test_the_name_of_who_acted_is_flat() -> None:
    """Beside the object, whose names need quotes in ``eval``."""
    body = {"action": "created", "actor": {"type": "user", "id": 7, "name": "Ana"}, "data": {"issue": {"id": "1"}}}
    event = _made(_hook(body, "issue"), _destination()).event
    assert event["actor_name"] == "Ana"


def test_index_sourcetype_and_hec_source_come_from_route_then_destination_then_default() -> None:
    """Never from the payload, which is not the operator's."""
    route = Route(when=Match({"project": ("shop",)}), index="shop", sourcetype="shop:errors", hec_source="shop")
    hook = _hook(_error(url="https://sentry.io/api/0/projects/acme/shop/events/1/", index="evil", sourcetype="evil"))
    made = _made(hook, _destination(route, index="main", sourcetype="all", hec_source="relay"))
    assert (made.index, made.sourcetype, made.hec_source) == ("shop", "shop:errors", "shop")
    made = _made(_hook(_error()), _destination(route, index="main", sourcetype="all", hec_source="relay"))
    assert (made.index, made.sourcetype, made.hec_source) == ("main", "all", "relay")
    made = _made(_hook(_error()), _destination())
    assert (made.index, made.sourcetype, made.hec_source) == (None, "sentry:error", "sentry:acme")


def test_a_route_that_drops_filters_the_hook() -> None:
    """The reason says which route it was, in its own words."""
    route = Route(when=Match({"resource": ("comment",), "action": ("created", "updated")}), drop=True)
    filtered = transform(_hook({"action": "created", "data": {"comment_id": 1}}, "comment"), _destination(route))
    assert filtered == Filtered("a route drops resource: comment, action: created|updated")


def test_a_route_sees_every_project_and_rule_of_an_alert() -> None:
    """A metric alert may watch several projects."""
    route = Route(when=Match({"project": ("stock",)}), drop=True)
    body = {"action": "critical", "data": {"metric_alert": {"projects": ["shop", "stock"]}}}
    assert isinstance(transform(_hook(body, "metric_alert"), _destination(route)), Filtered)


def test_an_unknown_action_of_a_known_resource_keeps_head_and_payload() -> None:
    """What can be read is read; what the relay does not know yet is kept whole."""
    body = {"action": "painted", "data": {"issue": {"id": "7", "title": "T", "project": {"slug": "shop"}}}}
    made = _made(_hook(body, "issue"), _destination())
    assert made.sourcetype == "sentry:unknown"
    assert made.event["resource"] == "issue"
    assert made.event["title"] == "T"
    assert made.event["flags"] == ["unknown_action"]
    assert made.event["payload"] == body


def test_an_unreadable_payload_is_kept_as_text() -> None:
    """Without the grant that stands in it, although nobody could parse it."""
    cut = b'{"action":"created","data":{"installation":{"status":"x","code":"short-grant","installUrl":"https://i/'
    hook = Hook(delivery_id="ab" * 16, tenant="acme", resource="installation", payload=cut)
    made = _made(hook, _destination())
    assert made.sourcetype == "sentry:unknown"
    assert made.event["flags"] == ["unreadable_payload", "unknown_action"]
    assert made.event["payload_text"] == (
        '{"action":"created","data":{"installation":{"status":"x","code":"[Filtered]","installUrl":"[Filtered]"'
    )


def test_a_body_that_overrules_the_header_says_so() -> None:
    """The header is not signed: whoever reads the event sees what it claimed."""
    made = _made(_hook(_error(title="T"), "comment"), _destination())
    assert (made.event["resource"], made.event["resource_header"]) == ("error", "comment")
    assert made.event["flags"] == ["resource_header_disagrees"]
