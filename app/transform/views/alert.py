"""``metric_alert``: a number crossed a threshold, or came back."""

from app.sentry.dates import iso_text
from app.sentry.links import organization_of
from app.transform.schema.fields import SEVERITIES
from app.transform.values import Obj, first, number, obj, objects, present, text, texts
from app.transform.views.base import View, link, settings_of


def metric_alert(body: Obj) -> View:
    """The state is the action; the measured value stands in the description's words and nowhere else.

    Every action happens when Sentry sends it. ``date_closed`` is no time for it: Sentry computes it backwards from the
    rule's window, so that an incident may close before its own ``critical`` was sent (Sentry's
    ``calculate_event_date_from_update_date``).
    """
    said = obj(body.get("data"))
    incident = obj(said.get("metric_alert"))
    rule = obj(incident.get("alert_rule"))
    action = text(body.get("action"), 64)
    projects = texts(incident.get("projects"), count_max=20) or texts(rule.get("projects"), count_max=20)
    head: dict[str, object] = {
        "title": first(said.get("description_title"), incident.get("title"), rule.get("name"), chars_max=1000),
        "severity": SEVERITIES.get(action) if action else None,
        "project": projects[0] if projects else None,
        "projects": projects if len(projects) > 1 else None,
        "organization": organization_of([said.get("web_url")]),
        "organization_id": first(incident.get("organization_id"), rule.get("organization_id"), chars_max=64),
        "url": link(said.get("web_url")),
        "environment": _environment(rule.get("environment")),
        "rule": text(rule.get("name")),
        "rule_id": text(rule.get("id"), 64),
        "trigger": action,
        "alert_id": text(incident.get("id"), 64),
        "status": action,
        "first_seen": iso_text(first(incident.get("date_started"), incident.get("date_detected"))),
    }
    detail: dict[str, object] = {
        "description": text(said.get("description_text"), 2000),
        "alert": _rule(incident, rule),
    }
    return View(head, detail)


def _rule(incident: Obj, rule: Obj) -> dict[str, object]:
    triggers = objects(rule.get("triggers"))[:10]
    actions = [action for trigger in triggers for action in objects(trigger.get("actions"))]
    settings = [found for action in actions[:10] if (found := settings_of(action.get("settings")))]
    return present(
        (
            ("name", text(incident.get("title"), 300)),
            ("identifier", text(incident.get("identifier"), 64)),
            ("query", text(rule.get("query"), 1000)),
            ("aggregate", text(rule.get("aggregate"), 300)),
            ("dataset", text(rule.get("dataset"), 64)),
            ("time_window_minutes", number(rule.get("time_window"))),
            ("threshold_type", number(rule.get("threshold_type"))),
            ("threshold_period", number(rule.get("threshold_period"))),
            ("resolve_threshold", number(rule.get("resolve_threshold"))),
            ("triggers", [found for trigger in triggers if (found := _trigger(trigger))]),
            ("settings", settings[0] if settings else None),
            ("detected", iso_text(incident.get("date_detected"))),
            ("closed", iso_text(incident.get("date_closed"))),
        )
    )


def _trigger(trigger: Obj) -> dict[str, object]:
    threshold = first(trigger.get("alert_threshold"), trigger.get("alertThreshold"), chars_max=40)
    return present((("label", text(trigger.get("label"), 64)), ("threshold", threshold)))


def _environment(value: object) -> str | None:
    """A name, or in some versions an object that has one."""
    return first(value, obj(value).get("name"))
