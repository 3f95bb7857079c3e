"""The short way of reading an event and the usual one come to the same hec_event, whatever the payload."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import Hook
from app.sandbox.sentry import sample
from app.sentry.event import alert_triggered, error_created
from app.tenants.model import Destination
from app.transform import transform
from tests.examples import examples
from tests.goldens import only

PAYLOADS = sorted((Path(__file__).parents[1] / "fixtures" / "payloads").glob("*.json"))
READERS = {"error": error_created, "event_alert": alert_triggered}
SUBJECTS = {"error": "error", "event_alert": "event"}
BODIES = {
    path.stem: json.loads(path.read_text())
    for path in PAYLOADS
    if path.name.startswith(("error.created.", "event_alert.triggered."))
}
EVENTS = {name: body["data"][SUBJECTS[name.partition(".")[0]]] for name, body in BODIES.items()}
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")

FRAME = {"filename": "a.py", "function": "f", "lineno": 3, "in_app": True}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(10**30), 0.5, 1e300, 9.3e18, 1778000000.25),
    *(
        "",
        " ",
        "x" * 99,
        "x" * 101,
        "x" * 201,
        "x" * 401,
        "é" * 1001,
        "\0",
        "\ud800",
        "12",
        "yes",
        "user",
        "ip:1.2.3.4",
    ),
    *("2026-05-04T09:08:07Z", "sentry:user", "1778000000", "error", "type", "tok\u212aen=1"),
    *([], {}, [None], [[]], [{}], [["a", "b"]], [["a", "b"], ["a", "c"]], [["user", "email:a@b.de"], ["k", "v"]]),
    *([["a", None]], [["a", "b", "c"]], [["", "b"]], [["x" * 101, "b"]], {"a": "b"}, [{"key": "a", "value": "b"}]),
    *({"values": None}, {"values": [None, {}]}, {"values": {}}, {"frames": [None, FRAME]}, {"frames": {}}),
    *(
        [{"type": "T", "value": "V", "stacktrace": {"frames": [FRAME]}}],
        {"values": [{"crashed": True, "stacktrace": {}}]},
    ),
    *({"frames": [{"absPath": "/a", "lineNo": 4, "inApp": True}, {"instructionAddr": "0x1"}, {"module": "m"}]},),
    *({"frames": [{"filename": "A.java", "module": "m", "function": "f", "lineno": 2**40}]}, {"handled": 0}),
)
TELLING: tuple[Any, ...] = (
    *(None, False, 2**64, 1e300, "", "x" * 1001, "ip:1.2.3.4", {}, [["a", "b"], ["a", "c"]]),
    *({"values": [None, {"formatted": "m"}], "formatted": "m"}, {"frames": [None, FRAME]}),
    [{"type": "T", "value": "V", "stacktrace": {"frames": [FRAME]}}],
)
"""What finds most."""
NAMES = (
    *("sentry.interfaces.Exception", "sentry.interfaces.Message", "logentry", "exception", "dateCreated", "datetime"),
    *("timestamp", "received", "query", "query_string", "headers", "to", "status_code", "data", "values", "frames"),
    *("stacktrace", "threads", "mechanism", "handled", "type", "value", "level", "message", "user", "tags", "metadata"),
    *("title", "fingerprint", "contexts", "trace", "sdk", "occurrence", "issue_url", "id", "dist", "in_app", "version"),
)
BYTES = (
    b"\xff",
    b"\\u0000",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"\\q",
    b"\x01",
    b"1e400",
    b"\xe2\x82",
    b"\\u0061",
    b'"',
    b"0",
)


def _hook(resource: str, payload: bytes) -> Hook:
    return Hook(
        delivery_id="ab" * 16,
        tenant="acme",
        resource=resource,
        sent_at="1778000000",
        received_at=1778000001.5,
        payload=payload,
    )


def _payload(resource: str, event: object, *, usual: bool = False) -> bytes:
    """A hook about the event. What tells ``usual`` ones is a key without a meaning that the short way does not pass."""
    alert = {"triggered_rule": "r", "issue_alert": {"id": 1, "settings": []}} if resource == "event_alert" else {}
    subject = ({"run_id": {}} if usual else {}) | {SUBJECTS[resource]: event} | alert
    action = "created" if resource == "error" else "triggered"
    body = {"data": subject, "action": action, "actor": {"type": "user", "id": 7}, "installation": {"uuid": "u"}}
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _same(resource: str, short: bytes, usual: bytes) -> None:
    assert READERS[resource](usual) is None
    one, other = (only(transform(_hook(resource, payload), DESTINATION)) for payload in (short, usual))
    if "payload" in one.event or "payload_text" in one.event:  # kept whole because nobody can read it, with the key
        assert set(one.event) == set(other.event)
        return
    assert one.event_json == other.event_json
    assert one == other


def _holders(value: object) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for one in inner for each in _holders(one)]
    return [value, *found] if isinstance(value, dict | list) and value else found


def _paths(event: Any) -> list[tuple[Any, ...]]:
    """A place of each kind in an event, and places for names that it has not."""
    thrown = ("exception", "values", 0)
    frame = (*thrown, "stacktrace", "frames", -1)
    crumb = ("breadcrumbs", "values", -1)
    kinds = (
        (),
        thrown,
        (*thrown, "mechanism"),
        frame,
        crumb,
        ("request",),
        ("contexts",),
        ("contexts", "trace"),
        ("user",),
    )
    paths: dict[tuple[Any, ...], None] = {}
    for kind in kinds:
        holder = event
        for key in kind:
            holder = holder[key]
        paths |= dict.fromkeys((*kind, key) for key in holder)
    paths |= dict.fromkeys((name,) for name in NAMES)
    paths |= dict.fromkeys(
        (*frame, name) for name in ("absPath", "lineNo", "inApp", "rawFunction", "abs_path", "lineno")
    )
    return list(paths)


@pytest.mark.parametrize("name", [name for name in BODIES if not name.endswith(".worst")])
def test_events_as_sentry_writes_them_go_the_short_way(name: str) -> None:
    """The payloads that the project ships, which otherwise would compare the usual way with itself."""
    resource = name.partition(".")[0]
    assert READERS[resource](json.dumps(BODIES[name]).encode()) is not None
    _same(resource, _payload(resource, EVENTS[name]), _payload(resource, EVENTS[name], usual=True))


def test_every_odd_value_in_every_place_goes_both_ways_alike() -> None:
    """One at a time, in one place of each kind, and under every other spelling of a name."""
    typical = json.loads(sample("error.created").body(0, now=1e9))["data"]["error"]
    bare: dict[str, Any] = {"title": "t", "logentry": {}, "tags": []}
    for event, path in [*((typical, path) for path in _paths(typical)), *((bare, (name,)) for name in NAMES)]:
        holder = event
        for key in path[:-1]:
            holder = holder[key]
        before = holder.copy()
        for odd in TELLING:
            holder[path[-1]] = odd
            _same("error", _payload("error", event), _payload("error", event, usual=True))
        holder.clear()
        holder.update(before)


@examples(200)
@given(st.data(), st.sampled_from(sorted(EVENTS)), st.sampled_from(sorted(READERS)))
def test_both_ways_come_to_the_same(data: st.DataObject, name: str, resource: str) -> None:
    """Values of every type in every place, keys gone, old spellings added."""
    event = copy.deepcopy(EVENTS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        holder = data.draw(st.sampled_from(_holders({"": event})[1:] or [{}]))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from([*keys, *NAMES]) if isinstance(holder, dict) else st.sampled_from(keys))
        if isinstance(holder, dict) and key in holder and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
    _same(resource, _payload(resource, event), _payload(resource, event, usual=True))


@examples(150)
@given(st.data(), st.sampled_from(sorted(EVENTS)), st.sampled_from(sorted(READERS)), st.sampled_from(BYTES))
def test_both_ways_take_odd_bytes_alike(data: st.DataObject, name: str, resource: str, odd: bytes) -> None:
    """What is no JSON, no UTF-8 or no number that fits, and where orjson and msgspec have rules of their own."""
    event = json.dumps(EVENTS[name]).encode()
    at = data.draw(st.integers(0, len(event)))
    event = event[:at] + odd + event[at:]
    mark = b'"EVENT"'
    _same(
        resource,
        _payload(resource, "EVENT").replace(mark, event, 1),
        _payload(resource, "EVENT", usual=True).replace(mark, event, 1),
    )
