"""Service hooks: the same issue and event in the shape of Sentry's REST API (``entries``, camelCase)."""

from msgspec import structs

from app.sentry.event import FRAMES_MAX, THREADS_MAX
from app.sentry.event_lenient import event_of
from app.sentry.links import organization_of
from app.transform.values import Obj, first, obj, objects, text
from app.transform.views.base import View, issue_head, link
from app.transform.views.error import view_of

_ENTRIES = {
    "exception": "exception",
    "request": "request",
    "breadcrumbs": "breadcrumbs",
    "threads": "threads",
    "stacktrace": "stacktrace",
}
_ENTRIES_MAX = 100
_KEYS = {
    "absPath": "abs_path",
    "lineNo": "lineno",
    "colNo": "colno",
    "inApp": "in_app",
    "rawFunction": "raw_function",
    "instructionAddr": "instruction_addr",
    "imageAddr": "image_addr",
    "addrMode": "addr_mode",
    "query": "query_string",
}
"""What the REST API spells in another way."""


def service_hook(body: Obj) -> View:
    """``event.created`` and ``event.alert``, which the payload does not tell apart."""
    project, group = obj(body.get("project")), obj(body.get("group"))
    event = _normalised(obj(body.get("event")))
    issue = issue_head(group)
    view = view_of(event_of(event))
    head = {name: value for name, value in view.head.items() if value not in (None, "", {}, [])}
    # The event's own fields win; the issue adds what the event does not have.
    head = issue | head
    head |= {
        "project": first(project.get("slug"), issue.get("project")),
        "organization": first(issue.get("organization"), organization_of([group.get("url"), group.get("permalink")])),
        "url": link(group.get("permalink"), group.get("url")),
        "issue_type": first(issue.get("issue_type"), head.get("issue_type")),
        "issue_category": first(issue.get("issue_category"), head.get("issue_category")),
        "issue_id": first(issue.get("issue_id"), obj(body.get("event")).get("groupID"), chars_max=64),
    }
    return structs.replace(view, head=head)


def _normalised(event: Obj) -> Obj:
    """The REST shape as the normalised event's keys, as far as they are read."""
    same = dict(event)
    for entry in objects(event.get("entries"))[:_ENTRIES_MAX]:
        kind = entry.get("type")
        if isinstance(kind, str) and kind in _ENTRIES:
            same[_ENTRIES[kind]] = _renamed(entry.get("data"))
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


def _renamed(data: object) -> object:
    """An entry's data with the keys of its request, exceptions and frames as the normalised event has them."""
    if not isinstance(data, dict):
        return data
    same = {_KEYS.get(key, key): value for key, value in data.items()}
    for key in ("frames", "values"):
        if isinstance(listed := same.get(key), list):
            kept = listed[-(FRAMES_MAX if key == "frames" else THREADS_MAX) :]
            same[key] = [_renamed(item) for item in kept]
    if isinstance(same.get("stacktrace"), dict):
        same["stacktrace"] = _renamed(same["stacktrace"])
    return same
