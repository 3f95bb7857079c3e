"""``metric_alert``: a number crossed a threshold, or came back."""

from app.sentry.dates import iso_text
from app.sentry.links import organization_of
from app.transform.schema.fields import SEVERITIES
from app.transform.values import Obj, first, number, obj, objects, present, text, texts
from app.transform.views.base import View, capped, link, settings_of

_TRIGGERS_MAX = 10
_PROJECTS_MAX = 20
_THRESHOLD_TYPES = {0: "above", 1: "below", 2: "above_and_below"}
"""Sentry's ``AlertRuleThresholdType``."""


def metric_alert(body: Obj) -> View:
    """The state is the action; the measured value stands in the description's words and nowhere else.

    Every action happens when Sentry sends it. ``date_closed`` is no time for it: Sentry computes it backwards from the
    rule's window, so that an incident may close before its own ``critical`` was sent (Sentry's
    ``calculate_event_date_from_update_date``).
    """
    said = obj(body.get("data"))
    trimmed: list[str] = []
    incident = obj(said.get("metric_alert"))
    rule = obj(incident.get("alert_rule"))
    action = text(body.get("action"), 64)
    watched = capped(incident.get("projects") or rule.get("projects"), _PROJECTS_MAX, trimmed, "projects")
    projects = texts(watched, count_max=_PROJECTS_MAX)
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
        "alert": _rule(incident, rule, trimmed),
    }
    return View(head, detail, trimmed=trimmed)


def _rule(incident: Obj, rule: Obj, trimmed: list[str]) -> dict[str, object]:
    triggers = objects(capped(rule.get("triggers"), _TRIGGERS_MAX, trimmed, "alert"))
    delta = number(rule.get("comparison_delta"))
    return present(
        (
            ("name", text(incident.get("title"), 300)),
            ("identifier", text(incident.get("identifier"), 64)),
            ("query", text(rule.get("query"), 1000)),
            ("aggregate", text(rule.get("aggregate"), 300)),
            ("dataset", text(rule.get("dataset"), 64)),
            ("time_window_minutes", number(rule.get("time_window"))),
            ("detection_type", text(rule.get("detection_type"), 20)),
            ("comparison_delta_minutes", delta),
            ("sensitivity", text(rule.get("sensitivity"), 20)),
            ("seasonality", text(rule.get("seasonality"), 40)),
            ("threshold_type", _threshold_type(rule.get("threshold_type"))),
            ("threshold_unit", _unit(rule, triggers, percent=delta is not None)),
            ("threshold_period", number(rule.get("threshold_period"))),
            ("resolve_threshold", number(rule.get("resolve_threshold"))),
            ("triggers", [found for trigger in triggers if (found := _trigger(trigger, percent=delta is not None))]),
            ("settings", _settings(triggers, trimmed)),
            ("detected", iso_text(incident.get("date_detected"))),
            ("closed", iso_text(incident.get("date_closed"))),
        )
    )


def _settings(triggers: list[Obj], trimmed: list[str]) -> dict[str, object] | None:
    """Those of the first action that has any."""
    for trigger in triggers:
        for action in objects(capped(trigger.get("actions"), _TRIGGERS_MAX, trimmed, "alert")):
            if found := settings_of(action.get("settings"), trimmed, "alert"):
                return found
    return None


def _threshold_type(value: object) -> str | None:
    """In words; a number that is not known here stays one."""
    found = number(value)
    return _THRESHOLD_TYPES.get(found, str(found)) if isinstance(found, int) else None


def _unit(rule: Obj, triggers: list[Obj], *, percent: bool) -> str | None:
    """``absolute``, or ``percent`` of what it was ``comparison_delta_minutes`` before; an anomaly has no threshold."""
    if not triggers or (rule.get("detection_type") == "dynamic" and not percent):
        return None
    return "percent" if percent else "absolute"


def _trigger(trigger: Obj, *, percent: bool) -> dict[str, object]:
    threshold = first(trigger.get("alert_threshold"), trigger.get("alertThreshold"), chars_max=40)
    if threshold is not None and percent:
        threshold = f"{threshold}%"
    return present((("label", text(trigger.get("label"), 64)), ("threshold", threshold)))


def _environment(value: object) -> str | None:
    """A name, or in some versions an object that has one."""
    return first(value, obj(value).get("name"))
