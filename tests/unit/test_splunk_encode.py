"""What goes over the wire for one hec_event."""

import gzip
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.errors import EnvelopeFault
from app.splunk.encode import WAITED_BYTES_MAX, compress, encode, gzipped, join, mark, with_waited
from app.splunk.hec_event import HecEvent

GOOD = HecEvent(
    time="1790000000.120",
    host="sentry.example",
    hec_source="sentry",
    sourcetype="sentry:issue",
    index="main",
    fields={"tenant": "acme", "count": 3, "ratio": 0.5, "handled": True},
    event={"title": "Überlauf 🦊", "nested": MappingProxyType({"a": [1, None]})},
)


def test_an_envelope_has_the_known_keys_and_no_other() -> None:
    """Splunk stops silently at a key that it does not know."""
    written = orjson.loads(encode(GOOD, delivery_id="d1"))
    assert set(written) == {"time", "host", "source", "sourcetype", "index", "event", "fields"}
    assert written["fields"] == {"tenant": "acme", "count": 3, "ratio": 0.5, "handled": True, "relay_delivery_id": "d1"}
    assert written["event"] == {"title": "Überlauf 🦊", "nested": {"a": [1, None]}}


def test_time_is_written_as_the_number_it_was_given_as() -> None:
    """Fixed decimals with every digit: scientific notation draws code 15."""
    assert b'"time":1790000000.120,' in encode(GOOD, delivery_id="d1")
    assert b'"time":1790000000,' in encode(replace(GOOD, time="1790000000"), delivery_id="d1")
    assert b'"time"' not in encode(replace(GOOD, time=None), delivery_id="d1")


def test_an_index_of_none_is_left_out() -> None:
    """The hec_token's default index is Splunk's to choose."""
    assert b'"index"' not in encode(replace(GOOD, index=None), delivery_id="d1")


def test_text_is_raw_utf8() -> None:
    """Escaped letters would not be found by a search."""
    assert "Überlauf 🦊".encode() in encode(GOOD, delivery_id="d1")


def test_another_attempt_is_marked_among_the_indexed_fields() -> None:
    """Only when it may be a double; marking again replaces the number."""
    plain = encode(GOOD, delivery_id="d1")
    assert b"relay_attempt" not in plain
    third = encode(GOOD, delivery_id="d1", attempt=3)
    assert orjson.loads(third)["fields"]["relay_attempt"] == 3
    assert mark(plain, 3) == third
    assert orjson.loads(mark(third, 4)) == orjson.loads(encode(GOOD, delivery_id="d1", attempt=4))
    without = replace(GOOD, fields={})
    assert orjson.loads(mark(encode(without, delivery_id="d1"), 2))["fields"] == {
        "relay_attempt": 2,
        "relay_delivery_id": "d1",
    }


@pytest.mark.parametrize(
    ("waited_s", "said"),
    [(0.0, 0), (7.99, 7), (86_400.0, 86_400), (-3.0, 0), (1e300, 9_999_999_999)],
    ids=["at once", "whole seconds", "a day", "the clock went back", "the clock is wrong"],
)
def test_how_long_it_waited_is_put_on_as_it_is_posted(waited_s: float, said: int) -> None:
    """Among the indexed fields, beside the mark of another attempt, and within the bytes that were planned for it."""
    for attempt in (1, 3):
        plain = encode(GOOD, delivery_id="d1", attempt=attempt)
        posted = with_waited(plain, waited_s)
        before, after = orjson.loads(plain), orjson.loads(posted)
        assert after == before | {"fields": {**before["fields"], "relay_waited": said}}
        assert len(posted) <= len(plain) + WAITED_BYTES_MAX


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "1.79E9"},
        {"time": "1790000000."},
        {"time": "-1"},
        {"time": "nan"},
        {"time": ""},
        {"time": "17\n"},
        {"host": ""},
        {"host": " "},
        {"hec_source": "a\0b"},
        {"sourcetype": None},
        {"index": ""},
        {"event": {}},
        {"event": {"a": "x\0y"}},
        {"event": {"a\0": 1}},
        {"event": {"a": "\ud800"}},
        {"event": {"a": 2**64}},
        {"event": {"a": b"bytes"}},
        {"event": {1: 2}},
        {"fields": {"a": {"b": 1}}},
        {"fields": {"a": [1]}},
        {"fields": {"a": None}},
        {"fields": {"a": float("nan")}},
        {"fields": {"a": float("inf")}},
        {"fields": {"a": 2**64}},
        {"fields": {"a": "\0"}},
        {"fields": {"a": "\udfff"}},
        {"fields": {"": 1}},
        {"fields": {"relay_attempt": 1}},
        {"fields": {"relay_waited": 1}},
    ],
    ids=repr,
)
def test_what_splunk_would_refuse_or_skip_is_not_written(changes: dict[str, Any]) -> None:
    """Codes 5, 6, 12, 13 and 15 cannot be met by what passes here."""
    with pytest.raises(EnvelopeFault):
        encode(replace(GOOD, **changes), delivery_id="d1")


def test_a_fault_lists_everything_that_is_wrong() -> None:
    """One look is enough to mend it, and no value is repeated."""
    with pytest.raises(EnvelopeFault) as caught:
        encode(replace(GOOD, host="", time="secret", event={}), delivery_id="d1")
    assert caught.value.faults == ("host is blank", "time is not a fixed decimal", "event is empty")


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    r"""The text ``\u0000``, six characters, may stand in an event."""
    written = encode(replace(GOOD, event={"a": "\\u0000"}), delivery_id="d1")
    assert orjson.loads(written)["event"] == {"a": "\\u0000"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(event=st.dictionaries(st.text(), JSON, max_size=4), field=JSON, attempt=st.integers(1, 5))
def test_anything_is_either_refused_or_a_line_of_json_that_splunk_takes(
    event: dict[str, object], field: Any, attempt: int
) -> None:
    """No line break inside, no NUL, and the id is there."""
    wanted = replace(GOOD, event=event, fields={"x": field})
    try:
        written = encode(wanted, delivery_id="d1", attempt=attempt)
    except EnvelopeFault:
        return
    assert b"\n" not in written
    read = orjson.loads(written)
    assert read["fields"]["relay_delivery_id"] == "d1"
    assert read["fields"].get("relay_attempt", 1) == attempt
    assert "\0" not in str(read)
    assert read["event"]


def test_a_body_is_one_envelope_a_line_and_compresses_to_the_same_bytes() -> None:
    """The body of a post depends on nothing but what is in it."""
    body = join([encode(GOOD, delivery_id=str(n)) for n in range(3)])
    assert [orjson.loads(line)["fields"]["relay_delivery_id"] for line in body.split(b"\n")] == ["0", "1", "2"]
    assert compress(body, 1) == compress(body, 1)
    assert gzip.decompress(compress(body, 1)) == body
    assert [gzipped(100, 1), gzipped(5000, 0), gzipped(5000, 1)] == [False, False, True]
