"""The parts of an error event that follow its head, each in brief."""

from app.sentry.dates import instant, iso_text
from app.transform.values import Obj, first, items, number, obj, objects, present, text

BREADCRUMBS_MAX = 10
CONTEXTS_MAX = 20
CONTEXT_KEYS_MAX = 8

_HEADERS = frozenset({"user-agent", "host", "referer", "content-type", "x-request-id"})
"""Request headers worth a search. A list of what passes, not of what does not."""
_NAMED = frozenset({"os", "browser", "runtime", "client_os", "app", "gpu"})
"""Contexts that are a name and a version: one text says it."""


def request_of(value: object) -> dict[str, object]:
    """Method, URL and a few headers. Cookies, body, environment and other headers stay behind."""
    request = obj(value)
    headers = {
        key.lower().replace("-", "_"): text(said, 300)
        for key, said in _pairs(request.get("headers"))
        if isinstance(key, str) and key.lower() in _HEADERS
    }
    return present(
        (
            ("method", text(request.get("method"), 20)),
            ("url", text(request.get("url"), 500)),
            ("query", _query(request)),
            *headers.items(),
        )
    )


def breadcrumbs_of(value: object) -> list[object]:
    """The last breadcrumbs, newest first: the nearest to the fault survive trimming."""
    found = objects(obj(value).get("values")) or objects(value)
    return [_breadcrumb(each) for each in found[: -BREADCRUMBS_MAX - 1 : -1]]


def contexts_of(value: object) -> dict[str, object]:
    """Each context as one text or a few scalars."""
    brief: dict[str, object] = {}
    for key, each in list(obj(value).items())[:CONTEXTS_MAX]:
        context = obj(each)
        if key in _NAMED or text(context.get("type")) in _NAMED:
            said: object = _name_and_version(context)
        else:
            said = _scalars(context)
        if said:
            brief[key[:100]] = said
    return brief


def evidence_of(value: object) -> dict[str, object]:
    """What an issue that is no error (an outage, a slow query) was found by."""
    occurrence = obj(value)
    shown = objects(occurrence.get("evidenceDisplay"))[:10]
    return present(
        (
            ("title", first(occurrence.get("issueTitle"), chars_max=500)),
            ("subtitle", text(occurrence.get("subtitle"), 500)),
            ("shown", present((text(each.get("name")) or "", text(each.get("value"), 500)) for each in shown)),
        )
    )


def sdk_of(value: object) -> str | None:
    """``sentry.python 2.1.0``."""
    return _name_and_version(obj(value))


def _name_and_version(context: Obj) -> str | None:
    name, version = (
        first(context.get("name"), context.get("app_name")),
        first(context.get("version"), context.get("app_version")),
    )
    if name and version:
        return f"{name} {version}"
    return name or version


def _scalars(context: Obj) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, each in context.items():
        if key == "type" or isinstance(each, dict | list):
            continue
        if (said := text(each)) is not None:
            kept[key[:100]] = each if isinstance(each, bool | int | float) else said
        if len(kept) == CONTEXT_KEYS_MAX:
            break
    return kept


def _breadcrumb(crumb: Obj) -> dict[str, object]:
    said = obj(crumb.get("data"))
    at = crumb.get("timestamp")
    return present(
        (
            ("at", iso_text(at) if instant(at) is not None else None),
            ("level", text(crumb.get("level"), 20)),
            ("category", first(crumb.get("category"), crumb.get("type"), chars_max=100)),
            ("message", text(crumb.get("message"), 300)),
            ("method", text(said.get("method"), 20)),
            ("url", first(said.get("url"), said.get("to"), chars_max=300)),
            ("status_code", number(said.get("status_code"))),
        )
    )


def _query(request: Obj) -> str | None:
    """The query as one text, from text or from pairs; credentials in it are taken out with all others."""
    query = request.get("query_string", request.get("query"))
    if isinstance(query, str):
        return text(query.lstrip("?"), 500)
    pairs = ((text(name, 100), text(said)) for name, said in _pairs(query)[:20])
    return text("&".join(f"{name}={said or ''}" for name, said in pairs if name), 500)


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(each[0], each[1]) for each in items(value) if isinstance(each, list) and len(each) > 1]
