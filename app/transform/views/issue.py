"""Issues and what people and Sentry do to them: ``issue``, ``activity_alert``, ``comment``."""

from app.sentry.dates import instant
from app.transform.values import Obj, first, obj, present, put, take, text
from app.transform.views.base import View, capped, issue_head, link, settings_of
from app.transform.views.code_changes import changes_of, pull_requests_of

_METADATA = tuple(
    (key, key, 1000) for key in ("value", "message", "severity_reason", "initial_priority", "in_app_frame_mix")
)


def issue(body: Obj) -> View:
    """``issue.*``: the issue as it stands after the action.

    Only ``created`` has its time in the payload (``firstSeen``); when an issue was resolved, assigned, ignored
    or unresolved, no key says.
    """
    said = obj(body.get("data"))
    this = obj(said.get("issue"))
    assignee = obj(said.get("assignee"))
    head = issue_head(this)
    if assignee:
        head["assignee"] = first(head.get("assignee"), assignee.get("name"), assignee.get("id"))
        head["assignee_type"] = first(head.get("assignee_type"), assignee.get("type"), chars_max=20)
    trimmed: list[str] = []
    detail: dict[str, object] = {"issue": _more(this, text(said.get("resolution_type"), 64), trimmed)}
    when = instant(this.get("firstSeen")) if body.get("action") == "created" else None
    return View(head, detail, when, trimmed=trimmed)


def activity_alert(body: Obj) -> View:
    """``activity_alert.triggered``: something happened to an issue and an alert watches for that."""
    said = obj(body.get("data"))
    activity, alert = obj(said.get("activity")), obj(said.get("alert"))
    details = obj(activity.get("details"))
    this = obj(said.get("issue"))
    head = issue_head(this)
    head["rule"], head["rule_id"] = text(alert.get("title")), text(alert.get("id"), 64)
    head["trigger"] = text(activity.get("type"), 100)
    trimmed: list[str] = []
    brief = present(
        (
            ("type", text(activity.get("type"), 100)),
            ("summary", text(details.get("summary"), 1000)),
            ("user", text(obj(details.get("user")).get("name"))),
            ("pull_requests", pull_requests_of(details.get("pull_requests"), trimmed, "activity")),
            ("changes", changes_of(details, trimmed, "activity")),
            ("iteration", text(details.get("iteration_index"), 20)),
        )
    )
    settings = settings_of(alert.get("settings"), trimmed, "alert")
    rule = present((("url", link(alert.get("web_url"), alert.get("url"))), ("settings", settings)))
    return View(head, {"activity": brief, "alert": rule, "issue": _more(this, None, trimmed)}, trimmed=trimmed)


def comment(body: Obj) -> View:
    """``comment.*``: the payload names the issue by number only, and no organization.

    ``timestamp`` is when the comment was written: the time of what happened for ``created`` only.
    """
    said = obj(body.get("data"))
    words = text(said.get("comment"), 2000)
    head: dict[str, object] = {
        "title": text(" ".join(words.split()), 200) if words else None,
        "project": text(said.get("project_slug")),
        "issue_id": text(said.get("issue_id"), 64),
        "comment_id": text(said.get("comment_id"), 64),
    }
    return View(head, {"comment": words}, instant(said.get("timestamp")) if body.get("action") == "created" else None)


def _commit(said: Obj) -> str | None:
    """Which commit resolved an issue: Sentry tells it as an object."""
    return first(said.get("commit"), said.get("id"))


def _more(this: Obj, resolution: str | None, trimmed: list[str]) -> dict[str, object]:
    metadata = obj(this.get("metadata"))
    status = obj(capped(this.get("statusDetails"), 20, trimmed, "issue"))
    details: dict[str, object] = {}
    for key, value in status.items():
        put(details, key[:100], _commit(obj(value)) if key == "inCommit" and isinstance(value, dict) else value)
    about: dict[str, object] = {}
    take(about, metadata, _METADATA)
    return present(
        (
            ("resolution", resolution),
            ("status_details", details),
            ("metadata", about),
            ("comments", this.get("numComments") if isinstance(this.get("numComments"), int) else None),
            ("project_name", text(obj(this.get("project")).get("name"))),
            ("type", text(this.get("type"), 64)),
        )
    )
