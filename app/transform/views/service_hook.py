"""Service hooks: the same issue and event in the shape of Sentry's REST API (``entries``, camelCase)."""

from app.sentry.event_lenient import event_of
from app.sentry.links import organization_of
from app.transform.values import Obj, first, obj, objects, text
from app.transform.views.base import View, issue_head, link
from app.transform.views.error import fields_of, occurred_at

_ENTRIES = {
    "exception": "exception",
    "request": "request",
    "breadcrumbs": "breadcrumbs",
    "threads": "threads",
    "stacktrace": "stacktrace",
}


def service_hook(body: Obj) -> View:
    """``event.created`` and ``event.alert``, which the payload does not tell apart."""
    project, group = obj(body.get("project")), obj(body.get("group"))
    event = _normalised(obj(body.get("event")))
    issue = issue_head(group)
    shaped = event_of(event)
    fields, detail = fields_of(shaped)
    head = {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
    # The event's own fields win; the issue adds what the event does not have.
    head = issue | head
    head |= {
        "project": first(project.get("slug"), issue.get("project")),
        "organization": first(issue.get("organization"), organization_of([group.get("url"), group.get("permalink")])),
        "url": link(group.get("permalink"), group.get("url")),
        "issue_id": first(issue.get("issue_id"), obj(body.get("event")).get("groupID"), chars_max=64),
    }
    return View(head, detail, occurred_at(shaped), shaped.user)


def _normalised(event: Obj) -> Obj:
    """The REST shape as the normalised event's keys, as far as they are read."""
    same = dict(event)
    for entry in objects(event.get("entries")):
        kind = entry.get("type")
        if isinstance(kind, str) and kind in _ENTRIES:
            same[_ENTRIES[kind]] = entry.get("data")
        elif kind == "message":
            same["logentry"] = entry.get("data")
    release = event.get("release")
    same |= {
        "event_id": first(event.get("eventID"), event.get("id"), chars_max=64),
        "issue_id": event.get("groupID"),
        "project": event.get("projectID"),
        "release": first(release, obj(release).get("version")),
        "datetime": first(event.get("dateCreated"), event.get("datetime")),
        "received": event.get("dateReceived"),
        "level": text(event.get("level")),
        "url": event.get("url"),
    }
    return same
