"""The ``View`` that every view returns, and the readings that several views share."""

from itertools import islice
from typing import cast

import msgspec
from msgspec import Struct

from app.sentry.dates import instant, iso_text
from app.sentry.event import TAG_CHARS_MAX, TAG_NAME_CHARS_MAX, User
from app.sentry.links import organization_of
from app.transform.schema.fields import SEVERITIES
from app.transform.values import Obj, first, items, number, obj, objects, put, take, text, truth

TAGS_MAX = 500
"""Tags of an event that are read. Sentry keeps 200."""
SETTINGS_MAX = 20
URL_CHARS_MAX = 600
"""A longer link is left out: a cut one leads nowhere."""

_ACTOR = (("type", "type", 20), ("id", "id", 64), ("name", "name", 200))
_ISSUE = (
    ("issue_id", "id", 64),
    ("status", "status", 64),
    ("substatus", "substatus", 64),
    ("priority", "priority", 64),
    ("culprit", "culprit", 300),
    ("logger", "logger", 200),
    ("issue_type", "issueType", 64),
    ("issue_category", "issueCategory", 64),
)
_USER_TAGS = ("user", "sentry:user")
_ADDRESSES = ("ip:", "email:")
"""Sentry's ``user`` tag may be nothing but an address; ids and names of users are no addresses."""
_PLAIN_LEVELS = frozenset({"fatal", "error", "warning", "info", "debug", "sample"})
_LEVELS = {"10": "debug", "20": "info", "30": "warning", "40": "error", "50": "fatal", "critical": "fatal"}
"""Levels as old SDKs spell them."""


class View(Struct, frozen=True, gc=False):
    """The fields of one payload under the schema's names, in any order; absent and empty values may be among them.

    ``occurred_at`` is the payload's own time, in microseconds since the epoch; ``None`` where the payload reports a
    change without the time of it.
    """

    head: dict[str, object]
    detail: dict[str, object]
    occurred_at: int | None = None
    person: User | None = None
    """The user that the event concerns, as in the payload."""
    trimmed: list[str] = msgspec.field(default_factory=list)
    """Sections of which a cap left something out."""


def capped(value: object, count_max: int, trimmed: list[str], section: str) -> object:
    """The first ``count_max`` entries of a list or object; ``trimmed`` gets ``section`` where there are more."""
    if not isinstance(value, list | dict) or len(value) <= count_max:
        return value
    trimmed.append(section)
    return value[:count_max] if isinstance(value, list) else dict(islice(value.items(), count_max))


def link(*candidates: object) -> str | None:
    """The first of the candidates that is a web link people can open."""
    for candidate in candidates:
        if (
            isinstance(candidate, str)
            and len(candidate) <= URL_CHARS_MAX
            and candidate.startswith(("https://", "http://"))
        ):
            return candidate
    return None


def level_of(*candidates: object) -> str | None:
    """The first level among the candidates, in today's spelling."""
    if isinstance(candidates[0], str) and candidates[0] in _PLAIN_LEVELS:
        return candidates[0]
    found = first(*candidates, chars_max=20)
    if found is None:
        return None
    return _LEVELS.get(found.lower(), found.lower())


def severity_of(level: str | None) -> str | None:
    """The normalised severity of a level, if it has one."""
    return SEVERITIES.get(level) if level else None


def actor_of(actor: object) -> dict[str, object]:
    """Who acted; the id is a string always, although Sentry writes users' as numbers.

    Not a proof: Sentry names the receiving integration where another integration acted.
    """
    brief: dict[str, object] = {}
    if isinstance(actor, dict):
        take(brief, actor, _ACTOR)
    return brief


def tags_of(value: object, trimmed: list[str]) -> dict[str, object]:
    """The first ``TAGS_MAX`` tags as an object, from pairs, from ``{"key", "value"}`` objects or from an object.

    Old payloads write Sentry's own tags as ``sentry:release``; the prefix goes.
    """
    value = capped(value, TAGS_MAX, trimmed, "tags")
    if (plain := _plain_tags(value)) is not None:
        return plain
    tags: dict[str, object] = {}
    for pair in value.items() if isinstance(value, dict) else items(value):
        if isinstance(pair, (list, tuple)):
            if len(pair) != 2:  # noqa: PLR2004 - a pair
                continue
            name, said = pair
            # The way of nearly every tag; there are many. Whatever has a colon may be a name of Sentry's own.
            if (
                type(name) is str
                and type(said) is str
                and name >= "!" <= said
                and len(name) <= TAG_NAME_CHARS_MAX
                and len(said) <= TAG_CHARS_MAX
                and name not in tags
                and name != "user"
                and ":" not in name
            ):
                tags[name] = said
            else:
                _enter(tags, name, said)
        elif isinstance(pair, dict):
            _enter(tags, pair.get("key"), pair.get("value"))
    return tags


