"""Makes an ``Event`` of an object in any of the shapes and spellings that Sentry has had for one.

What has not the expected type is not there; what stands in a list and is no object counts as one that is empty.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import UNSET, Struct

from app.sentry.event import (
    Breadcrumb,
    Chain,
    Crumbs,
    Entry,
    Event,
    ExceptionInfo,
    Frame,
    Geo,
    LogMessage,
    Mechanism,
    Metadata,
    NamedVersion,
    Request,
    Stack,
    Thread,
    Threads,
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
    event.logentry = _filled(Entry, _object(get("logentry") or get("sentry.interfaces.Message")))
    event.breadcrumbs = _crumbs(get("breadcrumbs", get("sentry.interfaces.Breadcrumbs")))
    event.metadata = _filled(Metadata, _object(event.metadata))
    event.request = _request(_object(get("request", get("sentry.interfaces.Http"))))
    event.sdk = _filled(NamedVersion, _object(event.sdk))
    event.stacktrace = _stack(get("stacktrace", get("sentry.interfaces.Stacktrace")))
    event.threads = _threads(event.threads)
    event.user = _filled(User, _object(get("user", get("sentry.interfaces.User"))))
    event.user.geo = _filled(Geo, _object(event.user.geo))
    return event


def _object(value: object) -> _Object:
    return value if isinstance(value, dict) else _NOTHING


def _objects(value: object) -> list[_Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _filled(kind: type[_S], said: _Object) -> _S:
    return kind(*map(said.get, kind.__struct_fields__))


def _chain(value: object) -> Chain:
    found = _objects(_object(value).get("values")) or _objects(value)
    return Chain([_thrown(each) for each in found])


def _thrown(said: _Object) -> ExceptionInfo:
    thrown = _filled(ExceptionInfo, said)
    thrown.mechanism = _filled(Mechanism, _object(thrown.mechanism))
    thrown.stacktrace = _stack(thrown.stacktrace)
    return thrown


def _stack(value: object) -> Stack:
    frames = _object(value).get("frames")
    return Stack([_filled(Frame, _object(each)) for each in frames] if isinstance(frames, list) else None)


def _threads(value: object) -> Threads:
    found = _objects(_object(value).get("values")) or _objects(value)
    threads = [_filled(Thread, each) for each in found]
    for thread in threads:
        thread.stacktrace = _stack(thread.stacktrace)
    return Threads(threads)


def _crumbs(value: object) -> Crumbs:
    found = _object(value).get("values") or value
    crumbs = [_filled(Breadcrumb, _object(each)) for each in found] if isinstance(found, list) else []
    for crumb in crumbs:
        crumb.data = _filled(LogMessage, _object(crumb.data))
    return Crumbs(crumbs)


def _request(said: _Object) -> Request:
    request = _filled(Request, said)
    if "query_string" not in said:
        request.query_string = UNSET
    return request
