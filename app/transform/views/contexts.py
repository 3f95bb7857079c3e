"""Contexts in brief: each as one text or a few scalars."""

from itertools import islice

from app.transform.values import TEXT_CHARS_MAX, Obj, first, items, number, obj, put, text
from app.transform.views.base import capped

CONTEXTS_MAX = 30
CONTEXT_KEYS_MAX = 40
FLAGS_READ_MAX = 1_000
_NAME_CHARS_MAX = 100
_NAMED = frozenset({"os", "browser", "runtime", "client_os", "app", "gpu"})
"""Contexts that become one text of a name and a version."""
_BESIDE_NAME = {"rooted": "rooted", "build": "build", "app_build": "build"}
"""What stands beside that text, as ``os.rooted``: an object would take the text's place."""
_SPECIAL = frozenset({"flags", "feedback", "monitor", "nel"})
_TOLD_ELSEWHERE = frozenset({"message", "contact_email", "name"})
"""Keys of a feedback that are the event's ``message``, or a person's."""


def contexts_of(value: object, trimmed: list[str]) -> dict[str, object]:
    """At most ``CONTEXTS_MAX`` contexts; ``trimmed`` gets ``contexts`` where one of the caps leaves something out."""
    brief: dict[str, object] = {}
    if not isinstance(value, dict):
        return brief
    for key, context in value.items():
        if not isinstance(context, dict):
            continue
        if len(brief) >= CONTEXTS_MAX:
            trimmed.append("contexts")
            break
        name = key if len(key) <= _NAME_CHARS_MAX else key[:_NAME_CHARS_MAX]
        if key in _NAMED or _is_named(context):
            if (named := _name_and_version_in(context)) is not None:
                brief[name] = named
            if len(context) > 2 and not _BESIDE_NAME.keys().isdisjoint(context):  # noqa: PLR2004 - more than name and version
                brief |= _beside(name, context)
        elif kept := _special(key, context) if key in _SPECIAL else _scalars(context):
            brief[name] = kept if len(kept) <= CONTEXT_KEYS_MAX else capped(kept, CONTEXT_KEYS_MAX, trimmed, "contexts")
    return brief


def _is_named(context: Obj) -> bool:
    kind = context.get("type")
    return isinstance(kind, str) and kind in _NAMED


def name_and_version(name: object, version: object) -> str | None:
    """``sentry.python 2.1.0``, or one of the two."""
    name, version = first(name), first(version)
    if name and version:
        return f"{name} {version}"
    return name or version


def _name_and_version_in(context: Obj) -> str | None:
    get = context.get
    name, version = get("name"), get("version")
    if (
        type(name) is str
        and type(version) is str
        and name >= "!" <= version
        and len(name) + len(version) <= TEXT_CHARS_MAX
    ):
        return f"{name} {version}"
    return name_and_version(first(name, get("app_name")), first(version, get("app_version")))


def _beside(name: str, context: Obj) -> dict[str, object]:
    kept = ((f"{name}.{beside}", _scalar(context.get(key))) for key, beside in _BESIDE_NAME.items())
    return {key: value for key, value in kept if value is not None}


def _special(key: str, context: Obj) -> dict[str, object]:
    """The scalars of a context with a shape of its own."""
    if key == "nel":  # a section of its own
        return {}
    if key == "flags":
        return _flags(context)
    if key == "feedback":
        return _scalars({name: value for name, value in context.items() if name not in _TOLD_ELSEWHERE})
    kept, config = _scalars(context), obj(context.get("config"))
    if settings := _scalars({name: _line(value) for name, value in islice(config.items(), CONTEXT_KEYS_MAX)}):
        kept["config"] = settings
    return kept


def _flags(context: Obj) -> dict[str, object]:
    """Feature flags by name: ``{"values": [{"flag": "new-oven", "result": true}]}``. SDKs write the latest last."""
    values = items(context.get("values"))
    flags = ((text(obj(entry).get("flag"), _NAME_CHARS_MAX), _scalar(obj(entry).get("result"))) for entry in values)
    return dict(islice(((flag, result) for flag, result in flags if flag and result is not None), FLAGS_READ_MAX))


def _line(value: object) -> object:
    """A schedule may be a list: ``[1, "hour"]``."""
    return " ".join(word for word in map(text, value[:10]) if word) if isinstance(value, list) else value


def _scalars(context: Obj) -> dict[str, object]:
    """The scalars of an object, its type excepted."""
    kept: dict[str, object] = {}
    for key, value in context.items():
        if type(value) is str:
            if key == "type":
                continue
            if value >= "!" and len(value) <= TEXT_CHARS_MAX and len(key) <= _NAME_CHARS_MAX:
                kept[key] = value
            else:
                put(kept, key[:_NAME_CHARS_MAX], value)
        elif value is not None and not isinstance(value, dict | list):
            kept[key[:_NAME_CHARS_MAX]] = value if isinstance(value, bool) else number(value)
    return kept


def _scalar(value: object) -> object:
    """A boolean or number as it is, a text cut."""
    if isinstance(value, str):
        return text(value)
    return value if isinstance(value, bool) else number(value)
