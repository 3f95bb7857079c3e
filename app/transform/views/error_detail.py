"""The parts of an error event that follow its head, each in brief."""

from msgspec import UNSET

from app.sentry.dates import iso_text
from app.sentry.event import Breadcrumb, Breadcrumbs, NamedVersion, Request
from app.transform.values import TEXT_CHARS_MAX, Obj, first, items, number, obj, objects, present, put, text

BREADCRUMBS_MAX = 10
CONTEXTS_MAX = 20
CONTEXT_KEYS_MAX = 8
_NAME_CHARS_MAX = 100
_LEVEL_CHARS_MAX = 20
_MESSAGE_CHARS_MAX = 300

_NAMES = ("User-Agent", "Host", "Referer", "Content-Type", "X-Request-Id")
_HEADERS = {spelling: name.lower().replace("-", "_") for name in _NAMES for spelling in (name, name.lower())}
"""Request headers that pass, in both spellings; all others stay behind."""
_NAMED = frozenset({"os", "browser", "runtime", "client_os", "app", "gpu"})
"""Contexts that become one text of a name and a version."""


def request_of(request: Request | None) -> dict[str, object]:
    """Method, URL and a few headers. Cookies, body, environment and other headers stay behind."""
    brief: dict[str, object] = {}
    if request is None:
        return brief
    put(brief, "method", request.method, 20)
    put(brief, "url", request.url, 500)
    if query := request.query if request.query_string is UNSET else request.query_string:
        put(brief, "query", _query(query), 500)
    headers = request.headers
    known = _HEADERS.get
    for pair in headers.items() if isinstance(headers, dict) else items(headers):
        if isinstance(pair, (list, tuple)) and len(pair) > 1 and isinstance(key := pair[0], str):
            name = known(key) or known(key.lower())
            if name:
                put(brief, name, pair[1], 300)
    return brief


def breadcrumbs_of(breadcrumbs: Breadcrumbs | None) -> list[object]:
    """The last breadcrumbs, newest first: the nearest to the fault survive trimming."""
    if breadcrumbs is None or not breadcrumbs.values:
        return []
    return [brief for entry in breadcrumbs.values[: -BREADCRUMBS_MAX - 1 : -1] if (brief := _breadcrumb(entry))]


def contexts_of(value: object) -> dict[str, object]:
    """Each context as one text or a few scalars."""
    brief: dict[str, object] = {}
    if not isinstance(value, dict):
        return brief
    for key, context in value.items():
        if not isinstance(context, dict):
            continue
        named = key in _NAMED or (isinstance(kind := context.get("type"), str) and kind in _NAMED)
        said = _named(context) if named else _scalars(context)
        if said:
            brief[key[:_NAME_CHARS_MAX]] = said
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
            ("shown", present((text(entry.get("name")) or "", text(entry.get("value"), 500)) for entry in shown)),
        )
    )


def sdk_of(sdk: NamedVersion | None) -> str | None:
    """``sentry.python 2.1.0``."""
    return None if sdk is None else _name_and_version(sdk.name, sdk.version, sdk.app_name, sdk.app_version)


def _name_and_version(name: object, version: object, app_name: object, app_version: object) -> str | None:
    name, version = first(name, app_name), first(version, app_version)
    if name and version:
        return f"{name} {version}"
    return name or version


def _named(context: Obj) -> str | None:
    get = context.get
    name, version = get("name"), get("version")
    if (
        type(name) is str
        and type(version) is str
        and name >= "!" <= version
        and len(name) + len(version) <= TEXT_CHARS_MAX
    ):
        return f"{name} {version}"
    return _name_and_version(name, version, get("app_name"), get("app_version"))


def _scalars(context: Obj) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in context.items():
        if value is None or key == "type":
            continue
        if type(value) is str:
            if value >= "!" and len(value) <= TEXT_CHARS_MAX and len(key) <= _NAME_CHARS_MAX:
                kept[key] = value
            else:
                put(kept, key[:_NAME_CHARS_MAX], value)
        elif isinstance(value, dict | list):
            continue
        else:
            kept[key[:_NAME_CHARS_MAX]] = value if isinstance(value, bool) else number(value)
        if len(kept) == CONTEXT_KEYS_MAX:
            break
    return kept


def _breadcrumb(entry: Breadcrumb) -> dict[str, object]:
    brief: dict[str, object] = {}
    if (at := iso_text(entry.timestamp)) is not None:
        brief["at"] = at
    level, category, message = entry.level, entry.category or entry.type, entry.message
    if (
        type(level) is str
        and type(category) is str
        and level >= "!" <= category
        and len(level) <= _LEVEL_CHARS_MAX
        and len(category) <= _NAME_CHARS_MAX
    ):
        brief["level"], brief["category"] = level, category
    else:
        put(brief, "level", level, _LEVEL_CHARS_MAX)
        put(brief, "category", category, _NAME_CHARS_MAX)
    if type(message) is str and message >= "!" and len(message) <= _MESSAGE_CHARS_MAX:
        brief["message"] = message
    elif message is not None:
        put(brief, "message", message, _MESSAGE_CHARS_MAX)
    if (data := entry.data) is not None:
        if (method := data.method) is not None:
            put(brief, "method", method, 20)
        if (url := data.url or data.to) is not None:
            put(brief, "url", url, 300)
        if data.status_code is not None and (code := number(data.status_code)) is not None:
            brief["status_code"] = code
    return brief


def _query(query: object) -> str | None:
    """The query as one text, from text or from pairs; credentials in it are taken out with all others."""
    if isinstance(query, str):
        return text(query.lstrip("?"), 500)
    named = [
        f"{spelled}={text(said) or ''}" for name, said in _pairs(query)[:20] if (spelled := text(name, 100)) is not None
    ]
    return "&".join(named)


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        return list(value.items())
    if not isinstance(value, list):
        return []
    return [(pair[0], pair[1]) for pair in value if isinstance(pair, list) and len(pair) > 1]
