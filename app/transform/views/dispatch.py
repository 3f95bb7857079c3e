"""Which view reads which resource. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.sentry.reading import ParsedHook
from app.sentry.resources import Kind
from app.transform.values import Inexact
from app.transform.views.alert import metric_alert
from app.transform.views.base import View
from app.transform.views.error import error, event_alert, legacy
from app.transform.views.issue import activity_alert, comment, issue
from app.transform.views.other import installation, preprod_artifact, seer
from app.transform.views.service_hook import service_hook
from app.transform.views.third_party import bugsink, glitchtip

_VIEWS: Mapping[str, Callable[[Any], View | Sequence[View]]] = {
    "installation": installation,
    "issue": issue,
    "error": error,
    "comment": comment,
    "event_alert": event_alert,
    "activity_alert": activity_alert,
    "metric_alert": metric_alert,
    "seer": seer,
    "preprod_artifact": preprod_artifact,
    "legacy": legacy,
    "service_hook": service_hook,
    "glitchtip": glitchtip,
    "bugsink": bugsink,
}
"""By resource. Each takes the subject that ``reading`` gives for its resource."""


def views_of(parsed: ParsedHook) -> tuple[Kind, Sequence[View]]:
    """The views of a hook, one for each issue it tells of, and its kind: unknown, with the payload kept, if one fails.

    Raises:
        Inexact: a number or a NUL is in the way; ``parse_exact`` can do without either.
    """
    kind = parsed.kind
    view = _VIEWS.get(kind.resource)
    if view is None:
        return kind, (View({}, {}),)
    try:
        found = view(parsed.subject)
    except Inexact:
        raise
    except Exception:  # noqa: BLE001 - a fault in a view must not cost the hook; the flag makes it visible
        failed = Kind(kind.resource, kind.action, known=False, header=kind.header, flags=(*kind.flags, "view_failed"))
        return failed, (View({}, {}),)
    return kind, (found,) if isinstance(found, View) else found
