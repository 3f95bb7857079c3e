"""Shapes that Sentry sends now and then."""

import orjson
import pytest

from app.model import Hook
from app.tenants.model import Destination
from app.transform import transform
from tests.goldens import only

DESTINATION = Destination(tenant="acme", name="main", url="https://s", hec_token=None, hec_token_ref="env:T")


def _event(error: dict[str, object]) -> dict[str, object]:
    payload = orjson.dumps({"action": "created", "data": {"error": error}})
    made = only(transform(Hook(delivery_id="ab" * 16, tenant="acme", resource="error", payload=payload), DESTINATION))
    return dict(made.event)


def _frame(**values: object) -> dict[str, object]:
    return {"filename": "a.py", "lineno": 3, "function": "f", "in_app": False} | values


def test_a_crashed_thread_stands_in_for_a_missing_exception() -> None:
    """Native crashes and messages with a stack have frames without an exception."""
    stack = {"frames": [_frame(in_app=True), _frame(filename="b.py")]}
    event = _event({"threads": {"values": [{"crashed": False}, {"crashed": True, "stacktrace": stack}]}})
    assert event["frame"] == "a.py:3 in f"
    assert event["frames"] == ["b.py:3 in f", "a.py:3 in f (in app)"]
    assert _event({"stacktrace": stack})["frames"] == event["frames"]


def test_an_event_without_a_title_is_called_after_its_exception() -> None:
    """In one line, as Sentry would."""
    thrown = {
        "values": [{"type": "KeyError", "value": "id"}, {"type": "OrderError", "value": "no such order\nat shop"}]
    }
    assert _event({"exception": thrown})["title"] == "OrderError: no such order"
    assert _event({"exception": {"values": [{"type": "OrderError"}]}})["title"] == "OrderError"
    assert _event({"exception": thrown, "message": "order failed"})["title"] == "order failed"


