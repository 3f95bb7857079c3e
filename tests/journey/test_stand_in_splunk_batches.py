"""The stand-in Splunk conforms: a batch is a stream of objects.

Every case says how it is known: measured on a real Splunk (which), Splunk's spec files, Splunk's docs, or
inferred (not established; the stand-in's choice).
"""

import gzip
from typing import NamedTuple

import pytest

from app.sandbox.splunk import HecToken, StandInSplunk
from tests.journey.stand_in_splunk_calls import EVENT, RAW, calls_to

MEASURED = "[measured] Splunk 10.4 and Cloud 10.5"
TWICE = "[measured] Splunk 10.4, by two projects"
DOCS = "[docs] Format events for HTTP Event Collector"
INFERRED = "[inferred]"
TOKENS = [HecToken("good"), HecToken("bound", indexes=("main", "web"))]


class Case(NamedTuple):
    """A body, what is answered, and the ``event`` of everything indexed."""

    name: str
    label: str
    body: bytes
    status: int
    answer: dict[str, object]
    indexed: list[object]
    token: str = "good"


def said(code: int, text: str, number: int | None = None) -> dict[str, object]:
    """A HEC object."""
    known: dict[str, object] = {"text": text, "code": code}
    return known if number is None else {**known, "invalid-event-number": number}


SUCCESS = said(0, "Success")
NO_DATA = said(5, "No data")
FORMAT = "Invalid data format"
BLANK = "Event field cannot be blank"
FIELDS = "Error in handling indexed fields"
REQUIRED = "Event field is required"

