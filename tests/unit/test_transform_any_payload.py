"""Whatever the payload: no exception, the identity kept, the envelope valid, the budget held, the same bytes again."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import Hook, Secret
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.tenants.privacy import Privacy, mask
from app.transform import transform
from app.transform.schema.fields import DETAIL_NAMES, FLAGS, HEAD_NAMES
from app.transform.size_budget import EVENT_BYTES_MIN, cut
from tests.examples import examples
from tests.goldens import SENDERS

PAYLOADS = sorted((Path(__file__).parents[1] / "fixtures" / "payloads").glob("*.json"))
BODIES = {path.name: json.loads(path.read_text()) for path in PAYLOADS if ".worst." not in path.name}
WORST = {path.name: json.loads(path.read_text()) for path in PAYLOADS if ".worst." in path.name}
TYPICAL = [path.name for path in PAYLOADS if ".typical." in path.name]
DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")

PLAIN = DESTINATION
STRICT = replace(
    DESTINATION,
    detail="full",
    privacy=Privacy(
        email="hash",
        ip="hash",
        hash_key=Secret("env:K", b"0123456789abcdef"),
        drop_paths=(("title",), ("tags", "**"), ("payload", "**", "installation"), ("*", "type")),
        masks=(mask(r"\d{4}"), mask("[äöü]+")),
    ),
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        ["\0\ud800", "x" * 5000, "\x01" * 3000, "😀" * 900, '"' * 3000, "2026-05-04T09:08:07Z", 2**64, 10**30, 1e300]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def _made(
    payload: bytes,
    name: str,
    *,
    header: str | None = None,
    bytes_max: int = 500_000,
    destination: Destination = DESTINATION,
) -> HecEvent:
    resource = name.partition(".")[0]
    sender = SENDERS.get(resource, "integration")
    hook = Hook(
        delivery_id="ab" * 16,
        tenant="acme",
        sender=sender,
        resource=resource if header is None else header,
        sent_at="1778000000",
        received_at=1778000001.5,
        payload=payload,
    )
    made = transform(hook, destination, event_bytes_max=bytes_max)
    again = transform(hook, destination, event_bytes_max=bytes_max)
    assert isinstance(made, tuple)
    assert isinstance(again, tuple)
    assert [encode(one, delivery_id="i") for one in made] == [encode(one, delivery_id="i") for one in again]
    for other in made[1:]:
        _check(other, bytes_max)
    return made[0]


def _check(made: HecEvent, bytes_max: int) -> None:
    assert str(made.event["delivery_id"]).startswith("ab" * 16)
    assert list(made.event)[:4] == ["schema", "tenant", "resource", "action"]
    assert all(made.event[name] for name in ("tenant", "resource", "action"))
    flags = made.event.get("flags", [])
    assert isinstance(flags, list)
    assert set(flags) <= set(FLAGS) - {"view_failed"}
    assert set(made.event) <= {*HEAD_NAMES, *DETAIL_NAMES}
    assert made.event_json == orjson.dumps(made.event)
    assert len(made.event_json) <= max(bytes_max, EVENT_BYTES_MIN)
    head = {name: made.event[name] for name in HEAD_NAMES if name in made.event}
    assert len(orjson.dumps(head)) < 5_000
    assert list(made.event)[: len(head)] == list(head)


def _places(value: object) -> list[tuple[dict[str, object] | list[object], str | int]]:
    """Every place of a tree in which a value stands."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    here = [(value, key) for key, _ in pairs]
    return here + [place for _, inner in pairs for place in _places(inner)]  # type: ignore[return-value]  # of pairs


def _inflated(value: object, filler: str) -> object:
    if isinstance(value, dict):
        return {key: _inflated(each, filler) for key, each in value.items()} | {filler[:40]: filler}
    if isinstance(value, list):
        many = 4 if value and isinstance(value[0], dict | list) else 1
        return [_inflated(each, filler) for each in value] * many
    return f"{value}{filler}" if isinstance(value, str) else value


@examples(250)
@given(st.data(), st.sampled_from(sorted(BODIES)), st.sampled_from([500_000, 6_000, 2_000, 10]))
def test_a_mutated_payload_still_becomes_a_hec_event(chance: st.DataObject, name: str, bytes_max: int) -> None:
    """Values of any type in any place of a real shape."""
    body = copy.deepcopy(BODIES[name])
    for _ in range(chance.draw(st.integers(1, 5))):
        holder, key = chance.draw(st.sampled_from(_places(body)))
        holder[key] = chance.draw(VALUES)  # type: ignore[index]  # key fits its holder
    header = chance.draw(st.sampled_from([None, "", "issue", "\0odd\ud800" * 40]))
    _check(_made(json.dumps(body).encode(), name, header=header, bytes_max=bytes_max), bytes_max)


@examples(30)
@given(st.data(), st.sampled_from(sorted(WORST)), st.sampled_from([500_000, 2_000]), st.sampled_from([PLAIN, STRICT]))
def test_the_largest_payloads_mutated_are_no_exception(
    chance: st.DataObject, name: str, bytes_max: int, destination: Destination
) -> None:
    """Nor are the rules of a tenant who wants everything but half of it masked."""
    body = copy.deepcopy(WORST[name])
    holder, key = chance.draw(st.sampled_from(_places(body)))
    holder[key] = chance.draw(VALUES)  # type: ignore[index]  # key fits its holder
    _check(_made(json.dumps(body).encode(), name, bytes_max=bytes_max, destination=destination), bytes_max)


