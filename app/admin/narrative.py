"""A delivery's life in words for a tired person: who must act, and what happened line by line. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.model import Attempt, Cause, DeliveryRecord, State
from app.splunk.answers import Answer, Fault, judge
from app.splunk.codes import Act, look_up

_HTTP: Final = re.compile(r"\(HTTP (\d{3})(?:, code (\d{1,5}))?\)")
"""How ``splunk.answers`` writes an answer's numbers after its words."""
_NO_ANSWER: Final[Mapping[str, Act]] = {
    verdict.words: verdict.act for verdict in (judge(Answer(fault=fault), 1) for fault in Fault)
}
"""What stands at the beginning of the words where there was no answer at all."""
_BY_CAUSE: Final[Mapping[Cause, Act]] = {
    Cause.REJECTED: Act.PAYLOAD,
    Cause.OVERSIZE: Act.PAYLOAD,
    Cause.UNTRANSFORMABLE: Act.RELAY,
    Cause.UNREADABLE: Act.RELAY,
    Cause.EXPIRED: Act.SPLUNK,
    Cause.UNCLAIMED: Act.TENANT,
}
_SENDERS: Final[Mapping[str, str]] = {
    "integration": "an integration",
    "service_hook": "a service hook",
    "legacy": "the legacy plugin",
}
_ADVICE: Final[Mapping[Act, str]] = {
    Act.NOBODY: "nothing has to be done",
    Act.TENANT: "mend the tenants file or the hec_token's rights in Splunk, then redeliver",
    Act.SPLUNK: "whoever runs that Splunk; once it takes hec_events again, redeliver",
    Act.PAYLOAD: "Splunk refuses this content: redeliver after an upgrade of Splunk or the relay, or discard",
    Act.RELAY: "whoever runs the relay (and what stands between it and Splunk): mend or report it, then redeliver",
}
_ADVICE_BY_CAUSE: Final[Mapping[Cause, str]] = {
    Cause.UNCLAIMED: (
        "name its installation in the tenants file, then redeliver: it is parked again and goes to that tenant at once"
    ),
    Cause.UNREADABLE: (
        "its content is damaged in the spool: look whether Sentry still has it, mend the disk (docs/damaged-spool.md), "
        "then discard"
    ),
}


class TimelineEntry(NamedTuple):
    """One line of a life: a short word of what happened, and the rest of the sentence."""

    what: str
    words: str


def told(at: float) -> str:
    """A time as people read it, UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00") + "Z"


def act_of(words: str) -> Act | None:
    """Who must act on an answer that the relay put into these words; ``None`` if they name no answer of Splunk."""
    numbers = _HTTP.findall(words)
    if numbers:
        status, code = numbers[-1]
        return look_up(int(status), int(code) if code else None).act
    last = words.rpartition("last fault: ")[2]
    return next((act for beginning, act in _NO_ANSWER.items() if last.startswith(beginning)), None)


def last_answer(life: DeliveryRecord) -> str:
    """The last thing that Splunk said, or that went wrong, in words; empty where nothing did."""
    said = life.tried[-1].answer if life.tried else ""
    return said if life.state is State.DELIVERED else life.fault or said


def must_act(life: DeliveryRecord) -> Act:
    """Who has to do something before this delivery can arrive."""
    if life.state in (State.DELIVERED, State.FILTERED, State.DISCARDED):
        return Act.NOBODY
    if life.state is State.PARKED or life.cause is Cause.UNCLAIMED:
        return Act.TENANT
    if life.cause in (Cause.UNTRANSFORMABLE, Cause.UNREADABLE):
        return Act.RELAY
    said = act_of(last_answer(life))
    if said not in (None, Act.NOBODY):
        return said
    return _BY_CAUSE[life.cause] if life.cause else Act.NOBODY


def advice(life: DeliveryRecord) -> str:
    """What that person can do, in a sentence."""
    by_cause = _ADVICE_BY_CAUSE.get(life.cause) if life.cause else None
    return by_cause or _ADVICE[must_act(life)]


def story(life: DeliveryRecord) -> list[TimelineEntry]:
    """Everything that is known of one delivery, oldest first. Times are UTC."""
    return [*_beginning(life), *_attempts(life), *_ending(life)]


def _beginning(life: DeliveryRecord) -> Iterator[TimelineEntry]:
    sender, size = _SENDERS.get(life.sender, life.sender), f"{life.payload_bytes:,} bytes"
    words = f"{told(life.received_at)}  {life.resource or 'a hook'}, by {sender}, {size}"
    yield TimelineEntry("received", words + (f", request {life.request_id}" if life.request_id else ""))
    if life.installation:
        yield TimelineEntry("", f"installation {life.installation}")
    named = life.verified_with or "a secret whose name was not kept"
    unsigned = " in the URL; this plugin signs nothing" if life.sender == "legacy" else ""
    yield TimelineEntry("verified", f"with {named}{unsigned}")
    where = f"{life.stream.tenant}/{life.stream.destination}" if life.stream.tenant else "nobody yet (parked)"
    yield TimelineEntry("stored", f"as number {life.seq}, for {where}")


def _attempts(life: DeliveryRecord) -> Iterator[TimelineEntry]:
    left_out = life.attempts - len(life.tried)
    if left_out > 0:
        first = f", the first at {told(life.first_attempt_at)}" if life.first_attempt_at is not None else ""
        yield TimelineEntry(f"{left_out} earlier" if life.tried else f"{left_out} attempts", f"without details{first}")
    for number, each in enumerate(life.tried, start=max(0, left_out) + 1):
        yield TimelineEntry(f"attempt {number}", _attempt(each))


def _attempt(attempt: Attempt) -> str:
    doubt = "; it may have arrived all the same" if attempt.ambiguous else ""
    return f"{told(attempt.at)}  {attempt.took_s * 1000:,.0f} ms  {attempt.answer}{doubt}"


def _ending(life: DeliveryRecord) -> Iterator[TimelineEntry]:
    at = f"{told(life.ended_at)}  " if life.ended_at is not None else ""
    match life.state:
        case State.DELIVERED:
            yield TimelineEntry(
                "delivered",
                f"{at}{life.ended_at - life.received_at:,.3f} s after it was received"
                if life.ended_at is not None
                else "",
            )
        case State.FILTERED:
            yield TimelineEntry("filtered", f"{at}dropped by a rule of the tenants file; nothing was sent")
        case State.DISCARDED:
            cause = f", was dead: {life.cause}" if life.cause else ""
            yield TimelineEntry("discarded", f"{at}the audit says by whom and why{cause}")
        case State.DEAD:
            yield TimelineEntry("buried", f"{at}{life.cause}: {life.fault}")
            yield TimelineEntry("to mend", f"{must_act(life)}: {advice(life)}")
        case State.PARKED:
            yield TimelineEntry("parked", "no tenant claims its installation")
            yield TimelineEntry("to mend", f"{must_act(life)}: name the installation in the tenants file")
        case State.WAITING:
            yield from _waiting(life)


def _waiting(life: DeliveryRecord) -> Iterator[TimelineEntry]:
    due = f"due {told(life.due_at)}" if life.due_at is not None else "due now"
    yield TimelineEntry("waiting", f"{due}" + (f"; last fault: {life.fault}" if life.fault else ""))
    if (act := must_act(life)) is not Act.NOBODY:
        yield TimelineEntry("to mend", f"{act}; it is tried again by itself")
