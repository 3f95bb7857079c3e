"""What ``app.sentry.payload`` promises of everything it reads."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sentry.payload import DEPTH_MAX, read, text_of
from tests.examples import examples


def _strange(value: object) -> list[object]:
    """Every leaf and key that would not survive the road to Splunk."""
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in (*_strange(key), *_strange(inner))]
    if isinstance(value, list):
        return [each for inner in value for each in _strange(inner)]
    if isinstance(value, str):
        return [value] if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value) else []
    if isinstance(value, float):
        return [] if math.isfinite(value) else [value]
    return [] if value is None or isinstance(value, bool) or -(2**63) <= int(str(value)) < 2**64 else [value]


def test_ordinary_json_is_read_as_it_is() -> None:
    """The plain case: an object, its values untouched."""
    assert read('{"a": [1, 2.5, null, true, "ü"]}'.encode()).body == {"a": [1, 2.5, None, True, "ü"]}


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "empty_payload"),
        (b" \n", "empty_payload"),
        (b"hello", "unreadable_payload"),
        (b'{"a":', "unreadable_payload"),
        (b'{"a":1} x', "unreadable_payload"),
        (rb'{"a":"\uZZZZ"}', "unreadable_payload"),
        (b"[1]", "payload_not_an_object"),
        (b'"text"', "payload_not_an_object"),
        (b"[" * 100_000, "unreadable_payload"),
        (b'{"a":' * (DEPTH_MAX + 1) + b"NaN" + b"}" * (DEPTH_MAX + 1), "unreadable_payload"),
        (b"\xff\xfe\xff", "unreadable_payload"),
    ],
)
def test_what_is_no_object_is_said_so(payload: bytes, fault: str) -> None:
    """Each kind of payload that is no JSON object has its word and an empty body."""
    reading = read(payload)
    assert (reading.fault, reading.body) == (fault, {})


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "1" + "0" * 30, "1" + "0" * 5000])
def test_integers_beyond_64_bits_are_exact(digits: str) -> None:
    """A fast reader would round them to floats; their digits are kept as text instead."""
    assert read(b'{"a":%s}' % digits.encode()).body == {"a": digits}


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0])
def test_integers_of_64_bits_stay_integers(number: int) -> None:
    """Ids of projects exceed 32 bits."""
    assert read(b'{"a":%d}' % number).body == {"a": number}


def test_numbers_that_json_does_not_have_are_kept_as_text() -> None:
    """Python's ``json`` writes ``NaN`` unasked, and a double has no 1e400."""
    assert read(b'{"a":NaN,"b":-Infinity,"c":1e400}').body == {"a": "NaN", "b": "-Infinity", "c": "1e400"}


def test_nul_and_lone_surrogates_become_the_replacement_character() -> None:
    """In values and keys alike; a pair of surrogates is one character and stays."""
    body = read(rb'{"a\u0000":"x\ud800y","b":"\ud83d\ude00"}').body
    assert body == {"a\ufffd": "x\ufffdy", "b": "😀"}


def test_of_duplicate_keys_the_last_counts() -> None:
    """By either reader, as every JSON library has it."""
    assert read(b'{"a":1,"a":2}').body == {"a": 2}
    assert read(b'{"a":NaN,"a":2}').body == {"a": 2}


def test_other_encodings_of_json_are_read() -> None:
    """A byte order mark, UTF-16 and bytes that are no UTF-8 do not make a payload unreadable."""
    text = '{"a":"ü"}'
    assert read(b"\xef\xbb\xbf" + text.encode()).body == {"a": "ü"}
    assert read(text.encode("utf-16")).body == {"a": "ü"}
    assert read(b'{"a":"\xff"}').body == {"a": "\ufffd"}


def test_depth_does_not_depend_on_the_stack() -> None:
    """One bracket decides, wherever the reader is called from; brackets inside strings do not count."""
    allowed = b"[" * (DEPTH_MAX - 1) + b"NaN" + b"]" * (DEPTH_MAX - 1)
    assert read(b'{"a":%s}' % allowed).fault == ""
    assert read(b'{"a":[%s]}' % allowed).fault == "unreadable_payload"
    assert read(b'{"a":NaN,"b":"%s"}' % (b"[" * 1000)).fault == ""


@examples(150)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"a": text}).encode()))
def test_nothing_strange_comes_out_of_any_bytes(payload: bytes) -> None:
    """Whatever the bytes, reading returns, and orjson can write what it returns."""
    reading = read(payload)
    assert _strange(reading.value) == []
    orjson.dumps(reading.value)
    text_of(payload).encode()
