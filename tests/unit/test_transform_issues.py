"""Issues that are no errors, and what people did to them."""

import orjson

from app.model import Hook
from app.tenants.model import Destination
from app.transform import transform
from tests.goldens import only

DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")


def _event(resource: str, body: dict[str, object]) -> dict[str, object]:
    hook = Hook(delivery_id="ab" * 16, tenant="acme", resource=resource, payload=orjson.dumps(body))
    made = only(transform(hook, DESTINATION))
    return orjson.loads(made.event_json)  # type: ignore[no-any-return]  # it is an object always


def test_what_is_no_exception_has_no_text_of_one() -> None:
    """A slow query and a missed check-in have metadata with a value and without a type."""
    event = {"title": "N+1 Query", "type": "transaction", "metadata": {"title": "N+1 Query", "value": "SELECT 1"}}
    assert "exception_value" not in _event("event_alert", {"action": "triggered", "data": {"event": event}})


def test_the_commit_that_resolved_an_issue_is_told() -> None:
    """Sentry tells it as an object."""
    details = {"inCommit": {"commit": "abcdef123456", "repository": "acme/shop"}}
    issue = {"id": "1", "title": "t", "status": "resolved", "statusDetails": details}
    told = _event("issue", {"action": "resolved", "data": {"issue": issue, "resolution_type": "in_commit"}})
    assert "abcdef123456" in str(told["issue"])


def test_an_issue_that_is_no_error_is_neither_handled_nor_not() -> None:
    """A missed check-in was not thrown, so nothing caught it."""
    issue = {"id": "1", "title": "Cron failure", "issueCategory": "cron", "isUnhandled": False}
    assert "handled" not in _event("issue", {"action": "created", "data": {"issue": issue}})
