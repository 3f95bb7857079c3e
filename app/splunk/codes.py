"""What HEC's codes and other HTTP statuses mean for a batch, as two tables.

Sources: Splunk docs, "Troubleshoot HTTP Event Collector" (codes and texts); the meanings of 6, 7, 9, 12, 13 and 15
for the rest of a batch were measured on Splunk 10.4 and Splunk Cloud 10.5; 18 to 27 are documentary.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What an answer says about the batch it answers."""

    TAKEN = "taken"
    """All of it."""
    TAKEN_SLOW_DOWN = "taken_slow_down"
    """All of it, and Splunk asks for less."""
    CULPRIT = "culprit"
    """Taken up to ``invalid-event-number``; that one is bad; what follows was not looked at."""
    CONTENT = "content"
    """Something in the body is bad, nobody says what."""
    INDEX = "index"
    """The hec_token may not write to the index. The number that comes along is one too many."""
    BUSY = "busy"
    """Taken up to ``invalid-event-number`` (nothing, if there is none); that one is merely the next."""
    HEC_TOKEN = "hec_token"  # noqa: S105  a word of the table, not a secret
    """Nothing: the hec_token (or how it is sent) is not accepted."""
    CLOSED = "closed"
    """Nothing: the destination does not take anything now."""
    SLOW_DOWN = "slow_down"
    """Nothing, because it is too much."""
    TOO_LARGE = "too_large"
    """Nothing: the body is too large."""
    ENCODING = "encoding"
    """Nothing: the content encoding is not understood."""
    DOUBTFUL = "doubtful"
    """Perhaps something, perhaps not."""


