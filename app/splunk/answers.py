"""Reads an answer of Splunk: what became of the batch, and what is to be done. Pure.

The rule above all others: a batch is a stream. Splunk parses object after object and takes what stands before the
first bad one, so that resending a refused batch whole doubles its head and dropping it loses its tail.
A hec_event is buried only when it was refused *alone*; a number that names it among others makes it a suspect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from app.model import Cause
from app.splunk.codes import HEC_CODES, Act, Meaning, Row, look_up

ACK_ID_DIGITS_MAX = 20
"""Of 64 bits; Python refuses to read a number of thousands."""


class Fault(StrEnum):
    """Why there is no answer."""

    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    PROXY_FAILED = "proxy_failed"
    TIMEOUT_BEFORE_SENT = "timeout_before_sent"
    UNSENDABLE = "unsendable"
    READ_TIMEOUT = "read_timeout"
    RESET_AFTER_SENT = "reset_after_sent"


class Scope(StrEnum):
    """What pauses."""

    NONE = "none"
    LANE = "lane"
    HEC_TOKEN = "hec_token"  # noqa: S105  the name of a scope, not a secret
    DESTINATION = "destination"


class Rest(StrEnum):
    """What happens to the hec_events that were not delivered."""

    NOTHING = "nothing"
    """There are none."""
    NOW = "now"
    """Resent at once, a suspect alone."""
    SPLIT = "split"
    """Resent at once in two halves."""
    LATER = "later"
    """Back to the spool."""
    BURY = "bury"
    """To the dead letters; it is a single one."""


class Outcome(StrEnum):
    """How an attempt ended, in one word for logs and metrics."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    """Splunk took it; whether it is indexed is still to be told."""
    REFUSED = "refused"
    INDEX_REFUSED = "index_refused"
    HEC_TOKEN_REFUSED = "hec_token_refused"  # noqa: S105  an outcome, not a secret
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HecBody:
    """The JSON object that HEC answers with, as far as the relay reads it."""

    code: int | None = None
    text: str = ""
    invalid_event_number: int | None = None
    ack_id: int | None = None
    acks: Mapping[int, bool] | None = None
    """Of an answer to a poll: ack id to whether it is indexed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: an HTTP answer, or the fault that prevented one. ``detail`` is in words, without secrets."""

    status: int = 0
    body: HecBody | None = None
    content_type: str = ""
    retry_after: str = ""
    fault: Fault | None = None
    detail: str = ""
    channel: str = ""
    """The channel it came through."""
    spare: bool = False
    """Another address of the destination is in order."""

    @property
    def code(self) -> int | None:
        """The HEC code, if the body held one."""
        return None if self.body is None else self.body.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer means for the ``sent`` hec_events of a batch."""

    outcome: Outcome
    words: str
    """For the log and the operator: what Splunk said, and what it means."""
    delivered: int = 0
    """So many leading hec_events are delivered."""
    rest: Rest = Rest.NOTHING
    suspect: bool = False
    """The first one that is not delivered was named as bad."""
    cause: Cause = Cause.REJECTED
    """What a burial is for."""
    confirm: bool = False
    """Whoever answered may not be Splunk: bury only if Splunk is found well and it is refused once more."""
    ambiguous: bool = False
    """Some of the rest may have been taken all the same."""
    scope: Scope = Scope.NONE
    slow_down: bool = False
    shrink: bool = False
    """The destination takes smaller bodies than this one."""
    gzip_off: bool = False
    retry_after: str = ""
    """The header as sent; ``delivery.retry`` reads it."""
    act: Act = Act.NOBODY


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_body(raw: bytes) -> HecBody | None:
    """The HEC object in an answer's body, or ``None`` if it holds none. Never raises."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parsed, dict):
        return None
    text = parsed.get("text")
    return HecBody(
        code=_integer(parsed.get("code")),
        text=text[:200] if isinstance(text, str) else "",
        invalid_event_number=_number(parsed.get("invalid-event-number")),
        ack_id=_integer(parsed.get("ackId")),
        acks=_acks(parsed.get("acks")),
    )


def _number(told: object) -> int | None:
    """What is there and is no whole number says as much as an impossible one: something may be taken."""
    return None if told is None else -1 if (number := _integer(told)) is None else number


def _acks(told: object) -> dict[int, bool] | None:
    """What a poll was told. Only a plain ``true`` is one."""
    if not isinstance(told, dict):
        return None
    ids = {key: value is True for key, value in told.items() if key.isascii() and key.isdigit()}
    return {int(key): value for key, value in ids.items() if len(key) <= ACK_ID_DIGITS_MAX}


_ALIVE = frozenset({Meaning.TAKEN, Meaning.TAKEN_SLOW_DOWN, Meaning.CONTENT, Meaning.CULPRIT, Meaning.INDEX})


def _is_hec(answer: Answer, row: Row) -> bool:
    """Whether the row was found by a HEC code, that is: whether Splunk itself was speaking."""
    return answer.code is not None and HEC_CODES.get(answer.code) is row


_FAULTS: dict[Fault, tuple[Outcome, Act, str]] = {
    Fault.CONNECT_FAILED: (Outcome.UNREACHABLE, Act.SPLUNK, "no connection"),
    Fault.TLS_FAILED: (Outcome.UNREACHABLE, Act.TENANT, "TLS failed"),
    Fault.PROXY_FAILED: (Outcome.UNREACHABLE, Act.TENANT, "the proxy opens no way"),
    Fault.TIMEOUT_BEFORE_SENT: (Outcome.UNREACHABLE, Act.SPLUNK, "no connection in time"),
    Fault.UNSENDABLE: (Outcome.HEC_TOKEN_REFUSED, Act.TENANT, "the request cannot be written"),
    Fault.READ_TIMEOUT: (Outcome.UNKNOWN, Act.SPLUNK, "no answer in time"),
    Fault.RESET_AFTER_SENT: (Outcome.UNKNOWN, Act.SPLUNK, "the connection broke before the answer"),
}


def _of_fault(answer: Answer, fault: Fault) -> Verdict:
    outcome, act, words = _FAULTS[fault]
    return Verdict(
        outcome=outcome,
        words=f"{words}: {answer.detail}" if answer.detail else words,
        rest=Rest.LATER,
        ambiguous=outcome is Outcome.UNKNOWN,
        scope=Scope.HEC_TOKEN if fault is Fault.UNSENDABLE else Scope.DESTINATION,
        slow_down=outcome is Outcome.UNKNOWN,
        act=act,
    )


def _words(answer: Answer, row: Row) -> str:
    said = f"HTTP {answer.status}" if answer.code is None else f"HTTP {answer.status}, code {answer.code}"
    return f"{row.words} ({said})"


def _content(answer: Answer, row: Row, sent: int) -> Verdict:
    """Codes 5, 6, 12, 13, 15, statuses 400 and 413: something that was sent is bad."""
    from_hec = _is_hec(answer, row)
    too_large = row.meaning is Meaning.TOO_LARGE
    number = answer.body.invalid_event_number if answer.body and row.meaning is Meaning.CULPRIT else None
    words = _words(answer, row)
    if sent == 1:
        return Verdict(
            outcome=Outcome.REFUSED,
            words=words,
            rest=Rest.BURY,
            cause=Cause.OVERSIZE if too_large else Cause.REJECTED,
            confirm=not from_hec,
            act=row.act,
        )
    if number is not None and 0 <= number < sent:
        return Verdict(
            outcome=Outcome.REFUSED,
            words=f"{words}: {number} of {sent} taken, then a bad one",
            delivered=number,
            rest=Rest.NOW,
            suspect=True,
            act=row.act,
        )
    # Splunk itself takes the head of a batch before it refuses; only a body nobody parsed is surely untaken.
    return Verdict(
        outcome=Outcome.REFUSED,
        words=f"{words}: one of {sent}, not named",
        rest=Rest.SPLIT,
        ambiguous=from_hec,
        shrink=too_large,
        act=row.act,
    )


def _busy(answer: Answer, row: Row, sent: int) -> Verdict:
    """Code 9: the number, if any, is the first that was not taken. An impossible one may mean anything."""
    number = (answer.body.invalid_event_number if answer.body else None) or 0
    absurd = not 0 <= number < sent
    words = _words(answer, row)
    return Verdict(
        outcome=Outcome.BUSY,
        words=f"{words}: {number} of {sent} taken" if number and not absurd else words,
        delivered=0 if absurd else number,
        rest=Rest.LATER,
        ambiguous=absurd,
        scope=Scope.DESTINATION,
        slow_down=True,
        retry_after=answer.retry_after,
        act=row.act,
    )


def _encoding(answer: Answer, row: Row, *, gzipped: bool) -> Verdict:
    """Status 415: without gzip it may go; if there was none, the destination is not a HEC."""
    if gzipped:
        return Verdict(outcome=Outcome.REFUSED, words=_words(answer, row), rest=Rest.NOW, gzip_off=True, act=row.act)
    return _later(answer, row)


_LATER: dict[Meaning, tuple[Outcome, Scope]] = {
    Meaning.INDEX: (Outcome.INDEX_REFUSED, Scope.LANE),
    Meaning.HEC_TOKEN: (Outcome.HEC_TOKEN_REFUSED, Scope.HEC_TOKEN),
    Meaning.SLOW_DOWN: (Outcome.BUSY, Scope.DESTINATION),
    Meaning.DOUBTFUL: (Outcome.UNKNOWN, Scope.DESTINATION),
}


def _later(answer: Answer, row: Row) -> Verdict:
    outcome, scope = _LATER.get(row.meaning, (Outcome.UNAVAILABLE, Scope.DESTINATION))
    return Verdict(
        outcome=outcome,
        words=_words(answer, row),
        rest=Rest.LATER,
        ambiguous=row.meaning is Meaning.DOUBTFUL,
        scope=scope,
        slow_down=row.meaning in (Meaning.SLOW_DOWN, Meaning.DOUBTFUL),
        retry_after=answer.retry_after,
        act=row.act,
    )


def judge(answer: Answer, sent: int, *, gzipped: bool = False) -> Verdict:
    """What ``answer`` means for a batch of ``sent`` (at least 1) hec_events of one index.

    Splunk is believed only for 200 with a JSON object whose code is 0, 24 or 25. Code 7 delivers nothing and needs
    no number: the whole batch is of one index, so its first hec_event was refused already.
    """
    if answer.fault is not None:
        return _of_fault(answer, answer.fault)
    row = look_up(answer.status, answer.code)
    match row.meaning:
        case Meaning.TAKEN | Meaning.TAKEN_SLOW_DOWN:
            return Verdict(
                outcome=Outcome.DELIVERED,
                words=_words(answer, row),
                delivered=sent,
                slow_down=row.meaning is Meaning.TAKEN_SLOW_DOWN,
            )
        case Meaning.CULPRIT | Meaning.CONTENT | Meaning.TOO_LARGE:
            return _content(answer, row, sent)
        case Meaning.BUSY:
            return _busy(answer, row, sent)
        case Meaning.ENCODING:
            return _encoding(answer, row, gzipped=gzipped)
        case _:
            return _later(answer, row)


def judge_probe(answer: Answer) -> Verdict | None:
    """What the answer to an *empty* post says: ``None`` if Splunk takes this hec_token, else why not.

    Splunk checks the hec_token before it looks at the body, so "no data" (code 5) is the good answer.
    """
    if answer.fault is None and _is_hec(answer, look_up(answer.status, answer.code)):
        row = HEC_CODES[answer.code or 0]
        if row.meaning in _ALIVE:
            return None
    verdict = judge(answer, 1)
    if verdict.rest is Rest.LATER:
        return verdict
    return Verdict(
        outcome=Outcome.UNAVAILABLE,
        words=f"whoever answers is not Splunk: {verdict.words}",
        rest=Rest.LATER,
        scope=Scope.DESTINATION,
        act=Act.TENANT,
    )


_CLEAN = frozenset({Fault.CONNECT_FAILED, Fault.TLS_FAILED, Fault.PROXY_FAILED, Fault.TIMEOUT_BEFORE_SENT})


def elsewhere(answer: Answer) -> bool:
    """Whether this address took nothing of what was sent, and another one may take it: no double can come of it."""
    if answer.fault is not None:
        return answer.fault in _CLEAN
    meaning = look_up(answer.status, answer.code).meaning
    if meaning is Meaning.BUSY:
        return answer.body is not None and not answer.body.invalid_event_number
    return meaning in (Meaning.CLOSED, Meaning.SLOW_DOWN)


def at_fault(answer: Answer) -> bool:
    """Whether the address, and not what was sent to it, is the trouble."""
    if answer.fault is not None:
        return answer.fault is not Fault.UNSENDABLE
    meaning = look_up(answer.status, answer.code).meaning
    return meaning in (Meaning.BUSY, Meaning.CLOSED, Meaning.SLOW_DOWN, Meaning.DOUBTFUL)
