"""The one way from a hook to a hec_event. Every step is a function of its arguments; this only joins them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from app.model import Hook
from app.sentry.links import host_of
from app.sentry.payload import Reading, read, text_of
from app.sentry.payload import fit as fit_text
from app.sentry.resources import Kind, identify
from app.splunk.hec_event import HecEvent, Scalar
from app.tenants.model import Destination, Match, Route
from app.transform import budget
from app.transform.moment import time_of
from app.transform.redaction import TooDeep, hints_in, redact, scrub
from app.transform.routing import Facts, pick
from app.transform.schema import DETAIL_NAMES, HEAD_NAMES, SCHEMA
from app.transform.values import Obj, first, items, obj, text
from app.transform.view import View, actor_of
from app.transform.view_alert import metric_alert
from app.transform.view_event import error, event_alert, legacy
from app.transform.view_issue import activity_alert, comment, issue
from app.transform.view_other import installation, preprod_artifact, seer
from app.transform.view_rest import service_hook

HEC_SOURCE = "sentry"
"""Splunk's ``source``, where the tenants file names none."""

_VIEWS: Mapping[str, Callable[[Obj], View]] = {
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
}
_NO_ROUTE = Route(when=Match({}))
_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Filtered:
    """A route said ``drop``: the hook goes nowhere, and that is a success."""

    reason: str


def transform(hook: Hook, destination: Destination, *, event_bytes_max: int = 500_000) -> HecEvent | Filtered:
    """Turn a hook into the hec_event that one destination gets.

    Never raises, whatever the payload: what cannot be read as a known resource becomes ``sentry:unknown`` with
    everything kept. Pure: the same hook and destination give the same bytes. ``event_bytes_max`` bounds the
    JSON of ``event`` in bytes (values under ``budget.EVENT_BYTES_MIN`` count as that).
    """
    reading = read(hook.payload)
    kind = identify(hook.sender, hook.resource, reading)
    view, kind = _view(kind, reading)
    head = _head(hook, destination, kind, view.head, reading)
    route = (pick(destination.routes, _facts(head, view.detail)) if destination.routes else None) or _NO_ROUTE
    if route.drop:
        return Filtered(_reason(route))
    detail = _detail(kind, view, reading, hook.payload, event_bytes_max)
    head, detail = _without_credentials(head, detail)
    event = budget.fit(head, detail, event_bytes_max)
    return HecEvent(
        time=time_of(view.when, hook),
        host=_host(destination, kind, head),
        hec_source=route.hec_source or destination.hec_source or HEC_SOURCE,
        sourcetype=route.sourcetype or destination.sourcetype or _sourcetype(kind),
        index=route.index or destination.index,
        fields=_fields(hook, head),
        event=event,
    )


def _view(kind: Kind, reading: Reading) -> tuple[View, Kind]:
    """What the payload says; a view that fails leaves the hook unknown, with everything kept."""
    look = _VIEWS.get(kind.resource)
    if look is None:
        return View({}, {}), kind
    try:
        return look(reading.body), kind
    except Exception:  # noqa: BLE001 - a fault in a view must not cost the hook; the flag makes it visible
        return View({}, {}), Kind(
            kind.resource, kind.action, known=False, header=kind.header, flags=(*kind.flags, "view_failed")
        )


def _head(
    hook: Hook, destination: Destination, kind: Kind, said: dict[str, object], reading: Reading
) -> dict[str, object]:
    """The head in the schema's order, without what is absent. There is always a title."""
    body = reading.body
    everything = said | {
        "schema": SCHEMA,
        "tenant": fit_text(hook.tenant or destination.tenant)[:100],
        "resource": kind.resource,
        "action": kind.action,
        "title": said.get("title") or f"{kind.resource} {kind.action}".replace("_", " "),
        "actor": actor_of(body),
        "installation": said.get("installation")
        or text(obj(body.get("installation")).get("uuid"), 64)
        or hook.installation,
        "organization": said.get("organization") or _organization(body),
        "resource_header": kind.header,
        "flags": list(kind.flags),
    }
    return {name: everything[name] for name in HEAD_NAMES if everything.get(name) not in _EMPTY}


def _organization(body: Obj) -> str | None:
    """Some payloads carry the whole installation, which names its organization."""
    return text(obj(obj(body.get("installation")).get("organization")).get("slug"))


def _detail(kind: Kind, view: View, reading: Reading, payload: bytes, bytes_max: int) -> dict[str, object]:
    """The view's detail in the schema's order; of an unknown hook the whole payload instead."""
    if kind.known:
        return {name: view.detail[name] for name in DETAIL_NAMES if view.detail.get(name) not in _EMPTY}
    # Twice the budget: more could not fit, and credentials that are taken out leave less behind than they were.
    kept_max = 2 * max(bytes_max, budget.EVENT_BYTES_MIN)
    if reading.fault in ("", "payload_not_an_object") and len(payload) <= kept_max:
        try:
            return {"payload": redact(reading.value)} if reading.value not in _EMPTY else {}
        except TooDeep:
            pass
    kept = text_of(payload[:kept_max])
    return {"payload_text": scrub(kept, broken=True)} if kept.strip() else {}


def _without_credentials(
    head: dict[str, object], detail: dict[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Head and detail without credentials. Payloads kept whole were looked through where they were kept."""
    bare = {name: each for name, each in detail.items() if name not in ("payload", "payload_text")}
    hints = hints_in(orjson.dumps((head, bare)))
    if not hints:
        return head, detail
    return _redacted(head, hints), detail | _redacted(bare, hints)


def _redacted(section: dict[str, object], hints: tuple[str, ...]) -> dict[str, object]:
    found = redact(section, hints)
    return found if isinstance(found, dict) else {}


def _facts(head: Mapping[str, object], detail: Mapping[str, object]) -> Facts:
    """What a route may ask for. A project is its slug and its id; several projects or rules are all of them."""
    rules = obj(detail.get("alert")).get("rules")
    several = {
        "project": (head.get("project"), head.get("project_id"), *items(head.get("projects"))),
        "rule": (head.get("rule"), *items(rules)),
    }
    single = {name: (head.get(name),) for name in ("resource", "action", "environment", "level")}
    return {name: tuple(str(each) for each in said if each is not None) for name, said in (single | several).items()}


def _reason(route: Route) -> str:
    said = ", ".join(f"{key}: {'|'.join(wanted)}" for key, wanted in route.when.conditions.items())
    return f"a route drops {said or 'everything'}"


def _host(destination: Destination, kind: Kind, head: Mapping[str, object]) -> str:
    """Where it happened: the server's name, else the Sentry that tells of it. Never a user's address."""
    sentry = host_of(head.get("url")) if kind.resource != "seer" else None  # Seer's link is the pull request's
    return first(destination.host, head.get("server_name"), sentry, chars_max=255) or HEC_SOURCE


def _fields(hook: Hook, head: Mapping[str, object]) -> dict[str, Scalar]:
    """Indexed fields, under names that no key of the event has: a name in both has two values in a search."""
    fields: dict[str, Scalar] = {"delivery_id": hook.delivery_id, "relay_schema": SCHEMA}
    for name in ("tenant", "resource", "action", "project", "environment", "level"):
        if (said := text(head.get(name))) is not None:
            fields[f"relay_{name}"] = said
    return fields


def _sourcetype(kind: Kind) -> str:
    return f"sentry:{kind.resource}" if kind.known else "sentry:unknown"
