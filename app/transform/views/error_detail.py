"""The parts of an error event that follow its head, each in brief."""

from collections.abc import Sequence
from itertools import islice

from app.sentry.dates import iso_text
from app.sentry.event import BREADCRUMBS_MAX, Breadcrumb, Breadcrumbs, Request
from app.transform.values import items, number, put, text

BREADCRUMBS_SHOWN_MAX = 10
HEADERS_READ_MAX = 500
QUERY_PAIRS_MAX = 20
_NAME_CHARS_MAX = 100
_LEVEL_CHARS_MAX = 20
_MESSAGE_CHARS_MAX = 300

_NAMES = ("User-Agent", "Host", "Referer", "Content-Type", "X-Request-Id")
_HEADERS = {spelling: name.lower().replace("-", "_") for name in _NAMES for spelling in (name, name.lower())}
"""Request headers that pass, in both spellings; all others stay behind."""


def request_of(request: Request | None, trimmed: list[str]) -> dict[str, object]:
    """Method, URL and a few headers. Cookies, body, environment and other headers stay behind."""
    brief: dict[str, object] = {}
    if request is None:
        return brief
    put(brief, "method", request.method, 20)
    put(brief, "url", request.url, 500)
    if query := request.query_string:
        put(brief, "query", _query(query, trimmed), 500)
    headers = request.headers
    known = _HEADERS.get
    pairs = list(headers.items()) if isinstance(headers, dict) else items(headers)
    for pair in pairs if len(pairs) <= HEADERS_READ_MAX else pairs[:HEADERS_READ_MAX]:
        if isinstance(pair, (list, tuple)) and len(pair) > 1 and isinstance(key := pair[0], str):
            name = known(key) or known(key.lower())
            if name:
                put(brief, name, pair[1], 300)
    return brief


def breadcrumbs_of(breadcrumbs: Breadcrumbs | None, trimmed: list[str]) -> list[object]:
    """The last breadcrumbs, newest first: the nearest to the fault survive trimming.

    ``trimmed`` gets ``breadcrumbs`` where there are more than SDKs keep: that the older ones stay behind is the rule.
    """
    if breadcrumbs is None or not breadcrumbs.values:
        return []
    if len(breadcrumbs.values) + breadcrumbs.omitted > BREADCRUMBS_MAX:
        trimmed.append("breadcrumbs")
    return [brief for entry in breadcrumbs.values[: -BREADCRUMBS_SHOWN_MAX - 1 : -1] if (brief := _breadcrumb(entry))]


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


def _query(query: object, trimmed: list[str]) -> str | None:
    """The query as one text, from text or from pairs; credentials in it are taken out with all others."""
    if isinstance(query, str):
        return text(query.lstrip("?"), 500)
    pairs = list(islice(query.items(), QUERY_PAIRS_MAX + 1)) if isinstance(query, dict) else _pairs(items(query))
    if len(pairs) > QUERY_PAIRS_MAX:
        trimmed.append("request")
    named = [
        f"{spelled}={text(value) or ''}"
        for name, value in pairs[:QUERY_PAIRS_MAX]
        if (spelled := text(name, 100)) is not None
    ]
    return "&".join(named)


def _pairs(values: Sequence[object]) -> list[tuple[object, object]]:
    """The pairs of a list, as many as are kept and one more."""
    pairs = ((pair[0], pair[1]) for pair in values if isinstance(pair, list) and len(pair) > 1)
    return list(islice(pairs, QUERY_PAIRS_MAX + 1))
