"""What an answer to an ack poll means. Pure.

Splunk tells ``true`` once and forgets it, and tells ``false`` for ids it does not know (measured on Splunk 10.4;
Splunk docs, "About HTTP Event Collector Indexer Acknowledgment"). A poll whose answer got lost may have taken
a ``true`` with it, so nobody can know any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.splunk.answers import Answer, Fault
from app.splunk.codes import HEC_CODES, Meaning, look_up

ACK_DISABLED = 14
ACKS_FULL = frozenset({25, 27})
"""Splunk keeps (nearly) as many acks as it will: it says so with what it takes, and with what it does not."""
_CHANNEL_CODES = frozenset({10, 11, 28})


class Poll(StrEnum):
    """How a poll ended."""

    TOLD = "told"
    AGAIN = "again"
    """Nobody was asked, or nothing was told: the ids can be asked for later."""
    LOST = "lost"
    """The ids are of no use any more."""
    DISABLED = "disabled"
    """The hec_token does not acknowledge: what Splunk accepted is all there is to know."""


@dataclass(frozen=True, slots=True)
class AckReport:
    """The result of a poll, in words for the log."""

    poll: Poll
    words: str = ""
    acks: Mapping[int, bool] = field(default_factory=dict)


_UNSENT = frozenset(Fault) - {Fault.READ_TIMEOUT, Fault.RESET_AFTER_SENT}
_NOT_FOUND = 404


def judge_poll(answer: Answer) -> AckReport:
    """What the answer to a poll says about the ids that were asked for."""
    if answer.fault is not None:
        unsent = answer.fault in _UNSENT
        return (
            AckReport(Poll.AGAIN, "a poll could not be sent")
            if unsent
            else AckReport(Poll.LOST, "the answer to a poll was lost")
        )
    if answer.body is not None and answer.status == HEC_CODES[0].status and answer.body.acks is not None:
        return AckReport(Poll.TOLD, acks=answer.body.acks)
    if answer.code == ACK_DISABLED:
        return AckReport(Poll.DISABLED, HEC_CODES[ACK_DISABLED].words)
    if answer.status == _NOT_FOUND or answer.code in _CHANNEL_CODES:
        return AckReport(Poll.LOST, f"the channel is gone (HTTP {answer.status})")
    meaning = look_up(answer.status, answer.code).meaning
    if meaning in (Meaning.DOUBTFUL, Meaning.TAKEN, Meaning.TAKEN_SLOW_DOWN):
        return AckReport(Poll.LOST, f"the answer to a poll told nothing (HTTP {answer.status})")
    return AckReport(Poll.AGAIN, f"the poll was refused (HTTP {answer.status})")
