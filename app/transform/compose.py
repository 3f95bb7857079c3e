"""The one way from a hook to a hec_event: parse, route, take out what must not leave, fit into the size budget."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from app.model import Hook
from app.sentry.reading import ParsedHook, parse_exact, parse_lenient, parse_typed
from app.sentry.resources import Kind
from app.splunk.hec_event import HecEvent, Scalar
from app.tenants.model import Destination, Match, Route
from app.transform import routing
from app.transform.event_time import time_of
from app.transform.head import head_of
from app.transform.privacy.apply import apply_privacy
from app.transform.privacy.payload import kept_payload
from app.transform.schema.fields import DETAIL_NAMES, DETAIL_OF, SCHEMA
from app.transform.values import TEXT_CHARS_MAX, Inexact, first, one_line, text
from app.transform.views.base import View
from app.transform.views.dispatch import views_of

NO_HOST = "unknown"
"""Splunk's ``host`` where no server is named: never Sentry's own host, never a user's address."""

_INDEXED = tuple(
    (name, f"relay_{name}") for name in ("tenant", "resource", "action", "project", "environment", "level")
)
_NO_ROUTE = Route(when=Match({}))


@dataclass(frozen=True, slots=True)
class Filtered:
    """The hook goes nowhere because the tenants file says so. That is a success."""

    reason: str


class Explained(Struct, frozen=True, gc=False):
    """What became of a hook, or of one of the issues it tells of, and which route decided it."""

    kind: Kind
    route: int | None
    """Which of the destination's routes matched, from 0; ``None``: none did."""
    made: HecEvent | Filtered


def transform(
    hook: Hook, destination: Destination, *, event_bytes_max: int = 500_000
) -> tuple[HecEvent, ...] | Filtered:
    """Turn a hook into the hec_events that one destination gets: one, or one for each issue that the hook tells of.

    Never raises, whatever the payload: what cannot be read as a known resource becomes ``sentry:unknown`` with
    everything kept. Pure: the same hook and destination give the same bytes. ``event_bytes_max`` bounds the
    JSON of each ``event`` in bytes (values under ``budget.EVENT_BYTES_MIN`` count as that).
    """
    explained = explain(hook, destination, event_bytes_max=event_bytes_max)
    made = explained[0].made
    if len(explained) == 1:
        return (made,) if isinstance(made, HecEvent) else made
    hec_events = tuple(one.made for one in explained if isinstance(one.made, HecEvent))
    return hec_events or Filtered(getattr(made, "reason", ""))


def explain(hook: Hook, destination: Destination, *, event_bytes_max: int = 500_000) -> list[Explained]:
    """As ``transform``, with the kind of hook and the route that each took; at least one."""
    try:
        return _explain(hook, destination, parse_typed(hook) or parse_lenient(hook), event_bytes_max)
    except Inexact:
        return _explain(hook, destination, parse_exact(hook), event_bytes_max, exact=True)


def _explain(
    hook: Hook, destination: Destination, parsed: ParsedHook, bytes_max: int, *, exact: bool = False
) -> list[Explained]:
    kind, views = views_of(parsed)
    shared = _Shared(hook, destination, parsed, kind, bytes_max, exact)
    if len(views) == 1:
        return [_made(shared, views[0], hook.delivery_id)]
    return [_made(shared, view, f"{hook.delivery_id}-{number}") for number, view in enumerate(views, start=1)]


class _Shared(Struct, frozen=True, gc=False):
    """What the hec_events of one hook have in common."""

    hook: Hook
    destination: Destination
    parsed: ParsedHook
    kind: Kind
    bytes_max: int
    exact: bool


def _made(of: _Shared, view: View, delivery_id: str) -> Explained:
    """Route, take out what must not leave, and fit one view into its budget."""
    hook, destination, kind = of.hook, of.destination, of.kind
    head = head_of(hook, destination, of.parsed, kind=kind, view=view, delivery_id=delivery_id)
    if destination.own_projects and routing.is_own(head, destination.own_projects):
        return Explained(kind, None, Filtered("it stems from the relay's own Sentry project (own_projects)"))
    number, route = None, _NO_ROUTE
    if destination.routes:
        number = routing.pick(destination.routes, routing.facts_of(head, view.detail))
        route = _NO_ROUTE if number is None else destination.routes[number]
        if reason := routing.filtered_by(route, text(head.get("issue_id")) or delivery_id):
            return Explained(kind, number, Filtered(reason))
    fitted = apply_privacy(
        head,
        _detail(kind, view, destination),
        kept_payload(kind, of.parsed.fault, hook.payload, destination, of.bytes_max),
        privacy=destination.privacy,
        person=view.person,
        bytes_max=of.bytes_max,
        exact=of.exact,
    )
    made = HecEvent(
        time=time_of(view.occurred_at, hook),
        host=_host(destination, fitted.event),
        hec_source=one_line(route.hec_source or destination.hec_source or f"sentry:{fitted.event['tenant']}"),
        sourcetype=route.sourcetype or destination.sourcetype or _sourcetype(kind),
        index=route.index or destination.index,
        fields=_fields(fitted.event),
        event=fitted.event,
        event_json=fitted.encoded,
    )
    return Explained(kind, number, made)


def _detail(kind: Kind, view: View, destination: Destination) -> dict[str, object]:
    """The view's detail in the schema's order, unless the tenant wants none or the payload is kept instead."""
    if destination.detail == "none" or not kind.known:
        return {}
    get = view.detail.get
    return {name: value for name in DETAIL_OF.get(kind.resource, DETAIL_NAMES) if (value := get(name))}


def _host(destination: Destination, head: Mapping[str, object]) -> str:
    """The server it happened on, unless the destination names its host."""
    return one_line(first(destination.host, head.get("server_name"), chars_max=255) or "") or NO_HOST


def _fields(head: Mapping[str, object]) -> dict[str, Scalar]:
    """Indexed fields, under names that no key of the event has: a name in both has two values in a search."""
    fields: dict[str, Scalar] = {"relay_schema": SCHEMA}
    get = head.get
    for name, field in _INDEXED:
        value = get(name)
        if type(value) is str and value >= "!" and len(value) <= TEXT_CHARS_MAX and value.isprintable():
            fields[field] = value
        elif value is not None and (line := one_line(text(value) or "")):
            fields[field] = line
    return fields


def _sourcetype(kind: Kind) -> str:
    return f"sentry:{kind.resource}" if kind.known else "sentry:unknown"
