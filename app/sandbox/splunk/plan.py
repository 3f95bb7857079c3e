"""What a request comes to once its fault has had its way (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from app.sandbox.splunk.answers import Answer, hec, nowhere, page
from app.sandbox.splunk.envelope import Envelope
from app.sandbox.splunk.faults import Fault
from app.sandbox.splunk.protocol import Outcome

_BUSY = 9


class Ending(Enum):
    """How the exchange ends."""

    ANSWER = "answer"
    HALF_ANSWER = "half an answer"
    CLOSE = "closed without an answer"
    RESET = "reset without an answer"
    HANG = "no answer"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done for a request: what takes effect, and what the client gets to see of it."""

    answer: Answer
    taken: Sequence[Envelope]
    takes_effect: bool
    ending: Ending = Ending.ANSWER
    wait_s: float | None = 0.0
    """Before the ending; of a hang: its length, ``None`` for as long as the client stays."""


def planned(outcome: Outcome, fault: Fault | None) -> Plan:
    """What becomes of a request that would come to ``outcome``, under ``fault``."""
    if fault is None or fault.kind in {"none", "slow"}:
        wait_s = None if fault is None else fault.s
        return Plan(outcome.answer, outcome.taken, takes_effect=True, wait_s=wait_s or 0.0)
    if fault.kind in {"hang", "stall"}:
        return _silent(outcome, fault, Ending.HANG)
    if fault.kind == "cut":
        return _silent(outcome, fault, _cut(fault))
    if fault.kind == "busy":
        return _busy(outcome, fault)
    return _coded(outcome, fault) if fault.kind == "code" else _answered(outcome, fault, _in_the_way(fault))


def _cut(fault: Fault) -> Ending:
    if fault.partial_answer:
        return Ending.HALF_ANSWER
    return Ending.RESET if fault.reset else Ending.CLOSE


def _silent(outcome: Outcome, fault: Fault, ending: Ending) -> Plan:
    """Half an answer, if that much is seen, is a success only where something was stored."""
    answer = outcome.answer if fault.stored else hec(_BUSY)
    taken = outcome.taken if fault.stored else ()
    wait_s = fault.s if ending is Ending.HANG else 0.0
    return Plan(answer, taken, takes_effect=fault.stored, ending=ending, wait_s=wait_s)


def _busy(outcome: Outcome, fault: Fault) -> Plan:
    if fault.number is None:
        return _answered(outcome, fault, hec(_BUSY))
    if not outcome.is_success and outcome.objects <= fault.number:
        return Plan(outcome.answer, outcome.taken, takes_effect=True)
    number = min(fault.number, outcome.objects)
    return _prefix(outcome, fault, hec(_BUSY, number), number)


def _coded(outcome: Outcome, fault: Fault) -> Plan:
    answer = hec(fault.hec_code or 0, fault.number)
    if fault.stored and not outcome.is_success:
        return Plan(outcome.answer, outcome.taken, takes_effect=True)
    if fault.stored or fault.number is None:
        return _answered(outcome, fault, answer)
    culprit = fault.number - 1 if fault.hec_code == 7 else fault.number  # noqa: PLR2004 - its own oddity
    if not outcome.is_success and len(outcome.taken) < culprit:  # the number would call something taken that is not
        return Plan(outcome.answer, outcome.taken, takes_effect=True)
    return _prefix(outcome, fault, answer, culprit)


def _in_the_way(fault: Fault) -> Answer:
    """What something that is not HEC says."""
    if fault.kind == "ok_html":
        return page(200)
    if fault.kind == "ok_empty":
        return Answer(200)
    status = fault.http_status or 500
    if fault.kind == "redirect":
        return page(status).with_header("Location", fault.location)
    return page(status) if fault.html else nowhere(status).saying(code=status)


def _answered(outcome: Outcome, fault: Fault, answer: Answer) -> Plan:
    taken = outcome.taken if fault.stored else ()
    return Plan(_timed(answer, fault), taken, takes_effect=fault.stored)


def _prefix(outcome: Outcome, fault: Fault, answer: Answer, number: int) -> Plan:
    taken = [each for each in outcome.taken if each.number < number]
    return Plan(_timed(answer, fault), taken, takes_effect=True)


def _timed(answer: Answer, fault: Fault) -> Answer:
    retry_after = fault.retry_after
    return answer if retry_after is None else answer.with_header("Retry-After", str(retry_after))
