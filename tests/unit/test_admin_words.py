"""Who must act on a delivery, and its life in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.admin.narrative import advice, last_answer, must_act, story
from app.model import Attempt, Cause, DeliveryRecord, State, Stream
from app.splunk.answers import Answer, Fault, HecBody, Rest, judge
from app.splunk.codes import HEC_CODES, Act

RECEIVED = 1_764_000_000.25


def life(**changes: object) -> DeliveryRecord:
    """A dead letter that Splunk refused, but for the changes."""
    values = {
        "seq": 17,
        "delivery_id": "48b09fc16657db3bc1ea0919cf2bb5a5",
        "stream": Stream("acme", "main"),
        "state": State.DEAD,
        "sender": "integration",
        "resource": "issue",
        "request_id": "f4c25f5d",
        "verified_with": "env:ACME_SENTRY_SECRET",
        "installation": "",
        "payload_bytes": 1636,
        "received_at": RECEIVED,
        "attempts": 1,
        "ambiguous": 0,
        "first_attempt_at": RECEIVED + 1,
        "last_attempt_at": RECEIVED + 1,
        "tried": (Attempt(RECEIVED + 1, 0.012, "invalid data format (HTTP 400, code 6)"),),
        "fault": "invalid data format (HTTP 400, code 6)",
        "cause": Cause.REJECTED,
        "ended_at": RECEIVED + 1.02,
    }
    return DeliveryRecord(**(values | changes))  # type: ignore[arg-type] # what a test changes has the field's type


@given(
    status=st.integers(100, 599),
    code=st.none() | st.sampled_from(sorted(HEC_CODES)) | st.integers(0, 99_999),
    sent=st.integers(1, 9),
)
def test_who_must_act_is_read_back_from_the_words_of_any_answer(status: int, code: int | None, sent: int) -> None:
    """Whatever Splunk says, the dead letter names the same one that the log named."""
    verdict = judge(Answer(status=status, body=HecBody(code=code)), sent)
    if verdict.act is not Act.NOBODY:
        assert must_act(life(fault=verdict.words)) is verdict.act
        expired = f"waited longer than the limit; last fault: {verdict.words}"
        assert must_act(life(cause=Cause.EXPIRED, fault=expired)) is verdict.act


@pytest.mark.parametrize("fault", Fault)
def test_who_must_act_where_there_was_no_answer(fault: Fault) -> None:
    """A Splunk that does not answer, a certificate that does not verify, a hec_token that cannot be sent."""
    verdict = judge(Answer(fault=fault, detail="in words"), 1)
    assert must_act(life(cause=Cause.EXPIRED, fault=f"waited; last fault: {verdict.words}")) is verdict.act


@pytest.mark.parametrize(
    ("changes", "act"),
    [
        ({"cause": Cause.REJECTED, "fault": ""}, Act.PAYLOAD),
        ({"cause": Cause.OVERSIZE, "fault": "too large for the destination (HTTP 413)"}, Act.PAYLOAD),
        ({"cause": Cause.UNTRANSFORMABLE, "fault": "KeyError"}, Act.RELAY),
        ({"cause": Cause.UNREADABLE, "fault": "its payload cannot be read"}, Act.RELAY),
        ({"cause": Cause.EXPIRED, "fault": "waited too long", "tried": ()}, Act.SPLUNK),
        ({"cause": Cause.UNCLAIMED, "fault": "no tenant claims its installation"}, Act.TENANT),
        ({"state": State.PARKED, "cause": None, "fault": ""}, Act.TENANT),
        ({"state": State.DELIVERED, "cause": None}, Act.NOBODY),
        ({"state": State.WAITING, "cause": None, "fault": "", "tried": ()}, Act.NOBODY),
        ({"state": State.WAITING, "cause": None, "fault": "Splunk is busy (HTTP 503, code 9)"}, Act.SPLUNK),
    ],
)
def test_every_cause_and_state_names_who_must_act(changes: dict[str, object], act: Act) -> None:
    """And what that person can do."""
    assert must_act(life(**changes)) is act
    assert advice(life(**changes))


def test_a_single_refused_hec_event_is_buried_with_words_that_name_somebody() -> None:
    """Every answer that buries names who must act."""
    for code, row in HEC_CODES.items():
        verdict = judge(Answer(status=row.status, body=HecBody(code=code)), 1)
        if verdict.rest is Rest.BURY:
            assert must_act(life(fault=verdict.words)) is not Act.NOBODY


def told(of: DeliveryRecord) -> list[str]:
    """The story, a line each."""
    return [" ".join(each).strip() for each in story(of)]


def test_a_dead_letters_life_is_told_line_by_line() -> None:
    """Received, verified, stored, attempted, buried, who must act."""
    assert told(life()) == [
        "received 2025-11-24 16:00:00.250Z  issue, by an integration, 1,636 bytes, request f4c25f5d",
        "verified with env:ACME_SENTRY_SECRET",
        "stored as number 17, for acme/main",
        "attempt 1 2025-11-24 16:00:01.250Z  12 ms  invalid data format (HTTP 400, code 6)",
        "buried 2025-11-24 16:00:01.270Z  rejected: invalid data format (HTTP 400, code 6)",
        "to mend payload: Splunk refuses this content: redeliver after an upgrade of Splunk or the relay, or discard",
    ]


def test_attempts_without_details_are_counted_and_the_doubtful_said() -> None:
    """Of very many attempts only the latest are kept."""
    tried = (Attempt(RECEIVED + 9, 30.0, "no answer in time", ambiguous=True),)
    lines = told(life(state=State.DELIVERED, attempts=7, tried=tried, fault="", cause=None))
    assert lines[3:] == [
        "6 earlier without details, the first at 2025-11-24 16:00:01.250Z",
        "attempt 7 2025-11-24 16:00:09.250Z  30,000 ms  no answer in time; it may have arrived all the same",
        "delivered 2025-11-24 16:00:01.270Z  1.020 s after it was received",
    ]


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"state": State.FILTERED}, "filtered 2025-11-24 16:00:01.270Z  dropped by a rule"),
        (
            {"state": State.DISCARDED},
            "discarded 2025-11-24 16:00:01.270Z  the audit says by whom and why, was dead: rej",
        ),
        ({"state": State.PARKED, "cause": None}, "to mend tenant configuration: name the installation"),
        (
            {"state": State.WAITING, "cause": None, "due_at": RECEIVED + 60, "fault": "no connection: refused"},
            "to mend Splunk; it is tried again by itself",
        ),
        ({"state": State.WAITING, "cause": None, "fault": "", "tried": ()}, "waiting due now"),
    ],
)
def test_every_state_ends_in_what_it_means(changes: dict[str, object], last: str) -> None:
    """The last line."""
    assert told(life(**changes))[-1].startswith(last)


def test_a_parked_hook_of_the_legacy_kind_and_of_nobody() -> None:
    """Its installation is named; an unsigned one is not called verified by a signature."""
    parked = told(life(state=State.PARKED, stream=Stream("", ""), installation="5b7d", cause=None))
    assert "installation 5b7d" in parked
    assert "stored as number 17, for nobody yet (parked)" in parked
    unsigned = told(life(sender="legacy", verified_with="file:key"))
    assert "verified with file:key in the URL; this plugin signs nothing" in unsigned


def test_the_last_answer_of_what_was_delivered_is_the_one_that_delivered() -> None:
    """And of anything else the last thing that went wrong."""
    tried = (Attempt(RECEIVED, 1, "no connection"), Attempt(RECEIVED, 1, "success (HTTP 200, code 0)"))
    assert last_answer(life(state=State.DELIVERED, fault="no connection", tried=tried)) == "success (HTTP 200, code 0)"
    assert last_answer(life(state=State.WAITING, fault="no connection", tried=tried)) == "no connection"
    assert last_answer(life(state=State.WAITING, fault="", tried=())) == ""
