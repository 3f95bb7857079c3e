"""Senders other than Sentry's platform, and hooks that go nowhere."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.model import Hook
from app.tenants.model import Destination, Match, Route
from app.transform import Filtered, transform
from app.transform.compose import explain
from app.transform.routing import facts_of, filtered_by, pick, sampled
from tests.goldens import hook_of, made_of, only

DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")


def _hook(body: object, resource: str = "error", number: int = 0) -> Hook:
    return Hook(delivery_id=f"{number:032x}", tenant="acme", resource=resource, payload=orjson.dumps(body))


def _error(**values: object) -> dict[str, Any]:
    return {"action": "created", "data": {"error": values}}


def test_glitchtip_is_known_by_its_attachments() -> None:
    """Issue and organization stand in the link, the level in a colour, the rest in fields."""
    made = made_of("glitchtip.triggered.typical")
    event = made.event
    assert made.sourcetype == "sentry:glitchtip"
    assert (event["organization"], event["issue_id"], event["project"]) == ("kasse", "81", "shop")
    assert (event["level"], event["severity"], event["environment"]) == ("error", "high", "production")
    assert event["url"] == "https://errors.example.org/kasse/issues/81"


def test_bugsink_is_known_by_its_reason() -> None:
    """A flat issue, and why it alerts."""
    made = made_of("bugsink.regressed.typical")
    event = made.event
    assert (made.sourcetype, made.time) == ("sentry:bugsink", "1777885687.5")
    assert (event["action"], event["substatus"], event["status"]) == ("regressed", "regressed", "unresolved")
    assert (event["short_id"], event["count"], event["exception_type"]) == ("SHOP-7", 25, "PaymentError")


@pytest.mark.parametrize("body", [{"text": "hi"}, {"attachments": ["x"]}, {"alert_reason": "NEW"}, {"alert_reason": 7}])
def test_a_body_of_no_known_shape_behind_a_key_passes_as_unknown(body: dict[str, object]) -> None:
    """Everything that came through the door is kept."""
    made = only(transform(replace(_hook(body), sender="legacy"), DESTINATION))
    assert made.sourcetype == "sentry:unknown"
    assert made.event["payload"] == body


def test_a_reason_of_tomorrow_is_an_unknown_action() -> None:
    """Bugsink may alert for more one day."""
    made = only(
        transform(replace(_hook({"project_name": "a", "alert_reason": "NAPPED"}), sender="legacy"), DESTINATION)
    )
    assert (made.event["action"], made.event["flags"]) == ("napped", ["unknown_action"])


@pytest.mark.parametrize(
    ("body", "resource", "own"),
    [
        (_error(url="https://sentry.io/api/0/projects/acme/relay/events/1/"), "error", True),
        (_error(project=4507), "error", True),
        (_error(url="https://sentry.io/api/0/projects/acme/shop/events/1/"), "error", False),
        ({"action": "created", "data": {"comment_id": 1, "project_slug": "relay"}}, "comment", True),
        ({"action": "critical", "data": {"metric_alert": {"projects": ["relay"]}}}, "metric_alert", True),
        ({"action": "critical", "data": {"metric_alert": {"projects": ["relay", "4507"]}}}, "metric_alert", True),
        ({"action": "critical", "data": {"metric_alert": {"projects": ["relay", "shop"]}}}, "metric_alert", False),
        ({"action": "pr_created", "data": {"run_id": 1}}, "seer", False),
    ],
)
def test_a_hook_of_the_relays_own_project_is_filtered(body: object, resource: str, *, own: bool) -> None:
    """Or the relay would feed itself."""
    destination = replace(DESTINATION, own_projects=frozenset({"relay", "4507"}))
    assert isinstance(transform(_hook(body, resource), destination), Filtered) is own


def _route(conditions: Mapping[str, tuple[str, ...]], **values: Any) -> Route:
    return Route(when=Match(conditions), **values)


def test_a_route_may_ask_for_tags() -> None:
    """By name and value; a tag that comes twice has both."""
    body = _error(tags=[["team", "payments"], ["team", "ledger"], ["plan", "pro"]])
    for value, matches in (("ledger", True), ("pay*", True), ("shop", False)):
        destination = replace(DESTINATION, routes=(_route({"tag:team": (value,)}, index="x"),))
        assert explain(_hook(body), destination)[0].route == (0 if matches else None)


def test_a_route_sees_what_privacy_takes_out() -> None:
    """A tag may decide the route and still be dropped."""
    privacy = replace(DESTINATION.privacy, drop_paths=(("tags",),))
    destination = replace(DESTINATION, privacy=privacy, routes=(_route({"tag:team": ("payments",)}, index="x"),))
    (explained,) = explain(_hook(_error(tags=[["team", "payments"]])), destination)
    assert not isinstance(explained.made, Filtered)
    assert (explained.route, explained.made.index) == (0, "x")
    assert "tags" not in explained.made.event


def test_a_sample_keeps_whole_issues_and_about_its_part() -> None:
    """All that happens to an issue shares its fate; raising the part keeps what was kept."""
    kept = [number for number in range(2_000) if sampled(str(number), 0.25)]
    assert 420 < len(kept) < 580
    assert set(kept) <= {number for number in range(2_000) if sampled(str(number), 0.5)}
    destination = replace(DESTINATION, routes=(_route({"resource": ("error",)}, sample=0.25),))
    for number in range(40):
        fates = {
            isinstance(
                transform(_hook(_error(issue_id=str(number), title=str(each)), number=each), destination), Filtered
            )
            for each in range(5)
        }
        assert fates == {number not in kept}


def test_a_hook_without_an_issue_is_drawn_by_its_id() -> None:
    """The same on every resend."""
    destination = replace(DESTINATION, routes=(_route({"resource": ("*",)}, sample=0.5),))
    fates = [
        isinstance(transform(_hook({"action": "created", "data": {}}, "tide", number), destination), Filtered)
        for number in range(200)
    ]
    assert 60 < sum(fates) < 140


def test_why_a_hook_is_filtered_is_said_in_the_routes_words() -> None:
    """For the log and ``relay explain``."""
    assert filtered_by(_route({"level": ("info", "debug")}, drop=True), "1") == "a route drops level: info|debug"
    assert "0.001" in str(filtered_by(_route({"level": ("info",)}, sample=0.001), "1"))
    assert filtered_by(_route({}), "1") is None


def test_each_sender_can_be_routed() -> None:
    """By its resource."""
    head = made_of("glitchtip.triggered.typical").event
    assert pick((_route({"resource": ("glitch*",)}),), facts_of(head, {})) == 0
    assert hook_of("glitchtip.triggered.typical").sender == "legacy"
