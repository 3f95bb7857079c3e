"""Batches: what is in them, and how an answer divides them. Pure."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Generic, TypeVar

from app.delivery.destination.rate import batch_limit
from app.model import Attempt, Delivery, Secret, Stream
from app.splunk.answers import Answer, Rest, Scope, Verdict, judge
from app.splunk.encode import WAITED_BYTES_MAX, join, mark, with_waited

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class PendingEvent:
    """A claimed delivery with its hec_events, encoded; nearly always one."""

    delivery: Delivery
    """Without its payload, which the spool keeps."""
    envelope: bytes
    """As encoded, one a line; each post adds how long it has waited."""
    tried: tuple[Attempt, ...] = ()
    """The posts since it was claimed, oldest first."""
    refused_once: bool = False
    """It was refused alone, by something other than Splunk, while Splunk itself was well."""
    count: int = 1
    """Lines of the envelope. All are settled, or none."""

    @property
    def size(self) -> int:
        """Most bytes that it takes in a body, the line's end included."""
        return len(self.envelope) + WAITED_BYTES_MAX * self.count + 1

    def body(self, now: float) -> bytes:
        """The lines as they are posted at ``now``, in Unix seconds."""
        waited_s = now - self.delivery.hook.received_at
        if self.count == 1:
            return with_waited(self.envelope, waited_s)
        return join([with_waited(line, waited_s) for line in self.envelope.split(b"\n")])

    def posted(self, attempt: Attempt, *, refused_once: bool = False) -> "PendingEvent":
        """The same after a post that did not deliver it, to be posted again; marked if Splunk may have it already."""
        tried = (*self.tried, attempt)
        envelope = self.envelope
        if attempt.ambiguous:
            attempts = self.delivery.attempts + len(tried) + 1
            envelope = join([mark(line, attempts) for line in envelope.split(b"\n")])
        return replace(self, tried=tried, refused_once=refused_once, envelope=envelope)

    def accepted(self, attempt: Attempt) -> "PendingEvent":
        """The same after a post that Splunk accepted; without its envelope, which an ack does not need."""
        return replace(self, tried=(*self.tried, attempt), envelope=b"")

    def with_outcome(self, words: str, *, ambiguous: bool = False) -> "PendingEvent":
        """The same with these words added to the answer of its last post."""
        *before, last = self.tried
        last = last._replace(answer=f"{last.answer}; {words}", ambiguous=ambiguous)
        return replace(self, tried=(*before, last))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one post carries. The hec_token is part of it: nobody else decides under which token it goes."""

    stream: Stream
    index: str | None
    hec_token: Secret
    hec_events: tuple[PendingEvent, ...]

    def __post_init__(self) -> None:
        """Refuse hec_events of another stream: a batch would show them to another tenant."""
        if any(each.delivery.stream != self.stream for each in self.hec_events):
            raise ValueError("a batch holds deliveries of another stream")

    def body(self, now: float) -> bytes:
        """What is posted at ``now`` (Unix seconds), before gzip."""
        return join([each.body(now) for each in self.hec_events])

    def judge(self, answer: Answer, *, gzipped: bool) -> Verdict:
        """What an answer means for the deliveries of this batch.

        Splunk counts hec_events. Of a delivery with several it may have taken the first ones: such a delivery counts as
        not taken, and what is sent of it again is marked as a possible double.
        """
        if all(each.count == 1 for each in self.hec_events):
            return judge(answer, len(self.hec_events), gzipped=gzipped)
        number, place = (answer.body.invalid_event_number if answer.body else None) or 0, 0
        ends = list(accumulate(each.count for each in self.hec_events))
        if answer.body is not None and 0 < number < ends[-1]:
            place = bisect_right(ends, number)
            answer = replace(answer, body=replace(answer.body, invalid_event_number=place))
        verdict = judge(answer, len(self.hec_events), gzipped=gzipped)
        partly = number != ([0, *ends][place]) or (verdict.scope is Scope.LANE and "," in (self.index or ""))
        return replace(verdict, ambiguous=True) if partly and verdict.rest is not Rest.NOTHING else verdict


@dataclass(frozen=True, slots=True)
class Division(Generic[_T]):
    """What a verdict makes of a batch. Every member of the batch is in exactly one place."""

    delivered: Sequence[_T]
    buried: Sequence[_T] = ()
    resend: tuple[Sequence[_T], ...] = ()
    """To be posted again at once, each piece as a batch of its own."""
    release: Sequence[_T] = ()


def divide(sent: Sequence[_T], verdict: Verdict) -> Division[_T]:
    """Apply ``verdict`` to what was sent."""
    delivered, left = sent[: verdict.delivered], sent[verdict.delivered :]
    match verdict.rest:
        case Rest.NOTHING:
            return Division(delivered)
        case Rest.BURY:
            return Division(delivered, buried=left)
        case Rest.LATER:
            return Division(delivered, release=left)
        case Rest.SPLIT:
            middle = (len(left) + 1) // 2
            pieces = (left[:middle], left[middle:])
        case Rest.NOW:
            pieces = (left[:1], left[1:]) if verdict.suspect else (left, left[:0])
    return Division(delivered, resend=tuple(piece for piece in pieces if piece))


def take(queue: deque[PendingEvent], *, bytes_max: int, count_max: int) -> tuple[PendingEvent, ...]:
    """Remove the next batch from the left of ``queue``, within both limits; a hec_event beyond them comes alone."""
    taken: list[PendingEvent] = []
    size = count = 0
    room = count_max
    while queue and count < room:
        hec_event = queue[0]
        size += hec_event.size
        delivery = hec_event.delivery
        if delivery.attempts or delivery.ambiguous:
            room = min(room, batch_limit(attempts=delivery.attempts, ambiguous=delivery.ambiguous, most=count_max))
        count += hec_event.count
        if taken and (size > bytes_max or count > room):
            break
        taken.append(queue.popleft())
    return tuple(taken)
