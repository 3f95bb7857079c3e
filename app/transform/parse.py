"""From a hook to what it tells, whoever is to get it: by the short way, the usual one, or the exact one. Pure."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct

from app.model import Hook
from app.sentry.event import alert_triggered, error_created
from app.sentry.event_lenient import event_of
from app.sentry.payload import Fault, Reading, glance, read_exactly
from app.sentry.resources import Kind, identify
from app.transform.values import Inexact, Obj, obj
from app.transform.views.alert import metric_alert
from app.transform.views.base import View
from app.transform.views.error import error, event_alert, legacy
from app.transform.views.issue import activity_alert, comment, issue
from app.transform.views.other import installation, preprod_artifact, seer
from app.transform.views.service_hook import service_hook
from app.transform.views.third_party import bugsink, glitchtip

_T = TypeVar("_T")


def _error(body: Obj) -> View:
    return error(event_of(obj(body.get("data")).get("error")))


def _event_alert(body: Obj) -> View:
    said = obj(body.get("data"))
    return event_alert(event_of(said.get("event")), said.get("triggered_rule"), said.get("issue_alert"))


_VIEWS: Mapping[str, Callable[[Obj], View]] = {
    "installation": installation,
    "issue": issue,
    "error": _error,
    "comment": comment,
    "event_alert": _event_alert,
    "activity_alert": activity_alert,
    "metric_alert": metric_alert,
    "seer": seer,
    "preprod_artifact": preprod_artifact,
    "legacy": legacy,
    "service_hook": service_hook,
    "glitchtip": glitchtip,
    "bugsink": bugsink,
}
_ERROR_CREATED = Kind("error", "created", known=True)
_ALERT_TRIGGERED = Kind("event_alert", "triggered", known=True)


class ParsedHook(Struct, frozen=True, gc=False):
    """What a hook tells. Of the payload only what every head needs is kept."""

    kind: Kind
    view: View
    actor: object
    installation: object
    fault: Fault = ""


def read_typed(hook: Hook) -> ParsedHook | None:
    """By the short way; ``None``: the hook has to go the usual one, with the same result for what both can read.

    Raises:
        Inexact: a number or a NUL is in the way; ``read_exact`` can do without either.
    """
    if hook.sender != "integration":
        return None
    if hook.resource == "error" and (created := error_created(hook.payload)) is not None:
        return ParsedHook(*_seen(_ERROR_CREATED, error, created.data.error), created.actor, created.installation)
    if hook.resource == "event_alert" and (triggered := alert_triggered(hook.payload)) is not None:
        alert = triggered.data
        kind, view = _seen(
            _ALERT_TRIGGERED, lambda event: event_alert(event, alert.triggered_rule, alert.issue_alert), alert.event
        )
        return ParsedHook(kind, view, triggered.actor, triggered.installation)
    return None


def read_lenient(hook: Hook) -> ParsedHook:
    """By the usual way.

    Raises:
        Inexact: as ``read_typed``.
    """
    return _told(hook, glance(hook.payload))


def read_exact(hook: Hook) -> ParsedHook:
    """By the exact way, which is slow and always gets there."""
    return _told(hook, read_exactly(hook.payload))


def _told(hook: Hook, reading: Reading) -> ParsedHook:
    kind, body = identify(hook.sender, hook.resource, reading), reading.body
    look = _VIEWS.get(kind.resource)
    kind, view = (kind, View({}, {})) if look is None else _seen(kind, look, body)
    return ParsedHook(kind, view, body.get("actor"), body.get("installation"), reading.fault)


def _seen(kind: Kind, look: Callable[[_T], View], subject: _T) -> tuple[Kind, View]:
    """What a view says; one that fails leaves the hook unknown, with everything kept."""
    try:
        return kind, look(subject)
    except Inexact:
        raise
    except Exception:  # noqa: BLE001 - a fault in a view must not cost the hook; the flag makes it visible
        failed = Kind(kind.resource, kind.action, known=False, header=kind.header, flags=(*kind.flags, "view_failed"))
        return failed, View({}, {})