def _plain_tags(value: object) -> dict[str, object] | None:
    """Tags about which nothing is odd, in few steps for all together."""
    if type(value) is not list or not value or type(value[0]) is not tuple:
        return None
    # Tuples are of texts, neither empty nor too long: ``Event`` says so of its tags, and JSON itself has no tuples.
    tags: dict[str, str] = dict(value)
    if (
        len(tags) == len(value)
        and min(tags) >= "!" <= min(tags.values())
        and ":" not in "".join(tags)
        and not tags.get("user", "").startswith(_ADDRESSES)
    ):
        return cast("dict[str, object]", tags)
    return None


def _enter(tags: dict[str, object], key: object, value: object) -> None:
    """Enter whatever may be a tag; a name that is there already has a list."""
    name, said = text(key, TAG_NAME_CHARS_MAX), text(value, TAG_CHARS_MAX)
    if name is None or said is None or (name in _USER_TAGS and said.startswith(_ADDRESSES)):
        return
    name = name.removeprefix("sentry:")
    if name not in tags:
        tags[name] = said
        return
    there = tags[name]
    if isinstance(there, list):
        there.append(said)
    else:
        tags[name] = [there, said]


def tag(tags: Obj, name: str) -> str | None:
    """The value of a tag, the first of several."""
    value = tags.get(name)
    found = value[0] if isinstance(value, list) else value
    return found if isinstance(found, str) else None


def issue_head(issue: Obj) -> dict[str, object]:
    """The head fields that an issue object fills, in any of the shapes Sentry has for one."""
    get = issue.get
    project, metadata, assignee = obj(get("project")), obj(get("metadata")), obj(get("assignedTo"))
    level = level_of(get("level"))
    unhandled = truth(get("isUnhandled"))
    head: dict[str, object] = {
        "title": first(get("title"), metadata.get("title"), metadata.get("value"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": first(project.get("slug"), project.get("name")),
        "organization": organization_of((get("web_url"), get("url"), get("permalink"), get("project_url"))),
        "url": link(get("web_url"), get("permalink")),
        "short_id": first(get("shortId"), get("short_id")),
        "first_seen": iso_text(get("firstSeen")),
        "last_seen": iso_text(get("lastSeen")),
        "count": number(get("count")),
        "user_count": number(get("userCount")),
        "frame": frame_of(metadata.get("filename"), metadata.get("function")),
        "handled": None if unhandled is None or not (unhandled or _thrown(issue, metadata)) else not unhandled,
        "platform": first(get("platform"), project.get("platform"), chars_max=64),
    }
    take(head, issue, _ISSUE)
    put(head, "project_id", project.get("id"), 64)
    if assignee:
        keys = ("name", "slug", "id")
        put(head, "assignee", first(*[assignee.get(key) for key in keys]))
        put(head, "assignee_type", assignee.get("type"), 20)
    put(head, "exception_type", metadata.get("type"))
    if metadata.get("type"):
        put(head, "exception_value", metadata.get("value"), 1000)
    return head


def _thrown(issue: Obj, metadata: Obj) -> bool:
    """Whether the issue is of exceptions: Sentry calls a logged message handled as well."""
    if issue.get("issueCategory") not in (None, "error"):
        return False
    return bool(metadata.get("type")) if issue.get("type") is None else issue.get("type") == "error"


def frame_of(filename: object, function_name: object) -> str | None:
    """The frame that Sentry put into an issue's metadata: the file, and the function where it is known."""
    file, function = text(filename), text(function_name)
    return f"{file} in {function}" if file and function else file or function


def settings_of(value: object, trimmed: list[str], section: str) -> dict[str, object]:
    """The settings of an alert action, ``[{"name", "value"}]``, as an object."""
    entries = objects(capped(value, SETTINGS_MAX, trimmed, section))
    pairs = ((first(entry.get("name"), entry.get("label")), entry.get("value")) for entry in entries)
    return {name: kept for name, value in pairs if name and (kept := text(value, 400)) is not None}


def first_date(*candidates: object) -> int | None:
    """The first of the candidates that is a date."""
    for candidate in candidates:
        if (when := instant(candidate)) is not None:
            return when
    return None
