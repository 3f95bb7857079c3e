"""The log lines of delivering, and the states that readiness shows: always in words, always who can mend it."""

from dataclasses import dataclass

import structlog

from app.delivery.destination.batch import Batch, Division, PendingEvent
from app.delivery.destination.breaker import BreakerState
from app.delivery.destination.pause import Pause
from app.model import Burial, Cause, Stream
from app.splunk.answers import Answer, Outcome, Scope, Verdict
from app.splunk.codes import Act

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """Something that does not deliver just now."""

    stream: Stream
    scope: Scope
    """A lane (one index), the hec_token, or the whole destination."""
    index: str | None
    """Of a lane; ``None`` is the hec_token's default index."""
    state: str
    """``open``, ``half_open``, or ``missing``: the tenants file does not name the destination any more."""
    words: str
    act: str
    """Who can mend it."""
    since: float
    """Unix seconds."""
    again_in_s: float | None = None
    """Seconds until it is tried again by itself; ``None`` where nothing will be tried, or nobody knows when."""

    def __str__(self) -> str:
        """One sentence."""
        where = f"{self.stream.tenant}/{self.stream.destination}"
        if self.scope is Scope.LANE:
            where += f", index {self.index or 'of the hec_token'}"
        mend = "" if self.act == Act.NOBODY.value else f"; to mend: {self.act}"
        return f"{where}: {self.words}{mend}"


def state_of(stream: Stream, index: str | None, pause: Pause, *, now: float) -> LaneState | None:
    """The state of something that is paused or being tried; ``None`` if it delivers. ``now`` is the loop's clock."""
    if pause.state is BreakerState.CLOSED:
        return None
    return LaneState(
        stream=stream,
        scope=pause.scope,
        index=index,
        state=pause.state.value,
        words=pause.words,
        act=pause.act.value,
        since=pause.since,
        again_in_s=pause.left_s(now),
    )


def attempted(
    batch: Batch,
    division: Division[PendingEvent],
    answer: Answer,
    verdict: Verdict,
    *,
    accepted: int,
    body_bytes: int,
    seconds: float,
) -> None:
    """``delivery.attempted``: one line a post. ``accepted`` are those that wait for their ack."""
    say = _log.info if verdict.outcome in (Outcome.DELIVERED, Outcome.ACCEPTED) else _log.warning
    say(
        "delivery.attempted",
        tenant=batch.stream.tenant,
        destination=batch.stream.destination,
        index=batch.index,
        hec_events=len(batch.hec_events),
        bytes=body_bytes,
        status=answer.status or None,
        hec_code=answer.code,
        outcome=verdict.outcome.value,
        words=verdict.words,
        duration_ms=round(seconds * 1000, 1),
        delivered=len(division.delivered),
        accepted=accepted,
        buried=len(division.buried),
        resend=sum(map(len, division.resend)),
        released=len(division.release),
        ambiguous=verdict.ambiguous,
    )


def buried(burial: Burial) -> None:
    """``delivery.buried``: one line a dead letter."""
    _log.error(
        "delivery.buried",
        tenant=burial.delivery.stream.tenant,
        destination=burial.delivery.stream.destination,
        delivery_id=burial.delivery.hook.delivery_id,
        resource=burial.delivery.hook.resource,
        cause=burial.cause.value,
        words=burial.detail,
    )


def expired(stream: Stream, cause: Cause, *, count: int, waiting_age_max_s: float) -> None:
    """``deliveries.expired``: they waited too long and are dead letters now."""
    _log.error(
        "deliveries.expired",
        tenant=stream.tenant or None,
        destination=stream.destination or None,
        cause=cause.value,
        deliveries=count,
        words=f"waited longer than RELAY_WAITING_AGE_MAX_S ({waiting_age_max_s:g} s)",
    )


def discarded(stream: Stream, *, count: int) -> None:
    """``dead_letters.discarded``: they are gone for good; the audit says which, and for which of the two budgets."""
    _log.error(
        "dead_letters.discarded",
        tenant=stream.tenant or None,
        destination=stream.destination or None,
        dead_letters=count,
        words="older than RELAY_DEAD_AGE_MAX_S, or the oldest beyond RELAY_DEAD_BYTES_MAX; the audit has their ids",
    )


def paused(stream: Stream, index: str | None, pause: Pause, *, again_in_s: float) -> None:
    """``lane.paused``: something stops delivering; everything for it is kept."""
    _log.warning(
        "lane.paused",
        tenant=stream.tenant,
        destination=stream.destination,
        scope=pause.scope.value,
        index=index,
        words=pause.words,
        to_mend=pause.act.value,
        again_in_s=round(again_in_s, 2),
        tries=pause.breaker.openings,
    )


def resumed(stream: Stream, index: str | None, pause: Pause, *, after_s: float) -> None:
    """``lane.resumed``: it delivers again."""
    _log.info(
        "lane.resumed",
        tenant=stream.tenant,
        destination=stream.destination,
        scope=pause.scope.value,
        index=index,
        words=f"over: {pause.words}",
        after_s=round(after_s, 2),
    )


def superseded(state: LaneState, *, after_s: float) -> None:
    """``lane.resumed``: what paused is not asked any more, for the tenants file or a secret says otherwise."""
    _log.info(
        "lane.resumed",
        tenant=state.stream.tenant,
        destination=state.stream.destination,
        scope=state.scope.value,
        index=state.index,
        words=f"over, for its destination, address or hec_token is another now: {state.words}",
        after_s=round(after_s, 2),
    )


def confirmed(stream: Stream, *, hec_events: int, after_s: float, is_indexed: bool) -> None:
    """``ack.received``: Splunk says that they are indexed, or that it does not tell such things."""
    _log.info(
        "ack.received",
        tenant=stream.tenant,
        destination=stream.destination,
        hec_events=hec_events,
        indexed=is_indexed,
        after_s=round(after_s, 2),
    )


def unconfirmed(stream: Stream, *, hec_events: int, fault: str) -> None:
    """``ack.lost``: nobody will know whether they are indexed, so they are sent again."""
    _log.warning(
        "ack.lost",
        tenant=stream.tenant,
        destination=stream.destination,
        hec_events=hec_events,
        words=fault,
    )


def unacknowledged(stream: Stream, *, said: str) -> None:
    """``ack.disabled``: the tenants file asks for acks, and Splunk gives none."""
    _log.warning("ack.disabled", tenant=stream.tenant, destination=stream.destination, words=said)
