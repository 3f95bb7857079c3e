"""What every answer of Splunk means for a batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import Cause
from app.splunk.answers import (
    Answer,
    Fault,
    HecBody,
    Outcome,
    Rest,
    Scope,
    Verdict,
    judge,
    judge_probe,
    parse_body,
)
from app.splunk.codes import HEC_CODES, code_label

PAUSE, LANE, TOKEN = Scope.DESTINATION, Scope.LANE, Scope.HEC_TOKEN


def hec(status: int, code: int, number: int | None = None, retry_after: str = "") -> Answer:
    """An answer of HEC."""
    return Answer(status=status, body=HecBody(code=code, invalid_event_number=number), retry_after=retry_after)


def html(status: int) -> Answer:
    """An answer of something else."""
    return Answer(status=status, content_type="text/html")


@pytest.mark.parametrize("code", [0, 24, 25])
def test_only_200_with_a_success_code_delivers(code: int) -> None:
    """All are delivered; 24 and 25 ask for less."""
    verdict = judge(hec(200, code), 5)
    assert (verdict.delivered, verdict.rest, verdict.outcome) == (5, Rest.NOTHING, Outcome.DELIVERED)
    assert verdict.slow_down is (code != 0)


@pytest.mark.parametrize(
    "answer",
    [
        html(200),
        Answer(status=200),
        Answer(status=200, body=HecBody(code=None, text="Success")),
        hec(200, 17),
        hec(200, 6, 2),
        hec(200, 9, 2),
        hec(201, 0),
        hec(204, 0),
        html(202),
    ],
)
def test_any_other_2xx_is_no_success_and_may_have_been_one(answer: Answer) -> None:
    """Nothing counts as delivered, whatever number comes along; the resend is marked."""
    verdict = judge(answer, 5)
    assert (verdict.delivered, verdict.rest, verdict.ambiguous, verdict.scope) == (0, Rest.LATER, True, PAUSE)


@pytest.mark.parametrize("code", [6, 12, 13, 15])
@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_named_culprit_divides_the_batch(code: int, number: int) -> None:
    """What stands before it is delivered; it becomes a suspect; the rest is sent at once; nothing is in doubt."""
    verdict = judge(hec(400, code, number), 5)
    assert verdict == Verdict(
        outcome=Outcome.REFUSED,
        words=verdict.words,
        delivered=number,
        rest=Rest.NOW,
        suspect=True,
        act=verdict.act,
    )


@pytest.mark.parametrize("number", [None, -1, 5, 6, 10**12])
def test_a_culprit_that_cannot_be_is_searched_for(number: int | None) -> None:
    """No number or an impossible one: halve. Splunk took the head of the batch, so the resend is marked."""
    verdict = judge(hec(400, 6, number), 5)
    assert (verdict.delivered, verdict.rest, verdict.ambiguous) == (0, Rest.SPLIT, True)


@pytest.mark.parametrize("answer", [hec(400, c, n) for c in (5, 6, 12, 13, 15) for n in (None, 0, 7)])
def test_what_is_refused_alone_is_buried(answer: Answer) -> None:
    """A single hec_event needs no number to be the culprit."""
    verdict = judge(answer, 1)
    assert (verdict.rest, verdict.cause, verdict.confirm) == (Rest.BURY, Cause.REJECTED, False)


def test_code_7_pauses_the_lane_and_keeps_everything() -> None:
    """Its number is one too many, and the batch is of one index: nothing was taken."""
    verdict = judge(hec(400, 7, 1), 5)
    assert (verdict.delivered, verdict.rest, verdict.scope, verdict.ambiguous) == (0, Rest.LATER, LANE, False)


@pytest.mark.parametrize(("number", "taken"), [(None, 0), (0, 0), (1, 1), (4, 4)])
def test_a_busy_splunk_took_what_its_number_says(number: int | None, taken: int) -> None:
    """Code 9 buries nobody: the rest goes later, cleanly."""
    verdict = judge(hec(503, 9, number, "7"), 5)
    assert (verdict.delivered, verdict.rest, verdict.ambiguous) == (taken, Rest.LATER, False)
    assert (verdict.scope, verdict.slow_down, verdict.retry_after) == (PAUSE, True, "7")


@pytest.mark.parametrize("number", [-1, 5, 99])
def test_a_busy_splunk_with_an_impossible_number_is_in_doubt(number: int) -> None:
    """All of it goes again, marked."""
    verdict = judge(hec(503, 9, number), 5)
    assert (verdict.delivered, verdict.rest, verdict.ambiguous) == (0, Rest.LATER, True)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, 1), (401, 2), (401, 3), (403, 4), *((400, code) for code in (10, 11, 14, 16, 21, 22, 28))],
)
def test_a_refused_hec_token_pauses_and_keeps(status: int, code: int) -> None:
    """Nothing is delivered, buried or in doubt, whatever number comes along."""
    verdict = judge(hec(status, code, 3), 5)
    assert (verdict.delivered, verdict.rest, verdict.scope, verdict.ambiguous) == (0, Rest.LATER, TOKEN, False)


@pytest.mark.parametrize("status", [401, 403])
def test_401_and_403_without_a_code_are_about_the_hec_token(status: int) -> None:
    """A proxy's answer pauses the same."""
    assert judge(html(status), 5).scope is TOKEN


