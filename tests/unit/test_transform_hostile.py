"""What a hook costs grows no faster than the hook, whatever stands in it and wherever."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.model import Hook
from app.tenants.model import Destination
from app.transform import transform
from tests.goldens import PAYLOADS, SENDERS

DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")
SMALL = 2_000
"""Entries of the smaller of two payloads; the other has four times as many."""
GROWTH_MAX = 12.0
"""Linear is 4; a quadratic cost is 16. Between them lies what a busy machine adds."""
LEAST_S = 0.02
"""A payload that costs less than this cannot be slow, whatever it grows by."""
VALUES: dict[str, Callable[[int], Any]] = {
    "equal pairs": lambda count: [["name", "value"]] * count,
    "empty objects": lambda count: [{}] * count,
    "objects": lambda count: [{"key": "k", "value": "v", "type": "T", "function": "f", "lineno": 1}] * count,
    "names": lambda count: {f"key {number}": "v" for number in range(count)},
    "one text": lambda count: "user@example.org token=abc123def456 " * count,
}
TRIED = (
    "error.created.typical",
    "event_alert.triggered.typical",
    "issue.resolved.typical",
    "metric_alert.critical.typical",
    "glitchtip.triggered.typical",
)


def _paths(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to each value under a key, of lists the first entry."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from _paths(value[0], (*path, "0"))


def _with(body: Any, path: tuple[str, ...], value: object) -> bytes:
    copy = json.loads(json.dumps(body))
    holder = copy
    for step in path[:-1]:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    holder[path[-1]] = value
    return json.dumps(copy).encode()


def _seconds(name: str, payload: bytes) -> float:
    resource = name.partition(".")[0]
    sender = SENDERS.get(resource, "integration")
    hook = Hook(delivery_id="ab" * 16, tenant="acme", sender=sender, resource=resource, payload=payload)
    begun = time.process_time()
    transform(hook, DESTINATION)
    return time.process_time() - begun


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIED)
def test_a_hostile_value_in_any_field_costs_no_more_than_its_size(name: str) -> None:
    """Four times the entries cost no more than a linear way would take, at every place of a payload."""
    body = json.loads((PAYLOADS / f"{name}.json").read_text())
    slow = []
    for path in dict.fromkeys(_paths(body)):
        for kind, make in VALUES.items():
            large = _with(body, path, make(4 * SMALL))
            if _seconds(name, large) < LEAST_S:
                continue
            small = _with(body, path, make(SMALL))
            ratio = min(_seconds(name, large) / max(_seconds(name, small), 1e-4) for _ in range(3))
            if ratio > GROWTH_MAX:
                slow.append((".".join(path), kind, round(ratio, 1)))
    assert not slow


@pytest.mark.parametrize(
    "words",
    [
        '"code": 1 ',
        '"email": 1 ',
        "eyJ-",
        "eyJaaaaaaaaa.",
        "://a:",
        "password=",
        "('token', '",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
        "<token>",
        "token%3D",
        '\\"token\\": ',
        "a@",
        '{"name":"token",',
        "[[[",
    ],
)
def test_a_text_of_any_words_is_scrubbed_in_linear_time(words: str) -> None:
    """Words with which a pattern might begin again and again."""

    def seconds(count: int) -> float:
        text = words * (count // len(words))
        payload = json.dumps({"action": "x", "data": {"text": text}}).encode()
        return _seconds("unheard_of.x", payload)

    ratio = min(seconds(120_000) / max(seconds(30_000), 1e-3) for _ in range(3))
    assert ratio <= GROWTH_MAX, ratio
