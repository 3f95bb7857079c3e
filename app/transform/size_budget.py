"""Keeps the head within what Splunk extracts from, and the event within its budget: trims from the back.

Sizes are bytes of the event's JSON as UTF-8. Nothing is cut inside a character; a text that was cut ends in an
ellipsis, and what was left out as a whole is named in ``trimmed``.
"""

import orjson
from msgspec import Struct

from app.transform.schema.fields import HEAD_BYTES_MAX, IDENTITY
from app.transform.values import CUT

EVENT_BYTES_MIN = 2_000
"""A smaller budget counts as this one: less would not always hold what identifies a hook."""

_STEPS = (400, 200, 100, 50, 20)
"""To how many bytes the texts of a head that is too large are cut, one step after the other."""
_PAYLOAD = ("payload", "payload_text")
_TAGS_ROOM = 1_000
_TRIMMED_ROOM = 400
_TEXT_BYTES_MIN = 100
"""Less of a payload's text tells nobody anything."""


class Fitted(Struct, frozen=True, gc=False):
    """An event within its budget, and its JSON as UTF-8."""

    event: dict[str, object]
    encoded: bytes
    whole: bool
    """Nothing was left out."""


def fit(head: dict[str, object], detail: dict[str, object], bytes_max: int) -> Fitted:
    """Head and detail as one event of at most ``bytes_max`` bytes (at least ``EVENT_BYTES_MIN``).

    The head, tags included, stays within ``HEAD_BYTES_MAX``; tags without room there follow in ``tags_more``.
    """
    bytes_max = max(bytes_max, EVENT_BYTES_MIN)
    event = head | detail
    encoded = orjson.dumps(event)
    size = len(encoded)
    if size <= bytes_max and (size <= HEAD_BYTES_MAX or _size(head) <= HEAD_BYTES_MAX):
        return Fitted(event, encoded, whole=True)
    event = _trimmed(head, detail, bytes_max)
    return Fitted(event, orjson.dumps(event), whole=False)


def _trimmed(head: dict[str, object], detail: dict[str, object], bytes_max: int) -> dict[str, object]:
    head_max = min(HEAD_BYTES_MAX, bytes_max)
    listed = head.get("trimmed")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    head = {name: value for name, value in head.items() if name != "trimmed"}
    if _size(head) + _size(names) > head_max:
        head, detail = _fit_head(head, detail, names, head_max)
    event = _joined(head, names, detail)
    if _size(event) <= bytes_max:
        return event
    if _size(head) > bytes_max - _TRIMMED_ROOM:
        head, detail = _fit_head(head, detail, names, head_max)
    return _joined(head, names, _fit_detail(head, detail, names, bytes_max))


def _joined(head: dict[str, object], names: list[str], detail: dict[str, object]) -> dict[str, object]:
    """Head and detail, with ``trimmed`` in front of the tags, where the schema has it."""
    if not names:
        return head | detail
    tags = {"tags": head["tags"]} if "tags" in head else {}
    front = {name: value for name, value in head.items() if name != "tags"}
    return front | {"trimmed": list(dict.fromkeys(names))} | tags | detail


def cut(text: str, bytes_max: int) -> str:
    """The longest beginning of a text whose JSON, quotes included, takes at most ``bytes_max`` bytes."""
    if len(text) <= bytes_max and _size(text) <= bytes_max:
        return text
    low, high = 0, min(len(text), bytes_max)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(text[:middle] + CUT) <= bytes_max:
            low = middle
        else:
            high = middle - 1
    return text[:low] + CUT


def _size(value: object) -> int:
    return len(orjson.dumps(value))


def _fit_head(
    head: dict[str, object], detail: dict[str, object], names: list[str], bytes_max: int
) -> tuple[dict[str, object], dict[str, object]]:
    tags = head.get("tags")
    room = bytes_max - _TRIMMED_ROOM - (_TAGS_ROOM if isinstance(tags, dict) and bytes_max == HEAD_BYTES_MAX else 0)
    head = _shrunk({name: value for name, value in head.items() if name != "tags"}, names, room)
    if isinstance(tags, dict):
        near, far = _split(tags, bytes_max - _TRIMMED_ROOM - _size(head) - len('"tags":,'))
        head = head | ({"tags": near} if near else {})
        if far:
            payload = {name: section for name, section in detail.items() if name in _PAYLOAD}
            detail = (
                {name: section for name, section in detail.items() if name not in _PAYLOAD}
                | {"tags_more": far}
                | payload
            )
    return head, detail


def _shrunk(head: dict[str, object], names: list[str], bytes_max: int) -> dict[str, object]:
    """The head with its texts cut, step by step; if that is not enough, without its last fields."""
    for step in _STEPS:
        if _size(head) <= bytes_max:
            return head
        head = {name: value if name in IDENTITY else _shortened(name, value, step) for name, value in head.items()}
        head = {name: value for name, value in head.items() if value is not None}
    for name in [name for name in reversed(head) if name not in IDENTITY]:
        if _size(head) <= bytes_max:
            break
        del head[name]
        if "head" not in names:
            names.append("head")
    return head


def _shortened(key: str, value: object, bytes_max: int) -> object:
    if isinstance(value, str):
        if key == "url":  # a cut link leads nowhere: it stays whole or goes
            return value if _size(value) <= max(bytes_max, _STEPS[0]) else None
        return cut(value, bytes_max)
    if isinstance(value, list):
        return [_shortened("", item, bytes_max) for item in value[:10]]
    if isinstance(value, dict):
        return {name: _shortened("", item, bytes_max) for name, item in value.items()}
    return value


def _split(tags: dict[str, object], bytes_max: int) -> tuple[dict[str, object], dict[str, object]]:
    """The first tags that fit, and the others; a tag too long for the room does not keep later ones out."""
    near: dict[str, object] = {}
    far: dict[str, object] = {}
    room = bytes_max - len("{}")
    for name, value in tags.items():
        takes = _size(name) + _size(value) + len(":,")
        if takes <= room:
            near[name] = value
            room -= takes
        else:
            far[name] = value
    return near, far


def _fit_detail(
    head: dict[str, object], detail: dict[str, object], names: list[str], bytes_max: int
) -> dict[str, object]:
    """Leave out sections from the back until the rest fits; a payload is cut, as text, before it goes."""
    base = _size(head)
    sizes = {name: _size(section) + len(name) + len('"":,') for name, section in detail.items()}
    kept = dict(detail)
    for gone, name in enumerate(reversed(detail)):
        room = bytes_max - base - _size([*names, name]) - len('"trimmed":,')
        others = sum(sizes[other] for other in kept) - sizes[name]
        if gone and others + sizes[name] <= room:
            break
        names.append(name)
        section = kept.pop(name)
        text_max = room - others - len('"payload_text":,')
        if name in _PAYLOAD and text_max >= _TEXT_BYTES_MIN:
            text = section if isinstance(section, str) else orjson.dumps(section).decode()
            kept["payload_text"] = cut(text, text_max)
            break
    return kept
