"""What an answer to an ack poll means, and whether another address may take what one did not."""

import pytest

from app.splunk.acks import Poll, judge_poll
from app.splunk.answers import Answer, Fault, HecBody, at_fault, elsewhere, parse_body


def hec(status: int, code: int, number: int | None = None) -> Answer:
    """An answer of HEC's own."""
    return Answer(status=status, body=HecBody(code, "text", number))


@pytest.mark.parametrize(
    ("answer", "poll"),
    [
        (Answer(fault=Fault.CONNECT_FAILED), Poll.AGAIN),
        (Answer(fault=Fault.TIMEOUT_BEFORE_SENT), Poll.AGAIN),
        (Answer(fault=Fault.READ_TIMEOUT), Poll.LOST),
        (Answer(fault=Fault.RESET_AFTER_SENT), Poll.LOST),
        (hec(400, 14), Poll.DISABLED),
        (hec(400, 10), Poll.LOST),
        (hec(400, 11), Poll.LOST),
        (hec(400, 28), Poll.LOST),
        (hec(403, 4), Poll.AGAIN),
        (hec(503, 9), Poll.AGAIN),
        (hec(429, 27), Poll.AGAIN),
        (hec(404, 404), Poll.LOST),
        (hec(500, 8), Poll.LOST),
        (Answer(status=504), Poll.LOST),
        (Answer(status=200), Poll.LOST),
        (hec(200, 0), Poll.LOST),
        (Answer(status=503, body=HecBody(acks={0: True})), Poll.AGAIN),
    ],
)
def test_only_a_200_with_acks_tells(answer: Answer, poll: Poll) -> None:
    """What may have told somebody is lost; what surely did not is made again."""
    told = judge_poll(answer)
    assert told.poll is poll
    assert told.words
    assert not told.acks


def test_only_a_plain_true_is_true() -> None:
    """Not 1, not text; keys that are no numbers are passed over."""
    body = parse_body(b'{"acks":{"0":true,"1":false,"2":1,"3":"true","x":true,"-4":true}}')
    told = judge_poll(Answer(status=200, body=body))
    assert told.poll is Poll.TOLD
    assert told.acks == {0: True, 1: False, 2: False, 3: False}


@pytest.mark.parametrize(
    ("answer", "fault", "clean"),
    [
        (Answer(fault=Fault.CONNECT_FAILED), True, True),
        (Answer(fault=Fault.TLS_FAILED), True, True),
        (Answer(fault=Fault.READ_TIMEOUT), True, False),
        (Answer(fault=Fault.UNSENDABLE), False, False),
        (hec(503, 9), True, True),
        (hec(503, 9, 0), True, True),
        (hec(503, 9, 3), True, False),
        (hec(503, 23), True, True),
        (hec(429, 26), True, True),
        (Answer(status=404), True, True),
        (Answer(status=504), True, False),
        (hec(500, 8), True, False),
        (hec(200, 0), False, False),
        (hec(400, 5), False, False),
        (hec(400, 6, 1), False, False),
        (hec(403, 4), False, False),
    ],
)
def test_only_what_was_surely_not_taken_goes_elsewhere(answer: Answer, fault: bool, clean: bool) -> None:  # noqa: FBT001  a case
    """A clean fault of the address; never a success, a refusal or a doubt."""
    assert at_fault(answer) is fault
    assert elsewhere(answer) is clean
