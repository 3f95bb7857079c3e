"""The stand-in Splunk reads a batch by two ways that never differ."""

import json
import string

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.sandbox.splunk import HecToken
from app.sandbox.splunk.batch import Batch, read_batch
from tests.examples import examples

TOKENS = [HecToken("any"), HecToken("bound", indexes=("main", "web"))]
EVENT_BYTES_MAX = 100_000

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(string.printable + "ä😀", max_size=8)
    | st.sampled_from(["time", '"time":1.5,', '\\"time":', ""])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
times = st.sampled_from(
    ["1700000000.120", "1.0", "1", "0", "-0", "-0.0", "-3.50", '"1.50"', '"x"', "1.79E9", "1e400", "null", "true"]
)
members = st.one_of(
    st.tuples(st.sampled_from(['"time"', '"\\u0074ime"', '"time" ']), times),
    st.tuples(st.just('"event"'), values.map(lambda value: json.dumps(value, ensure_ascii=False))),
    st.tuples(st.just('"event"'), st.sampled_from(['"a"', '{"time":1.50}', '"\\ud800"', "1" * 30, "{}", '""'])),
    st.tuples(st.just('"fields"'), st.dictionaries(st.text(max_size=4), values, max_size=3).map(json.dumps)),
    st.tuples(st.just('"fields"'), st.sampled_from(["[]", "null", '{"n":18446744073709551616}', '{"l":["x",1]}'])),
    st.tuples(st.sampled_from(['"host"', '"source"', '"sourcetype"']), scalars.map(json.dumps)),
    st.tuples(st.just('"index"'), st.sampled_from(['"main"', '"secret"', '""', "null"])),
    st.tuples(st.just('"bogus"'), st.just("1")),
)
spaces = st.sampled_from(["", "", "", " ", "\n", "\r\n", "\t", "\x0b"])


@st.composite
def objects(draw: st.DrawFn) -> str:
    """Something like an object, mostly a good one; keys may come twice."""
    chosen = draw(st.lists(members, max_size=5))
    if draw(st.integers(0, 3)):
        chosen.append(('"event"', '"good"'))
    space = draw(spaces)
    return "{" + f",{space}".join(f"{key}:{space}{value}" for key, value in chosen) + "}"


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A batch in any of its forms, sometimes broken."""
    parts = draw(st.lists(objects(), max_size=6))
    joint = draw(st.sampled_from(["\n", "\n", "\n", "", "\r\n", " ", "\n\n", ",", ",\n"]))
    body = joint.join(parts).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 4)) == 0:
        body = b"[" + body + b"]"
    if body and draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.sampled_from([b"", b"\xff", b"}", b"\n", b'"', b"\x00"])) + body[at + 1 :]
    return body


def seen(batch: Batch) -> list[object]:
    """Everything that a batch tells, in a form that compares NaN and integers exactly."""
    taken = [
        (each.number, each.index, each.time, each.host, each.source, each.sourcetype, repr(each.fields), each.raw)
        for each in batch.taken
    ]
    return [batch.code, batch.number, batch.objects, taken]


@given(body=bodies(), token=st.sampled_from(TOKENS), bytes_max=st.sampled_from([40, EVENT_BYTES_MAX]))
@example(body=b'{"\\u0074ime":1.0,"event":{"time":1.00}}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"time":1.0,"time":1.00,"event":"a"}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"time":-0,"event":"a"}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"event":"a"}\x0b\n{"event":"b"}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"event":1,"fields":{"n":36893488147419103233}}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"event":1,"fields":{"l":[36893488147419103233]}}', token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@example(body=b'{"event":%s}' % (b"1" * 5000), token=TOKENS[0], bytes_max=EVENT_BYTES_MAX)
@examples(300)
def test_the_fast_way_gives_the_same_answer_as_the_walk(body: bytes, token: HecToken, bytes_max: int) -> None:
    """Whatever the body: codes, numbers, and every text of what was taken."""
    fast = read_batch(body, token, event_bytes_max=bytes_max)
    walked = read_batch(body, token, event_bytes_max=bytes_max, fast=False)

    assert seen(fast) == seen(walked)


@pytest.mark.parametrize(("depth", "code"), [(500, 0), (1000, 0), (1020, 0), (100_000, 6)])
def test_deep_nesting_is_read_alike(depth: int, code: int) -> None:
    """Python's decoder gives up near 1000 levels, where the fast one does not."""
    body = b'{"event":%s,"time":1.50}' % (b"[" * depth + b'"]"' + b"]" * depth)
    fast = read_batch(body, TOKENS[0], event_bytes_max=1_000_000)
    walked = read_batch(body, TOKENS[0], event_bytes_max=1_000_000, fast=False)

    assert seen(fast) == seen(walked)
    assert fast.code == code


@given(st.lists(st.sampled_from([b'{"event":"a"}', b'{"event":""}', b"{", b'{"fields":{}}']), max_size=8))
def test_a_batch_is_taken_up_to_its_first_culprit(parts: list[bytes]) -> None:
    """The number told is the culprit's place, and nothing behind it is taken."""
    batch = read_batch(b"\n".join(parts), TOKENS[0], event_bytes_max=EVENT_BYTES_MAX)
    culprits = [place for place, part in enumerate(parts) if part in {b'{"event":""}', b"{"}]
    sound = parts[: culprits[0]] if culprits else parts

    assert [each.raw for each in batch.taken] == [part for part in sound if b"event" in part]
    assert batch.number == (culprits[0] if culprits else None)


@pytest.mark.parametrize("text", ["1700000000", "1700000000.1", "1700000000.123456789", "1700000000.100", "-1.50"])
@pytest.mark.parametrize("event", ["a", {"time": 2.5}, 'say "time":1.5,'])
def test_the_exact_text_of_the_time_is_kept(text: str, event: object) -> None:
    """A float would lose digits; the text does not, wherever else the word stands."""
    body = b'{"event":%s,"time":%s}' % (orjson.dumps(event), text.encode())
    (taken,) = read_batch(body, TOKENS[0], event_bytes_max=EVENT_BYTES_MAX).taken

    assert taken.time == text