CASES = [
    Case("one object", DOCS, b'{"event":"a"}', 200, SUCCESS, ["a"]),
    Case("objects without a gap", DOCS, b'{"event":"a"}{"event":{"b":1}}', 200, SUCCESS, ["a", {"b": 1}]),
    Case("objects a line", DOCS, b'{"event":"a"}\n{"event":"b"}\r\n\n', 200, SUCCESS, ["a", "b"]),
    Case("objects over lines", DOCS, b'{\n "event": "a"\n}\n{\n "event": "b"\n}', 200, SUCCESS, ["a", "b"]),
    Case("an array", MEASURED, b'[{"event":"a"},{"event":"b"}]', 200, SUCCESS, ["a", "b"]),
    Case("an array and an object", INFERRED, b'[{"event":"a"}] {"event":"b"}', 200, SUCCESS, ["a", "b"]),
    Case("an empty body", DOCS, b"", 400, NO_DATA, []),
    Case("white space only", MEASURED, b" \r\n\t", 400, NO_DATA, []),
    Case("an empty array", INFERRED, b"[]", 400, NO_DATA, []),
    Case("broken in the middle", MEASURED, b'{"event":"a"}{"event":}{"event":"c"}', 400, said(6, FORMAT, 1), ["a"]),
    Case("broken at once", MEASURED, b"hello", 400, said(6, FORMAT, 0), []),
    Case("broken in an array", INFERRED, b'[{"event":"a"},7]', 400, said(6, FORMAT, 1), ["a"]),
    Case("an array never closed", INFERRED, b'[{"event":"a"}', 400, said(6, FORMAT, 1), ["a"]),
    Case("a cut object", MEASURED, b'{"event":"a"}\n{"event":"b', 400, said(6, FORMAT, 1), ["a"]),
    Case("a comma between objects", INFERRED, b'{"event":"a"},{"event":"b"}', 400, said(6, FORMAT, 1), ["a"]),
    Case("NaN", INFERRED, b'{"event":NaN}', 400, said(6, FORMAT, 0), []),
    Case("no event", MEASURED, b'{"event":"a"}{"host":"h"}{"event":"c"}', 400, said(12, REQUIRED, 1), ["a"]),
    Case("an empty object", MEASURED, b"{}", 400, said(12, REQUIRED, 0), []),
    Case("event null", MEASURED, b'{"event":"a"}{"event":null}', 400, said(13, BLANK, 1), ["a"]),
    Case("event empty", MEASURED, b'{"event":"a"}{"event":""}{"event":"c"}', 400, said(13, BLANK, 1), ["a"]),
    Case("event white space", MEASURED, b'{"event":" \\n"}', 400, said(13, BLANK, 0), []),
    Case("event {}", "[measured] Splunk 10.4", b'{"event":{}}', 400, said(13, BLANK, 0), []),
    Case("event []", "[measured] Splunk 10.4", b'{"event":[]}', 400, said(13, BLANK, 0), []),
    Case("events 0 and false", INFERRED, b'{"event":0}{"event":false}', 200, SUCCESS, [0, False]),
    Case(
        "an unknown key stops it silently",
        MEASURED,
        b'{"event":"a"}{"event":"b","bogus":1}{"event":"c"}',
        200,
        SUCCESS,
        ["a"],
    ),
    Case("an unknown key, alone", MEASURED, b'{"event":"a","bogus":1}', 400, NO_DATA, []),
    Case("fields only", MEASURED, b'{"event":"a"}{"fields":{"k":1}}{"event":"c"}', 200, SUCCESS, ["a", "c"]),
    Case("fields only, alone", MEASURED, b'{"fields":{"k":1}}', 200, SUCCESS, []),
    Case(
        "nested fields",
        MEASURED,
        b'{"event":"a"}{"event":"b","fields":{"k":{"l":1}}}{"event":"c"}',
        400,
        said(15, FIELDS, 1),
        ["a"],
    ),
    Case("fields of arrays", DOCS, b'{"event":"a","fields":{"k":["x",1,true]}}', 200, SUCCESS, ["a"]),
    Case("fields of nested arrays", INFERRED, b'{"event":"a","fields":{"k":[[1]]}}', 400, said(15, FIELDS, 0), []),
    Case("fields of null", INFERRED, b'{"event":"a","fields":{"k":null}}', 400, said(15, FIELDS, 0), []),
    Case("fields an array", MEASURED, b'{"event":"a","fields":["k"]}', 400, said(6, FORMAT, 0), []),
    Case("time no number", "[measured] Splunk 10.4", b'{"time":"x","event":"a"}', 400, said(15, FIELDS, 0), []),
    Case("time a text", "[measured] Splunk 10.4", b'{"time":"17.5","event":"a"}', 200, SUCCESS, ["a"]),
    Case(
        "time in scientific notation",
        "[measured] Splunk 10, reported by two projects",
        b'{"event":"a"}{"time":1.79E9,"event":"b"}',
        400,
        said(15, FIELDS, 1),
        ["a"],
    ),
    Case("time null", INFERRED, b'{"time":null,"event":"a"}', 400, said(15, FIELDS, 0), []),
    Case("host a number", INFERRED, b'{"host":1,"event":"a"}', 400, said(6, FORMAT, 0), []),
    Case(
        "an index that is not allowed: one too many",
        TWICE,
        b'{"event":"a","index":"web"}{"event":"b","index":"secret"}{"event":"c"}',
        400,
        said(7, "Incorrect index", 2),
        ["a"],
        "bound",
    ),
    Case("any index", "[spec] inputs.conf, an empty list", b'{"event":"a","index":"new"}', 200, SUCCESS, ["a"]),
    Case(
        "invalid UTF-8",
        "[measured] Splunk 8.2",
        b'{"event":"a\xff"}\n{"event":"b"}',
        200,
        SUCCESS,
        ["a\ufffd", "b"],
    ),
    Case(
        "integers beyond 64 bits",
        INFERRED,
        b'{"event":{"n":123456789012345678901234567890}}',
        200,
        SUCCESS,
        [{"n": 123456789012345678901234567890}],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name} {case.label.split()[0]}")
async def test_a_body_is_answered_and_indexed_as_splunk_does(case: Case) -> None:
    """Each case of the table, by its own label."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(case.body, token=case.token)

    assert (answer.status_code, answer.json()) == (case.status, case.answer)
    assert [each.event for each in splunk.indexed] == case.indexed


async def test_every_case_is_labelled() -> None:
    """The label says measured, spec, docs or inferred, and names are unique."""
    assert all(case.label.startswith(("[measured] ", "[spec] ", "[docs] ", "[inferred]")) for case in CASES)
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("path", ["/services/collector", EVENT, f"{EVENT}/1.0"])
async def test_three_paths_take_batches(path: str) -> None:
    """[docs] HTTP Event Collector REST API endpoints: the three are the same."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(b'{"event":"a"}', path=path)

    assert answer.json() == SUCCESS
    assert answer.headers["content-type"].startswith("application/json")
    assert splunk.requests[0].path == path


async def test_what_is_indexed_is_what_was_sent() -> None:
    """[docs] Metadata of each object go with it; [inferred] they do not carry over to the next object."""
    body = (
        b'{"time":1700000000.123450,"host":"h","source":"s","sourcetype":"st","index":"web",'
        b'"fields":{"relay_delivery_id":"d1","n":2,"l":["x"]},"event":{"a":"\xc3\xa4"}}\n{"event":"plain"}'
    )
    async with StandInSplunk([HecToken("good", default_index="sentry")]) as splunk, calls_to(splunk) as calls:
        await calls.post(body)
        first, second = await splunk.wait_for(2)

    assert (first.time, first.host, first.source, first.sourcetype) == ("1700000000.123450", "h", "s", "st")
    assert (first.index, first.token, first.fields) == ("web", "good", {"relay_delivery_id": "d1", "n": 2, "l": ["x"]})
    assert (first.event, first.raw) == ({"a": "ä"}, body.splitlines()[0])
    assert (second.time, second.host, second.index, second.fields) == (None, None, "sentry", {})


async def test_an_event_over_the_limit_is_named_and_its_predecessors_are_kept() -> None:
    """[spec] inputs.conf maxEventSize, 5 MiB; [measured] Cloud 10.5: code 6 with its number, and no 413."""
    longest = b'"%s"' % (b"x" * (5 * 1024 * 1024 - 2))
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        at_the_limit = await calls.post(b'{"event":%s}' % longest)
        over = await calls.post(b'{"event":"a"}\n{"event":%s"}\n{"event":"c"}' % longest.replace(b'x"', b"xx"))

    assert at_the_limit.json() == SUCCESS
    assert (over.status_code, over.json()) == (400, said(6, FORMAT, 1))
    assert splunk.indexed_count == 2


async def test_an_allowed_index_that_does_not_exist_swallows() -> None:
    """[spec] indexes.conf, lastChanceIndex unset: HEC answers 200 and the indexer drops it."""
    tokens = [HecToken("good", indexes=("main", "typo"))]
    async with StandInSplunk(tokens, existing_indexes={"main"}) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(b'{"event":"a","index":"typo"}{"event":"b"}')

    assert answer.json() == SUCCESS
    assert [each.event for each in splunk.indexed] == ["b"]


async def test_gzip_is_taken() -> None:
    """[measured] Splunk 10.4 and Cloud 10.5, on /event and /raw."""
    gzipped = {"Content-Encoding": "gzip"}
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        event = await calls.post(gzip.compress(b'{"event":"a"}' * 3), headers=gzipped)
        raw = await calls.post(gzip.compress(b"one\ntwo"), path=RAW, headers=gzipped)

    assert (event.json(), raw.json()) == (SUCCESS, SUCCESS)
    assert [each.event for each in splunk.indexed] == ["a", "a", "a", "one", "two"]
    assert (splunk.requests[0].body_bytes, splunk.requests[0].objects) == (39, 3)


@pytest.mark.parametrize("broken", [b"no gzip at all", gzip.compress(b'{"event":"a"}', mtime=0)[:-9]])
async def test_broken_gzip_stores_nothing(broken: bytes) -> None:
    """[inferred] Code 6 without a number."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(broken, headers={"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.json(), splunk.indexed) == (400, said(6, FORMAT), [])


async def test_deflate_gets_an_html_page() -> None:
    """[measured] Splunk 10.4 and Cloud 10.5: 415, and the body is no JSON."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(b'{"event":"a"}', headers={"Content-Encoding": "deflate"})

    assert answer.status_code == 415
    assert answer.headers["content-type"].startswith("text/html")
    assert splunk.indexed == []


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_body_over_the_cap_gets_an_html_page(encoding: str) -> None:
    """[spec] limits.conf max_content_length; [inferred] that it holds for the unpacked body too."""
    body = b'{"event":"%s"}' % (b"x" * 2000)
    sent = gzip.compress(body) if encoding == "gzip" else body
    async with StandInSplunk(TOKENS, body_bytes_max=1000) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(sent, headers={"Content-Encoding": encoding})
        after = await calls.post(b'{"event":"small"}')

    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert after.json() == SUCCESS
    assert [each.event for each in splunk.indexed] == ["small"]


async def test_raw_lines_take_their_metadata_from_the_query() -> None:
    """[docs] HTTP Event Collector REST API endpoints; [measured] 10.4 asks for no channel without useACK."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(
            b"one\r\n\ntwo\n", path=f"{RAW}?host=h&source=s&sourcetype=st&index=web", token="bound"
        )
        refused = await calls.post(b"three", path=f"{RAW}?index=secret", token="bound")
        empty = await calls.post(b"\n", path=f"{RAW}/1.0")

    assert answer.json() == SUCCESS
    assert [(each.event, each.index, each.host, each.source, each.sourcetype) for each in splunk.indexed] == [
        ("one", "web", "h", "s", "st"),
        ("two", "web", "h", "s", "st"),
    ]
    assert refused.json() == said(7, "Incorrect index", 1)
    assert empty.json() == NO_DATA
