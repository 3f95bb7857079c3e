"""The parts of an error event that follow its head, each in brief."""

from app.sentry.dates import iso_text
from app.transform.values import Obj, first, items, number, obj, objects, present, put, take, text

BREADCRUMBS_MAX = 10
CONTEXTS_MAX = 20
CONTEXT_KEYS_MAX = 8

_NAMES = ("User-Agent", "Host", "Referer", "Content-Type", "X-Request-Id")
_HEADERS = {spelled: each.lower().replace("-", "_") for each in _NAMES for spelled in (each, each.lower())}
"""Request headers worth a search. A list of what passes, not of what does not."""
_CRUMB = (("level", "level", 20), ("category", "category", 100), ("message", "message", 300))
_CRUMB_BY_TYPE = (("level", "level", 20), ("category", "type", 100), ("message", "message", 300))
_REQUEST = (("method", "method", 20), ("url", "url", 500))
_NAMED = frozenset({"os", "browser", "runtime", "client_os", "app", "gpu"})
"""Contexts that are a name and a version: one text says it."""


def request_of(value: object) -> dict[str, object]:
    """Method, URL and a few headers. Cookies, body, environment and other headers stay behind."""
    request = obj(value)
    brief: dict[str, object] = {}
    if not request:
        return brief
    take(brief, request, _REQUEST)
    put(brief, "query", _query(request), 500)
    headers = request.get("headers")
    for pair in headers.items() if isinstance(headers, dict) else items(headers):
        if isinstance(pair, (list, tuple)) and len(pair) > 1 and isinstance(key := pair[0], str):
            name = _HEADERS.get(key) or _HEADERS.get(key.lower())
            if name:
                put(brief, name, pair[1], 300)
    return brief


def breadcrumbs_of(value: object) -> list[object]:
    """The last breadcrumbs, newest first: the nearest to the fault survive trimming."""
    found = obj(value).get("values") or value
    newest = found[: -BREADCRUMBS_MAX - 1 : -1] if isinstance(found, list) else ()
    return [brief for each in newest if isinstance(each, dict) and (brief := _breadcrumb(each))]


def contexts_of(value: object) -> dict[str, object]:
    """Each context as one text or a few scalars."""
    brief: dict[str, object] = {}
    if not isinstance(value, dict):
        return brief
    for key, context in value.items():
        if not isinstance(context, dict):
            continue
        named = key in _NAMED or (isinstance(kind := context.get("type"), str) and kind in _NAMED)
        said = _name_and_version(context) if named else _scalars(context)
        if said:
            brief[key[:100]] = said
            if len(brief) == CONTEXTS_MAX:
                break
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
    name = first(context.get("name"), context.get("app_name"))
    version = first(context.get("version"), context.get("app_version"))
    if name and version:
        return f"{name} {version}"
    return name or version


def _scalars(context: Obj) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, each in context.items():
        kind = type(each)
        if kind is str:
            if key == "type":
                continue
            put(kept, key[:100], each)
        elif each is None or key == "type" or kind is dict or kind is list:
            continue
        else:
            kept[key[:100]] = each if kind is not float else number(each)
        if len(kept) == CONTEXT_KEYS_MAX:
            break
    return kept


def _breadcrumb(crumb: Obj) -> dict[str, object]:
    brief: dict[str, object] = {}
    if (at := iso_text(crumb.get("timestamp"))) is not None:
        brief["at"] = at
    take(brief, crumb, _CRUMB if crumb.get("category") else _CRUMB_BY_TYPE)
    said = crumb.get("data")
    if isinstance(said, dict) and said:
        put(brief, "method", said.get("method"), 20)
        put(brief, "url", said.get("url") or said.get("to"), 300)
        if "status_code" in said and (code := number(said["status_code"])) is not None:
            brief["status_code"] = code
    return brief


def _query(request: Obj) -> str | None:
    """The query as one text, from text or from pairs; credentials in it are taken out with all others."""
    query = request.get("query_string", request.get("query"))
    if not query:
        return None
    if isinstance(query, str):
        return text(query.lstrip("?"), 500)
    named = [
        f"{spelled}={text(said) or ''}" for name, said in _pairs(query)[:20] if (spelled := text(name, 100)) is not None
    ]
    return text("&".join(named), 500)


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        return list(value.items())
    if not isinstance(value, list):
        return []
    return [(each[0], each[1]) for each in value if isinstance(each, list) and len(each) > 1]
