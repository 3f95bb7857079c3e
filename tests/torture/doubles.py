"""Why a hec_event may have arrived twice. Pure.

At least once means that a copy is right where the relay could not know that Splunk had the first one, or could not
get that onto its disk; anywhere else a second copy is a fault.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.sandbox.splunk import RequestSeen
from tests.torture.relay import Lifetime, Unsure
from tests.torture.world import Stream

SETTLE_S = 3.0
"""An answer that the relay has had for longer is on its disk, unless something kept it from there."""
ANSWER_S = 0.1
"""A request that was read is answered within this, if nothing holds it back."""
CLOCKS_S = 0.02
"""So far the relay's clock and ours may be apart."""
READ_S = 0.5
"""So long after its sender gave up a request may still be read: on a busy machine it waits for the Splunk."""
_SUCCESS = frozenset({0, 24, 25})
_NAMES_THE_FIRST_UNTAKEN = frozenset({6, 9, 12, 13, 15})

RENEWED_AT = 1 / 3
"""A lease is renewed when a sixth of it has passed, and on a busy machine as much later."""
BACK_S = 2.5
"""So long after its database is back a relay may take to be connected again."""
Span = tuple[float, float]

KILLED = "killed before it was settled"
SPOILT = "no clean answer"
CUT = "connection cut"
UNSEEN = "answer not seen in time"
DISK = "disk full"
AWAY = "database away until the lease was over"
ENDED = "ended in order while the database was away"
STOPPED = "stopped until the lease was over"


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """One hec_event as it was indexed."""

    stream: Stream
    """Whose hec_token it came under."""
    delivery_id: str
    tenant: str
    """As its own text says."""
    marked: bool
    """It says that it may be another copy."""
    request: RequestSeen
    same_body_as: str = ""
    """The delivery id of the first hook with its bytes, as it says itself."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened when, on one clock. Spans are from when to when."""

    lives: Sequence[Lifetime]
    """Of all replicas."""
    cuts: Mapping[str, Sequence[Span]]
    """When the connections of a stream's Splunk were cut, or nothing came through."""
    patience_s: float
    """So long the relay waits for an answer."""
    away: Sequence[Span] = ()
    """When the spool's database was not there for a relay, or could not write, or the whole machine stood still."""
    sentry_cuts: Sequence[Span] = ()
    """When nothing, or not everything, came through between Sentry and a relay."""
    lease_s: float = math.inf
    """A delivery that nobody renews for so long is another replica's."""


def explanation(first: Copy, second: Copy, evidence: Evidence) -> str:
    """What explains ``second`` after ``first``, in words; empty if nothing does."""
    began, ended = first.request.at, second.request.at
    if not _is_clean(first.request, evidence.patience_s):
        return SPOILT
    stream = str(first.stream)
    # The answer is on its way, unless it was held back, when a request has been decided.
    answered = began + ANSWER_S + (first.request.fault.s or 0.0 if first.request.fault is not None else 0.0)
    if any(began <= end and start <= answered for start, end in evidence.cuts[stream]):
        return CUT
    for life in evidence.lives:
        if any(_is_of(post, first.request, stream) and post.ended_at <= ended + CLOCKS_S for post in life.unsure):
            return UNSEEN
    return _by_its_end(began, ended, evidence) or _by_its_lease(began, ended, evidence)


def _by_its_lease(began: float, ended: float, evidence: Evidence) -> str:
    """Whether a relay could not write what it knew, or renew its lease, until the lease was over.

    Then another replica sends the same; and the one that comes back may send what it had in its hands.
    """
    held_s = evidence.lease_s * (1 - RENEWED_AT) - CLOCKS_S
    spans = [(AWAY, span) for span in evidence.away]
    spans += [(STOPPED, span) for life in evidence.lives for span in life.frozen]
    for word, (start, end) in spans:
        if start <= began + SETTLE_S and began <= end + BACK_S and start + held_s <= ended:
            return word
    return ""


def _is_of(post: Unsure, seen: RequestSeen, stream: str) -> bool:
    """Whether a post that the relay speaks of is a request that Splunk saw."""
    meanwhile = post.began_at - CLOCKS_S <= seen.at <= post.ended_at + READ_S
    return meanwhile and post.stream == stream and post.hec_events == seen.objects


def is_unmarked(first: Copy, second: Copy, evidence: Evidence) -> bool:
    """Whether the relay that sent both knew that the first may have arrived, and did not say so on the second."""
    if second.marked:
        return False
    began, ended = first.request.at, second.request.at
    if any(began <= life.ended_at <= ended for life in evidence.lives if life.ended_at is not None):
        return False
    kept_from = [*evidence.away, *(each for life in evidence.lives for each in life.frozen)]
    if evidence.lease_s == math.inf:  # one owner: nothing takes a lease away from it
        kept_from = []
    return not any(start <= ended and began - SETTLE_S <= end for start, end in kept_from)


def _by_its_end(began: float, ended: float, evidence: Evidence) -> str:
    """Whether the life that had the answer ended before it could have that on its disk."""
    for life in evidence.lives:
        if life.ended_at is None or not life.began_at <= began <= life.ended_at <= ended:
            continue
        if any(start <= life.ended_at and began <= end for start, end in life.full):
            return DISK
        if not life.killed and any(start <= life.ended_at and began <= end + BACK_S for start, end in evidence.away):
            return ENDED
        held_up_s = sum(end - start for start, end in life.frozen if end > began)
        held_up_s += sum(end + BACK_S - start for start, end in evidence.away if end > began and start < ended)
        if life.killed and life.ended_at - began <= SETTLE_S + held_up_s:
            return KILLED
    return ""


def _is_clean(seen: RequestSeen, patience_s: float) -> bool:
    """Whether the answer said exactly what was taken, and came while the relay was listening."""
    late = seen.fault is not None and seen.fault.kind == "slow" and (seen.fault.s or 0.0) > patience_s / 2
    if seen.status is None or late:
        return False
    if seen.code in _SUCCESS:
        return True
    number = seen.invalid_event_number
    return seen.code in _NAMES_THE_FIRST_UNTAKEN and number is not None and number < seen.objects