@pytest.mark.parametrize(
    "answer",
    [hec(503, c, 2) for c in (18, 19, 20, 23)]
    + [html(s) for s in (301, 302, 307, 402, 404, 405, 407, 408, 418, 425, 503)]
    + [hec(404, 404), hec(503, 0), hec(429, 26, 2), hec(429, 27), html(429)],
)
def test_a_destination_that_takes_nothing_is_a_clean_fault(answer: Answer) -> None:
    """Everything goes later and nothing is in doubt; a number means nothing here."""
    verdict = judge(answer, 5)
    assert (verdict.delivered, verdict.rest, verdict.scope, verdict.ambiguous) == (0, Rest.LATER, PAUSE, False)
    assert verdict.slow_down is (answer.status == 429)


@pytest.mark.parametrize(
    "answer", [hec(500, 8, 2), html(500), html(502), html(504), html(520), hec(500, 99), html(101), html(0)]
)
def test_a_fault_after_splunk_may_have_taken_it_is_ambiguous(answer: Answer) -> None:
    """Everything goes later, marked."""
    verdict = judge(answer, 5)
    assert (verdict.delivered, verdict.rest, verdict.scope, verdict.ambiguous) == (0, Rest.LATER, PAUSE, True)


@pytest.mark.parametrize(
    ("fault", "ambiguous"),
    [
        (Fault.CONNECT_FAILED, False),
        (Fault.TLS_FAILED, False),
        (Fault.TIMEOUT_BEFORE_SENT, False),
        (Fault.UNSENDABLE, False),
        (Fault.READ_TIMEOUT, True),
        (Fault.RESET_AFTER_SENT, True),
    ],
)
def test_a_fault_on_the_wire_is_ambiguous_once_something_was_sent(fault: Fault, *, ambiguous: bool) -> None:
    """What never left cannot double."""
    verdict = judge(Answer(fault=fault, detail="why"), 5)
    assert (verdict.delivered, verdict.rest, verdict.ambiguous) == (0, Rest.LATER, ambiguous)
    assert "why" in verdict.words


def test_413_halves_and_buries_what_is_too_large_alone() -> None:
    """The next batches are made smaller; nobody read the body, so nothing is in doubt. Alone it is asked for twice."""
    several, alone = judge(html(413), 5), judge(html(413), 1)
    assert (several.rest, several.shrink, several.ambiguous) == (Rest.SPLIT, True, False)
    assert (alone.rest, alone.cause, alone.confirm) == (Rest.BURY, Cause.OVERSIZE, True)


def test_415_switches_gzip_off_once() -> None:
    """With gzip: again without. Without: the destination is at fault."""
    assert (judge(html(415), 5, gzipped=True).rest, judge(html(415), 5, gzipped=True).gzip_off) == (
        Rest.NOW,
        True,
    )
    assert judge(html(415), 5).scope is PAUSE


