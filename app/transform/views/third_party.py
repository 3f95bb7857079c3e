"""GlitchTip and Bugsink: other programs that speak to Sentry's SDKs. Both post unsigned, behind a key in the URL."""

from urllib.parse import urlsplit

from app.sentry.dates import iso_text
from app.transform.values import Obj, first, number, objects, present, text
from app.transform.views.base import View, first_date, level_of, link, severity_of

_COLOURS = {"#e52b50": "error", "#4b60b4": "info", "#e9b949": "warning"}
"""GlitchTip names no level; it paints the message in the level's colour."""


def glitchtip(body: Obj) -> View:
    """GlitchTip's alert: a chat message. What identifies the issue stands in its link and its fields."""
    message = next((entry for entry in objects(body.get("attachments")) if entry.get("title_link")), {})
    fields = {
        name.lower(): value
        for field in objects(message.get("fields"))[:20]
        if (name := text(field.get("title"), 64)) and (value := text(field.get("value"))) is not None
    }
    where = link(message.get("title_link"))
    organization, issue = _in_link(where)
    level = level_of(fields.get("level"), _COLOURS.get(str(message.get("color")).lower()))
    head: dict[str, object] = {
        "title": first(message.get("title"), body.get("text"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": fields.get("project"),
        "organization": organization,
        "url": where,
        "environment": fields.get("environment"),
        "release": fields.get("release"),
        "issue_id": issue,
        "culprit": text(message.get("text"), 300),
        "server_name": fields.get("server name", fields.get("server_name")),
    }
    return View(head, {"message": text(body.get("text"), 2000)})


def bugsink(body: Obj) -> View:
    """Bugsink's custom webhook: the issue as its API has it, why it alerts, and its link."""
    kind, value = text(body.get("calculated_type")), text(body.get("calculated_value"), 1000)
    status = "resolved" if body.get("is_resolved") is True else "ignored" if body.get("is_muted") is True else None
    head: dict[str, object] = {
        "title": first(body.get("title"), value, kind, chars_max=1000),
        "project": text(body.get("project_name")),
        "project_id": text(body.get("project"), 64),
        "url": link(body.get("url")),
        "issue_id": text(body.get("id"), 64),
        "short_id": text(body.get("friendly_id"), 64),
        "status": status or "unresolved",
        "substatus": {"NEW": "new", "REGRESSED": "regressed"}.get(str(body.get("alert_reason"))),
        "first_seen": iso_text(body.get("first_seen")),
        "last_seen": iso_text(body.get("last_seen")),
        "count": number(body.get("digested_event_count")),
        "exception_type": kind,
        "exception_value": value,
        "transaction": text(body.get("transaction"), 300),
    }
    more = present((("unmute_reason", text(body.get("unmute_reason"), 500)),))
    return View(head, {"issue": more}, first_date(body.get("last_seen")))


def _in_link(where: str | None) -> tuple[str | None, str | None]:
    """Organization and issue of ``https://HOST/ORGANIZATION/issues/ID``."""
    parts = urlsplit(where or "").path.strip("/").split("/")
    if "issues" not in parts[1:]:
        return None, None
    at = parts.index("issues", 1)
    return text(parts[at - 1]), text(parts[at + 1], 64) if len(parts) > at + 1 else None