class Act(StrEnum):
    """Who can mend it."""

    NOBODY = "nobody"
    TENANT = "tenant configuration"
    SPLUNK = "Splunk"
    PAYLOAD = "payload"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: the HTTP status it comes with, its meaning, who must act, and words for people."""

    status: int
    meaning: Meaning
    act: Act
    words: str


_REFUSED = "the hec_token is not accepted"

HEC_CODES: Mapping[int, Row] = {
    0: Row(200, Meaning.TAKEN, Act.NOBODY, "success"),
    1: Row(403, Meaning.HEC_TOKEN, Act.TENANT, "the hec_token is disabled in Splunk"),
    2: Row(401, Meaning.HEC_TOKEN, Act.RELAY, "Splunk saw no hec_token; something on the way strips the header"),
    3: Row(401, Meaning.HEC_TOKEN, Act.RELAY, "Splunk cannot read the Authorization header"),
    4: Row(403, Meaning.HEC_TOKEN, Act.TENANT, "Splunk (or one indexer of it) does not know the hec_token"),
    5: Row(400, Meaning.CONTENT, Act.PAYLOAD, "no data: empty, or an envelope key that Splunk does not know"),
    6: Row(400, Meaning.CULPRIT, Act.PAYLOAD, "invalid data format"),
    7: Row(400, Meaning.INDEX, Act.TENANT, "the hec_token may not write to this index"),
    8: Row(500, Meaning.DOUBTFUL, Act.SPLUNK, "internal server error of Splunk"),
    9: Row(503, Meaning.BUSY, Act.SPLUNK, "Splunk is busy"),
    10: Row(400, Meaning.HEC_TOKEN, Act.RELAY, "Splunk saw no channel; something on the way strips the header"),
    11: Row(400, Meaning.HEC_TOKEN, Act.RELAY, "Splunk does not accept the channel"),
    12: Row(400, Meaning.CULPRIT, Act.PAYLOAD, "the event field is missing"),
    13: Row(400, Meaning.CULPRIT, Act.PAYLOAD, "the event field is blank"),
    14: Row(400, Meaning.HEC_TOKEN, Act.TENANT, "acknowledgment is disabled for the hec_token"),
    15: Row(400, Meaning.CULPRIT, Act.PAYLOAD, "an indexed field (or the time) is malformed"),
    16: Row(400, Meaning.HEC_TOKEN, Act.TENANT, "the address carries a token in its query"),
    18: Row(503, Meaning.CLOSED, Act.SPLUNK, "HEC is unhealthy, its queues are full"),
    19: Row(503, Meaning.CLOSED, Act.SPLUNK, "HEC is unhealthy, its ack service is unavailable"),
    20: Row(503, Meaning.CLOSED, Act.SPLUNK, "HEC is unhealthy, queues full and ack service unavailable"),
    21: Row(400, Meaning.HEC_TOKEN, Act.TENANT, "Splunk does not know the hec_token"),
    22: Row(400, Meaning.HEC_TOKEN, Act.TENANT, "the hec_token is disabled in Splunk"),
    23: Row(503, Meaning.CLOSED, Act.SPLUNK, "Splunk is shutting down"),
    24: Row(200, Meaning.TAKEN_SLOW_DOWN, Act.NOBODY, "success; Splunk's queue nears its limit"),
    25: Row(200, Meaning.TAKEN_SLOW_DOWN, Act.NOBODY, "success; Splunk's acks near their limit"),
    26: Row(429, Meaning.SLOW_DOWN, Act.SPLUNK, "Splunk's queue is full"),
    27: Row(429, Meaning.SLOW_DOWN, Act.SPLUNK, "Splunk's ack channel is full"),
    28: Row(400, Meaning.HEC_TOKEN, Act.RELAY, "Splunk Cloud saw no channel; a balancer strips the header"),
}
"""By HEC code. 17 is missing on purpose: it answers a health check, never a batch."""

STATUSES: Mapping[int, Row] = {
    row.status: row
    for row in (
        Row(400, Meaning.CONTENT, Act.PAYLOAD, "refused without a HEC code"),
        Row(401, Meaning.HEC_TOKEN, Act.TENANT, _REFUSED),
        Row(403, Meaning.HEC_TOKEN, Act.TENANT, _REFUSED),
        Row(404, Meaning.CLOSED, Act.SPLUNK, "no HEC at this address (or an indexer in rolling restart)"),
        Row(405, Meaning.CLOSED, Act.TENANT, "this address does not take posts"),
        Row(407, Meaning.CLOSED, Act.TENANT, "a proxy on the way wants other credentials"),
        Row(408, Meaning.CLOSED, Act.SPLUNK, "the request took too long for somebody in between"),
        Row(413, Meaning.TOO_LARGE, Act.PAYLOAD, "too large for the destination"),
        Row(415, Meaning.ENCODING, Act.SPLUNK, "the content encoding is not understood"),
        Row(429, Meaning.SLOW_DOWN, Act.SPLUNK, "too many requests"),
        Row(503, Meaning.CLOSED, Act.SPLUNK, "unavailable"),
    )
}
"""By HTTP status, where the body holds no HEC code that goes with it."""

CLASSES: Mapping[int, Row] = {
    1: Row(100, Meaning.DOUBTFUL, Act.TENANT, "an interim answer instead of a final one"),
    2: Row(200, Meaning.DOUBTFUL, Act.TENANT, "a success that is not HEC's own; is this really a HEC address?"),
    3: Row(300, Meaning.CLOSED, Act.TENANT, "a redirect; the relay follows none with a hec_token"),
    4: Row(400, Meaning.CLOSED, Act.TENANT, "refused without a HEC code"),
    5: Row(500, Meaning.DOUBTFUL, Act.SPLUNK, "a fault of Splunk or of a balancer before it"),
}
"""By the first digit of the HTTP status, where ``STATUSES`` says nothing."""


def look_up(status: int, code: int | None) -> Row:
    """The row for an answer. A code counts only with a status of its own class, success only with 200.

    Splunk writes an HTTP status as the code where no HEC handler was reached (404, 405); such a code says
    nothing more than the status does.
    """
    row = HEC_CODES.get(code) if code is not None else None
    if row is not None and row.status // 100 == status // 100 and (row.status != 200 or status == 200):  # noqa: PLR2004  HTTP's own numbers
        return row
    return STATUSES.get(status) or CLASSES.get(status // 100, CLASSES[5])


def code_label(code: int | None) -> str:
    """The code as a metric label of a bounded set: a known code, ``none`` or ``other``."""
    if code is None:
        return "none"
    return str(code) if code in HEC_CODES else "other"
