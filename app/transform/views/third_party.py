"""GlitchTip and Bugsink: other programs that speak to Sentry's SDKs. Both post unsigned, behind a key in the URL."""

import re
from urllib.parse import urlsplit

from app.sentry.dates import iso_text
from app.transform.values import Obj, first, items, number, obj, objects, present, text, texts
from app.transform.views.base import View, first_date, level_of, link, severity_of, tags_of

_COLOURS = {"#e52b50": "error", "#4b60b4": "info", "#e9b949": "warning"}
"""GlitchTip names no level; it paints the message in the level's colour."""
_ISSUES_MAX = 20
"""Issues of one post that become hec_events. GlitchTip sends three."""
_FIELDS_MAX = 100
_OF = re.compile(r"\((\d{1,9}) issues?\)")
_KNOWN = {"project": "project", "environment": "environment", "release": "release", "server name": "server_name"}
"""What GlitchTip's fields are in the head; the others are tags that somebody chose to have sent."""
_MONITORS = "uptime-monitors"
_DOWN = ("down", "true")
"""A monitor's sentence has the first of these; in old versions it is the second, for ``went_down``."""
_LOG_MESSAGE = "Log Message"
"""What Bugsink calls the type of an event without an exception."""


def glitchtip(body: Obj) -> list[View]:
    """GlitchTip's alert: a chat message about up to three issues, or a monitor. Each is a hec_event of its own."""
    messages = [entry for entry in objects(body.get("attachments")) if "title_link" in entry] or [obj(None)]
    stated = _OF.search(text(body.get("text")) or "")
    of = max(int(stated[1]) if stated else 1, len(messages))
    views = [_message(body, message) for message in messages[:_ISSUES_MAX]]
    for view in views:
        if of > 1:
            view.head.update(count=len(messages), of=of)
        if len(messages) > _ISSUES_MAX:
            view.trimmed.append("attachments")
    return views


def _message(body: Obj, message: Obj) -> View:
    where = link(message.get("title_link"))
    organization, kind, number_of = _in_link(where)
    head: dict[str, object] = {
        "title": first(message.get("title"), body.get("text"), chars_max=1000),
        "organization": organization,
        "url": where,
    }
    if kind != _MONITORS and message.get("title_link"):
        trimmed: list[str] = []
        head |= _issue(message, number_of, trimmed)
        return View(head, {"message": text(body.get("text"), 2000)}, trimmed=trimmed)
    sentence = text(message.get("text"), 2000)
    if kind == _MONITORS:
        status = "down" if any(word in (sentence or "").lower() for word in _DOWN) else "up"
        level = "error" if status == "down" else "info"
        head |= {"level": level, "severity": severity_of(level), "status": status, "monitor_id": number_of}
        head["issue_category"] = "outage"
    return View(head, {"message": sentence or text(body.get("text"), 2000)})


def _issue(message: Obj, issue: str | None, trimmed: list[str]) -> dict[str, object]:
    known: dict[str, str] = {}
    tags: list[object] = []
    fields = objects(message.get("fields"))
    if len(fields) > _FIELDS_MAX:
        trimmed.append("tags")
    for field in fields[:_FIELDS_MAX]:
        name, value = text(field.get("title"), 64), text(field.get("value"))
        if name is None or value is None:
            continue
        if (named := _KNOWN.get(name.lower().replace("_", " "))) is not None:
            known[named] = value
        elif name.lower() == "level":
            known["level"] = value
        else:
            tags.append([name, value])
    level = level_of(known.get("level"), _COLOURS.get(str(message.get("color")).lower()))
    return known | {
        "level": level,
        "severity": severity_of(level),
        "issue_id": issue,
        "event_id": text(message.get("event_id"), 64),
        "culprit": text(message.get("text"), 300),
        "tags": tags_of(tags, trimmed),
    }


def bugsink(body: Obj) -> View:
    """Bugsink's custom webhook: the issue as its API has it, why it alerts, and its link."""
    kind, value = text(body.get("calculated_type")), text(body.get("calculated_value"), 1000)
    log = kind == _LOG_MESSAGE
    status = "resolved" if body.get("is_resolved") is True else "ignored" if body.get("is_muted") is True else None
    releases = [release for release in items(body.get("events_at"))[-20:] if release]
    head: dict[str, object] = {
        "title": first(body.get("title"), value, kind, chars_max=1000),
        "project": text(body.get("project_name")),
        "project_id": text(body.get("project"), 64),
        "url": link(body.get("url")),
        "release": text(releases[-1]) if releases else None,
        "issue_id": text(body.get("id"), 64),
        "short_id": text(body.get("friendly_id"), 64),
        "status": status or "unresolved",
        "substatus": {"NEW": "new", "REGRESSED": "regressed"}.get(str(body.get("alert_reason"))),
        "first_seen": iso_text(body.get("first_seen")),
        "last_seen": iso_text(body.get("last_seen")),
        "count": number(body.get("digested_event_count")),
        "exception_type": None if log else kind,
        "exception_value": None if log else value,
        "transaction": text(body.get("transaction"), 300),
    }
    more = present(
        (
            ("unmute_reason", text(body.get("unmute_reason"), 500)),
            ("fixed_in", texts(items(body.get("fixed_at"))[-20:], count_max=20)),
        )
    )
    message = first(body.get("message"), value if log else None, chars_max=2000)
    return View(head, {"message": message, "issue": more}, first_date(body.get("last_seen")))


def _in_link(where: str | None) -> tuple[str | None, str | None, str | None]:
    """Organization, kind and id of ``https://HOST/ORGANIZATION/issues/ID`` or ``.../uptime-monitors/ID``."""
    parts = urlsplit(where or "").path.strip("/").split("/")
    for kind in ("issues", _MONITORS):
        if kind in parts[1:]:
            at = parts.index(kind, 1)
            return text(parts[at - 1]), kind, text(parts[at + 1], 64) if len(parts) > at + 1 else None
    return None, None, None