def test_the_only_thread_with_frames_stands_in_though_it_is_not_marked() -> None:
    """There is nothing to choose between; with several, or beside better frames, nobody knows whose they are."""
    stack = {"frames": [_frame(filename="b.py"), _frame(in_app=True)]}
    lone = {"crashed": False, "stacktrace": stack}
    event = _event({"threads": {"values": [{"id": 1}, lone, {"stacktrace": {"frames": []}}]}})
    assert event["frame"] == "a.py:3 in f"
    assert event["frames"] == ["a.py:3 in f (in app)", "b.py:3 in f"]
    assert not {"frame", "frames"} & _event({"threads": {"values": [lone, lone]}}).keys()
    other = {"frames": [_frame(filename="c.py")]}
    for marked in ({"crashed": True, "stacktrace": other}, {"current": True, "stacktrace": other}):
        assert _event({"threads": {"values": [lone, marked]}})["frame"] == "c.py:3 in f"
    thrown = {"values": [{"type": "E", "stacktrace": other}]}
    assert _event({"exception": thrown, "threads": {"values": [lone]}})["frame"] == "c.py:3 in f"


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ({"function": "main", "instruction_addr": "0x1"}, "main"),
        ({"instruction_addr": "0x1"}, "0x1"),
        ({"package": "libc.so.6", "raw_function": "abort"}, "libc.so.6 in abort"),
        (
            {"filename": "Pay.kt", "lineno": 9, "module": "shop.Pay", "function": "charge"},
            "Pay.kt:9 in shop.Pay.charge",
        ),
        ({"abs_path": "https://x.example/app.js?token=t-1", "lineno": 1}, "https://x.example/app.js?token=[Filtered]"),
    ],
)
def test_a_frame_is_told_as_far_as_it_is_known(frame: dict[str, object], told: str) -> None:
    """Without symbols, without a line, with a class that says more than its file."""
    event = _event({"exception": {"values": [{"type": "E", "stacktrace": {"frames": [frame]}}]}})
    assert str(event["frame"]).removesuffix(":1") == told


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ({"in_app": True}, True),
        ({"in_app": "yes"}, False),
        ({"in_app": None}, False),
    ],
)
def test_a_frame_is_the_applications_own_where_sentry_says_so(said: dict[str, object], own: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """And nowhere else."""
    event = _event({"exception": {"values": [{"type": "E", "stacktrace": {"frames": [_frame(**said)]}}]}})
    chain = event["exceptions"]
    assert isinstance(chain, list)
    assert (event["frame_in_app"], chain[0]["frames"]) == (own, ["a.py:3 in f (in app)" if own else "a.py:3 in f"])


def test_the_frame_that_matters_may_stand_in_the_cause() -> None:
    """Where the outermost exception has none of the application's own frames, an inner one's counts."""
    chain = [
        {"type": "Cause", "stacktrace": {"frames": [_frame(filename="own.py", in_app=True)]}},
        None,
        {"type": "Wrapper", "stacktrace": {"frames": [_frame(filename="library.py")]}},
    ]
    event = _event({"exception": {"values": chain}})
    assert (event["exception_type"], event["frame"]) == ("Wrapper", "own.py:3 in f")


def test_long_stacks_and_chains_are_counted() -> None:
    """The newest 20 frames are kept and the others counted."""
    stack = {"frames": [_frame(lineno=line) for line in range(50)]}
    event = _event({"exception": {"values": [{"type": "E", "stacktrace": stack}] * 30}})
    chain = event["exceptions"]
    assert isinstance(chain, list)
    assert len(chain) == 10
    assert (len(chain[0]["frames"]), chain[0]["frames"][0], chain[0]["frames_omitted"]) == (20, "a.py:49 in f", 30)


def test_old_payloads_are_read() -> None:
    """Exceptions as a bare list or under the interface's name, a level as a number, tags as an object."""
    event = _event(
        {"sentry.interfaces.Exception": {"values": [{"type": "Old"}]}, "level": 50, "tags": {"sentry:release": "1"}}
    )
    assert (event["exception_type"], event["level"], event["severity"]) == ("Old", "fatal", "critical")
    assert (event["tags"], event["release"]) == ({"release": "1"}, "1")
    assert _event({"exception": [{"type": "Bare"}]})["exception_type"] == "Bare"


def test_evidence_of_what_is_no_error_is_shown() -> None:
    """Outages and slow queries have an occurrence in place of an exception."""
    occurrence = {"issueTitle": "N+1", "subtitle": "GET /", "evidenceDisplay": [{"name": "Query", "value": "SELECT"}]}
    assert _event({"occurrence": occurrence})["evidence"] == {
        "title": "N+1",
        "subtitle": "GET /",
        "shown": {"Query": "SELECT"},
    }


def test_a_request_keeps_its_line_and_few_headers() -> None:
    """Headers as an object, a query as text; what is not on the list of headers does not pass."""
    request = {
        "method": "GET",
        "url": "https://x.example/",
        "query_string": "?a=1&sessionid=s-1",
        "headers": {"Host": "x.example", "X-Forwarded-For": "203.0.113.9"},
        "data": {"card": "4111"},
    }
    assert _event({"request": request})["request"] == {
        "method": "GET",
        "url": "https://x.example/",
        "query": "a=1&sessionid=[Filtered]",
        "host": "x.example",
    }


def test_a_link_too_long_is_left_out_whole() -> None:
    """Cut, it would lead nowhere."""
    assert "url" not in _event({"web_url": "https://x.example/" + "a" * 1000})
    kept = "https://x.example/" + "ü" * 500
    assert _event({"web_url": kept})["url"] == kept
    assert "url" not in _event(
        {"web_url": kept, "title": "t" * 1000, "culprit": "\x01" * 300, "transaction": "\x01" * 300}
    )


def test_context_values_keep_their_types() -> None:
    """Numbers stay numbers, names and versions become one text, what is nested stays behind."""
    contexts = {
        "os": {"name": "Linux", "version": "6"},
        "gpu": {},
        "job": {"type": "job", "tries": 3, "ok": True, "args": {}},
    }
    assert _event({"contexts": contexts})["contexts"] == {"os": "Linux 6", "job": {"tries": 3, "ok": True}}
