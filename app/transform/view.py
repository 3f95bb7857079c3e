"""What a view is, and what the views of several resources share."""

from types import MappingProxyType
from typing import NamedTuple

from app.sentry.dates import instant, iso_text
from app.sentry.links import organization_of
from app.transform.schema import SEVERITIES
from app.transform.values import Obj, first, items, number, obj, objects, present, text, truth

URL_CHARS_MAX = 600
"""A longer link is left out: a cut one leads nowhere."""

_USER_TAGS = ("user", "sentry:user")
_ADDRESSES = ("ip:", "email:")
"""Sentry's ``user`` tag may be nothing but an address; ids and names of users are no addresses."""
_PLAIN_LEVELS = frozenset({"fatal", "error", "warning", "info", "debug", "sample"})
_LEVELS = {"10": "debug", "20": "info", "30": "warning", "40": "error", "50": "fatal", "critical": "fatal"}
"""Levels as old SDKs spell them."""


NOBODY: Obj = MappingProxyType({})


class View(NamedTuple):
    """What one resource's payload says, in the schema's names; order and emptiness do not matter.

    ``when`` is the payload's own time of what happened, in microseconds since the epoch. ``None``: the payload
    does not say, because it tells of a change and not of when it was made.
    """

    head: dict[str, object]
    detail: dict[str, object]
    when: int | None = None
    person: Obj = NOBODY
    """The user it happened to, as the payload has it."""


def link(*candidates: object) -> str | None:
    """The first of the candidates that is a web link people can open."""
    for each in candidates:
        if isinstance(each, str) and len(each) <= URL_CHARS_MAX and each.startswith(("https://", "http://")):
            return each
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


def actor_of(body: Obj) -> dict[str, object]:
    """Who acted; the id is a string always, although Sentry writes users' as numbers.

    Not a proof: Sentry names the receiving integration where another integration acted.
    """
    actor = obj(body.get("actor"))
    return present((key, text(actor.get(key), chars)) for key, chars in (("type", 20), ("id", 64), ("name", 200)))


def tags_of(value: object) -> dict[str, object]:
    """Tags as an object, from pairs, from ``{"key", "value"}`` objects or from an object.

    Old payloads write Sentry's own tags as ``sentry:release``; the prefix goes.
    """
    tags: dict[str, object] = {}
    for pair in value.items() if isinstance(value, dict) else items(value):
        if isinstance(pair, list | tuple):
            if len(pair) != 2:  # noqa: PLR2004 - a pair
                continue
            key, each = pair
        elif isinstance(pair, dict):
            key, each = pair.get("key"), pair.get("value")
        else:
            continue
        name, said = text(key, 100), text(each, 400)
        if name is None or said is None or (name in _USER_TAGS and said.startswith(_ADDRESSES)):
            continue
        name = name.removeprefix("sentry:")
        if name not in tags:
            tags[name] = said
            continue
        there = tags[name]
        tags[name] = [*there, said] if isinstance(there, list) else [there, said]
    return tags


def tag(tags: Obj, name: str) -> str | None:
    """The value of a tag, the first of several."""
    value = tags.get(name)
    found = value[0] if isinstance(value, list) else value
    return found if isinstance(found, str) else None


def issue_head(issue: Obj) -> dict[str, object]:
    """The head fields that an issue object fills, in any of the shapes Sentry has for one."""
    project = obj(issue.get("project"))
    metadata = obj(issue.get("metadata"))
    assignee = obj(issue.get("assignedTo"))
    level = level_of(issue.get("level"))
    unhandled = truth(issue.get("isUnhandled"))
    return {
        "title": first(issue.get("title"), metadata.get("title"), metadata.get("value"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": first(project.get("slug"), project.get("name")),
        "project_id": text(project.get("id"), 64),
        "organization": organization_of(issue.get(key) for key in ("web_url", "url", "permalink", "project_url")),
        "url": link(issue.get("web_url"), issue.get("permalink")),
        "issue_id": text(issue.get("id"), 64),
        "short_id": first(issue.get("shortId"), issue.get("short_id")),
        "status": text(issue.get("status"), 64),
        "substatus": text(issue.get("substatus"), 64),
        "priority": text(issue.get("priority"), 64),
        "assignee": first(assignee.get("name"), assignee.get("slug"), assignee.get("email"), assignee.get("id")),
        "assignee_type": text(assignee.get("type"), 20),
        "first_seen": iso_text(issue.get("firstSeen")),
        "last_seen": iso_text(issue.get("lastSeen")),
        "count": number(issue.get("count")),
        "user_count": number(issue.get("userCount")),
        "exception_type": text(metadata.get("type")),
        "exception_value": text(metadata.get("value"), 1000) if metadata.get("type") else None,
        "frame": frame_of(metadata),
        "handled": None if unhandled is None else not unhandled,
        "culprit": text(issue.get("culprit"), 300),
        "platform": first(issue.get("platform"), project.get("platform"), chars_max=64),
        "logger": text(issue.get("logger")),
        "issue_type": text(issue.get("issueType"), 64),
        "issue_category": text(issue.get("issueCategory"), 64),
    }


def frame_of(metadata: Obj) -> str | None:
    """The frame that Sentry put into an issue's metadata: the file, and the function where it is known."""
    file, function = text(metadata.get("filename")), text(metadata.get("function"))
    return f"{file} in {function}" if file and function else file or function


def settings_of(value: object) -> dict[str, object]:
    """The settings of an alert action, ``[{"name", "value"}]``, as an object."""
    pairs = ((first(each.get("name"), each.get("label")), each.get("value")) for each in objects(value)[:20])
    return {name: said for name, each in pairs if name and (said := text(each, 400)) is not None}


def dated(*candidates: object) -> int | None:
    """The first of the candidates that is a date."""
    for each in candidates:
        if (when := instant(each)) is not None:
            return when
    return None
