"""Makes an ``Event`` of an object in any of the shapes and spellings that Sentry has had for one.

A value of an unexpected type counts as absent; an entry of a list that is no object counts as an empty one.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct

from app.sentry.event import (
    BREADCRUMBS_MAX,
    EXCEPTIONS_MAX,
    FRAMES_MAX,
    THREADS_MAX,
    Breadcrumb,
    BreadcrumbData,
    Breadcrumbs,
    Event,
    ExceptionChain,
    ExceptionInfo,
    Frame,
    Geo,
    LogEntry,
    Mechanism,
    Metadata,
    NamedVersion,
    Request,
    Stack,
    Thread,
    Threads,
    TriggeredAlert,
    User,
)

_S = TypeVar("_S", bound=Struct)
_Object = Mapping[str, Any]
_NOTHING: _Object = {}
_EVENT = tuple(name for name in Event.__struct_fields__ if not name.startswith("old_"))


def event_of(value: object) -> Event:
    """The event that an object is, as JSON had it; an empty one of what is no object."""
    said = _object(value)
    get = said.get
    event = Event(*map(get, _EVENT))
    event.exception = _chain(get("exception", get("sentry.interfaces.Exception")))
    event.logentry = _filled(LogEntry, _object(get("logentry") or get("sentry.interfaces.Message")))
    event.breadcrumbs = _breadcrumbs(get("breadcrumbs", get("sentry.interfaces.Breadcrumbs")))
    event.metadata = _filled(Metadata, _object(event.metadata))
    event.request = _filled(Request, _object(get("request", get("sentry.interfaces.Http"))))
    event.sdk = _filled(NamedVersion, _object(event.sdk))
    event.stacktrace = _stack(get("stacktrace", get("sentry.interfaces.Stacktrace")))
    event.threads = _threads(event.threads)
    event.user = _filled(User, _object(get("user", get("sentry.interfaces.User"))))
    event.user.geo = _filled(Geo, _object(event.user.geo))
    return event


def alert_of(data: object) -> TriggeredAlert:
    """The alert that the ``data`` of an ``event_alert`` is."""
    get = _object(data).get
    return TriggeredAlert(event_of(get("event")), get("triggered_rule"), get("issue_alert"))


def _object(value: object) -> _Object:
    return value if isinstance(value, dict) else _NOTHING


def _objects(value: object) -> list[_Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _filled(kind: type[_S], said: _Object) -> _S:
    return kind(*map(said.get, kind.__struct_fields__))


def _chain(value: object) -> ExceptionChain:
    found = _objects(_object(value).get("values")) or _objects(value)
    return ExceptionChain([_exception(entry) for entry in found[-EXCEPTIONS_MAX:]], max(0, len(found) - EXCEPTIONS_MAX))


def _exception(entry: _Object) -> ExceptionInfo:
    exception = _filled(ExceptionInfo, entry)
    exception.mechanism = _filled(Mechanism, _object(exception.mechanism))
    exception.stacktrace = _stack(exception.stacktrace)
    return exception


def _stack(value: object) -> Stack:
    frames = _object(value).get("frames")
    if not isinstance(frames, list):
        return Stack()
    return Stack([_filled(Frame, _object(frame)) for frame in frames[-FRAMES_MAX:]], max(0, len(frames) - FRAMES_MAX))


def _threads(value: object) -> Threads:
    found = _objects(_object(value).get("values")) or _objects(value)
    threads = [_filled(Thread, thread) for thread in found[:THREADS_MAX]]
    for thread in threads:
        thread.stacktrace = _stack(thread.stacktrace)
    return Threads(threads)


def _breadcrumbs(value: object) -> Breadcrumbs:
    found = _object(value).get("values") or value
    if not isinstance(found, list):
        return Breadcrumbs([])
    breadcrumbs = [_filled(Breadcrumb, _object(entry)) for entry in found[-BREADCRUMBS_MAX:]]
    for breadcrumb in breadcrumbs:
        breadcrumb.data = _filled(BreadcrumbData, _object(breadcrumb.data))
    return Breadcrumbs(breadcrumbs, max(0, len(found) - BREADCRUMBS_MAX))