@examples(150)
@given(st.data(), st.sampled_from(sorted(BODIES)), st.sampled_from([500_000, 6_000]))
def test_a_tenants_rules_never_break_an_event(chance: st.DataObject, name: str, bytes_max: int) -> None:
    """Paths, masks, hashes and the payload itself, over values of any type."""
    body = copy.deepcopy(BODIES[name])
    for _ in range(chance.draw(st.integers(0, 3))):
        holder, key = chance.draw(st.sampled_from(_places(body)))
        holder[key] = chance.draw(VALUES)  # type: ignore[index]  # key fits its holder
    made = _made(json.dumps(body).encode(), name, bytes_max=bytes_max, destination=STRICT)
    _check(made, bytes_max)
    assert "title" not in made.event


@examples(150)
@given(st.binary(max_size=300), st.sampled_from(["error.x", "legacy.x", "odd.x"]))
def test_any_bytes_become_a_hec_event(payload: bytes, name: str) -> None:
    """Even bytes that are no text at all."""
    _check(_made(payload, name), 500_000)


@examples(100)
@given(st.data(), st.sampled_from(sorted(BODIES)))
def test_a_payload_that_breaks_off_is_kept(chance: st.DataObject, name: str) -> None:
    """Whatever of it arrived."""
    payload = json.dumps(BODIES[name]).encode()
    payload = payload[: chance.draw(st.integers(1, len(payload) - 1))]
    made = _made(payload, name)
    _check(made, 500_000)
    assert made.sourcetype == "sentry:unknown"
    assert str(made.event["payload_text"])[:10] == payload.decode()[:10]


@pytest.mark.parametrize("filler", ["\x01" * 1000, "ü" * 2000, "😀" * 1000])
@pytest.mark.parametrize("name", TYPICAL)
def test_the_worst_event_keeps_its_head_within_reach(name: str, filler: str) -> None:
    """Every text blown up, every list four times as long: the head stays within Splunk's first 5,000 bytes."""
    payload = json.dumps(_inflated(BODIES[name], filler)).encode()
    for bytes_max in (500_000, 2_000):
        _check(_made(payload, name, bytes_max=bytes_max), bytes_max)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"action":"created","data":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"action":"created","data":{"error":' + b'{"a":' * 500 + b"1" + b"}" * 502,
        b"[" * 200_000,
    ],
)
def test_deep_nesting_is_kept_as_text(payload: bytes) -> None:
    """Deeper than Splunk or orjson could write: nothing of it is read, nothing of it is lost."""
    made = _made(payload, "tide.x")
    _check(made, 500_000)
    assert made.event["payload_text"] == payload.decode()


def test_what_was_trimmed_is_named_and_goes_from_the_back() -> None:
    """Breadcrumbs go before the exception, and the head stays."""
    body = copy.deepcopy(BODIES["error.created.typical.json"])
    full = _made(json.dumps(body).encode(), "error.x")
    made = _made(json.dumps(body).encode(), "error.x", bytes_max=len(orjson.dumps(full.event)) - 1)
    assert made.event["trimmed"] == ["breadcrumbs"]
    assert "exceptions" in made.event
    assert "breadcrumbs" in full.event
    assert "trimmed" not in full.event


@pytest.mark.parametrize(("words", "trimmed"), [(75, ["payload"]), (500, ["payload_text"])])
def test_a_payload_too_large_is_cut_as_text(words: int, trimmed: list[str]) -> None:
    """Of an unknown hook as much is kept as the budget has room for."""
    body = json.dumps({"action": "x", "data": {"words": ["ü" * 100] * words}}, ensure_ascii=False)
    made = _made(body.encode(), "tide.x", bytes_max=10_000)
    _check(made, 10_000)
    assert made.event["trimmed"] == trimmed
    assert len(orjson.dumps(made.event)) > 9_900


def test_tags_without_room_in_the_head_follow_it() -> None:
    """No tag is lost: what does not fit the first 5,000 bytes stands in ``tags_more``."""
    body = {"action": "created", "data": {"error": {"tags": [[f"tag-{i}", "v" * 100] for i in range(100)]}}}
    event = _made(orjson.dumps(body), "error.x").event
    near, far = event["tags"], event["tags_more"]
    assert isinstance(near, dict)
    assert isinstance(far, dict)
    assert [*near, *far] == [f"tag-{i}" for i in range(100)]


@given(st.text(max_size=300), st.integers(20, 400))
def test_a_cut_text_fits_and_is_whole_utf_8(text: str, bytes_max: int) -> None:
    """Never cut inside a character, never more than asked for."""
    text = text.encode("utf-8", "replace").decode()
    shorter = cut(text, bytes_max)
    assert len(orjson.dumps(shorter)) <= bytes_max
    assert text.startswith(shorter.removesuffix("…"))