def test_a_400_without_a_code_is_searched_and_confirmed_before_a_burial() -> None:
    """It may be a proxy that refuses everything: then nothing may be buried."""
    several, alone = judge(html(400), 5), judge(html(400), 1)
    assert (several.rest, several.ambiguous) == (Rest.SPLIT, False)
    assert (alone.rest, alone.confirm) == (Rest.BURY, True)


@pytest.mark.parametrize("answer", [hec(400, 5), hec(400, 6, 0), hec(200, 0), hec(400, 12), hec(400, 7, 1)])
def test_a_probe_that_splunk_reads_is_alive(answer: Answer) -> None:
    """Splunk looks at the hec_token before it looks at the body."""
    assert judge_probe(answer) is None


@pytest.mark.parametrize(
    "answer", [html(400), html(413), html(415), html(200), hec(403, 4), hec(503, 9), html(404), hec(400, 28)]
)
def test_a_probe_that_splunk_does_not_answer_well_keeps_the_pause(answer: Answer) -> None:
    """Everything else goes on being a fault of destination or hec_token."""
    verdict = judge_probe(answer)
    assert verdict is not None
    assert verdict.rest is Rest.LATER
    assert verdict.scope in (PAUSE, TOKEN)


BODIES = st.one_of(
    st.none(),
    st.builds(
        HecBody,
        code=st.one_of(st.none(), st.integers(-1, 40), st.sampled_from(sorted(HEC_CODES))),
        invalid_event_number=st.one_of(st.none(), st.integers(-3, 12)),
    ),
)
ANSWERS = st.one_of(
    st.builds(Answer, status=st.integers(0, 700), body=BODIES, retry_after=st.text(max_size=5)),
    st.builds(Answer, fault=st.sampled_from(Fault)),
)


@given(answer=ANSWERS, sent=st.integers(1, 10), gzipped=st.booleans())
def test_no_answer_makes_a_verdict_that_loses_or_invents(answer: Answer, sent: int, *, gzipped: bool) -> None:
    """For whatever comes back, every hec_event has one place, and later always says what pauses."""
    verdict = judge(answer, sent, gzipped=gzipped)
    assert 0 <= verdict.delivered <= sent
    assert (verdict.rest is Rest.NOTHING) == (verdict.delivered == sent)
    assert verdict.rest is not Rest.BURY or sent == 1
    assert verdict.rest is not Rest.SPLIT or sent > 1
    assert (verdict.rest is Rest.LATER) == (verdict.scope is not Scope.NONE)
    assert not verdict.delivered or (answer.status in (200, 400, 503) and answer.code is not None)
    assert verdict.words


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b'{"text":"Success","code":0}', HecBody(code=0, text="Success")),
        (b'{"text":"x","code":6,"invalid-event-number":3,"ackId":4}', HecBody(6, "x", 3, 4)),
        (b'{"code":true,"invalid-event-number":null}', HecBody()),
        *(
            (b'{"invalid-event-number":%s}' % odd, HecBody(None, "", -1))
            for odd in (b'"3"', b"3.0", b"true", b"1" * 30)
        ),
        (b'{"acks":{"7":true,"%s":true}}' % (b"9" * 5000), HecBody(acks={7: True})),
        (b'{"code":0.0}', HecBody()),
        (b"[0]", None),
        (b"<html>", None),
        (b"", None),
        (b'{"code":0', None),
        (b"\xff\xfe", None),
        (b"[" * 5000, None),
    ],
)
def test_a_body_is_believed_only_if_it_is_hecs(raw: bytes, body: HecBody | None) -> None:
    """A JSON object, whole numbers where numbers belong. Else it says nothing, or names a hec_event that cannot be."""
    assert parse_body(raw) == body


def test_code_labels_are_bounded() -> None:
    """A metric label cannot be made up by who answers."""
    assert [code_label(code) for code in (0, 28, None, 999, -1)] == ["0", "28", "none", "other", "other"]
