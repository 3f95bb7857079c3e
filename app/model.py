"""The values that rooms hand to each other. Nothing here decides or does anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

Sender = Literal["integration", "service_hook", "legacy"]
"""Which of Sentry's webhook systems a hook came through."""


class Secret(NamedTuple):
    """A resolved secret: the reference that named it, and its bytes. Shows only the reference."""

    name: str
    value: bytes

    def __repr__(self) -> str:
        """The reference alone, so that no log line or traceback can show the value."""
        return f"Secret({self.name})"

    def __str__(self) -> str:
        """As ``repr``."""
        return repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A *verified* webhook. Only ``app.sentry.verify`` makes one out of a request; the spool gives it back.

    The header values (``resource``, ``sent_at``, ``request_id``, ``idempotency_key``) are what the request
    said, empty where it said nothing. Sentry signs the body only, so none of them is trusted.
    """

    delivery_id: str
    """32 lower-case hex digits, the same on every copy. Derived from the sender's idempotency key where there is one,
    else from the bytes and this very receipt of them (the spool answers a resend with the first one's).
    """
    tenant: str
    """The tenant's name; empty while parked, that is: no tenant claims ``installation`` yet."""
    installation: str = ""
    """``installation.uuid`` of a hook that came through a shared integration, else empty."""
    sender: Sender = "integration"
    resource: str = ""
    """``Sentry-Hook-Resource`` as sent."""
    sent_at: str = ""
    """``Sentry-Hook-Timestamp`` as sent: Unix seconds of the attempt, decimal text."""
    request_id: str = ""
    idempotency_key: str = ""
    verified_with: str = ""
    """The reference of the secret that verified the body, such as ``env:ACME_SENTRY_SECRET``."""
    received_at: float = 0.0
    """Unix seconds."""
    key_digest: bytes = field(default=b"", repr=False)
    """16 bytes for the door and the sender's idempotency key: who shares it with a remembered hook is that hook. Empty
    where there is no key. Not stored with the hook, as the next two are not.
    """
    body_digest: bytes = field(default=b"", repr=False)
    """16 bytes for the door and the very bytes of the payload; empty: nothing is remembered of them."""
    resendable: bool = False
    """Its sender, who names no key, may post the very same bytes again when it has no answer in time."""
    same_body_as: str = ""
    """The ``delivery_id`` of an earlier hook with the very same bytes. The spool says so, not who accepts."""
    payload: bytes = field(repr=False)
    """The body bytes as signed."""


class Stream(NamedTuple):
    """All deliveries of one tenant to one of its destinations."""

    tenant: str
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One hook on its way to one destination, claimed from the spool under a lease."""

    seq: int
    """The spool's own number: unique, grows with the order of accepting."""
    lease: str
    """The claim it belongs to. A settle, release or bury under another lease changes nothing."""
    stream: Stream
    hook: Hook
    attempts: int
    """How often it was posted to Splunk before this claim."""
    ambiguous: int
    """How many of those attempts may have reached Splunk although no success was seen."""
    unreadable: str = ""
    """Why what is stored cannot be read, in words; the hook is then without payload, and the delivery to be buried."""


class Attempt(NamedTuple):
    """One post of a delivery and how it ended, kept for people to read."""

    at: float
    """Unix seconds when the post began, by the clock of the relay that posted."""
    took_s: float
    answer: str
    """Splunk's answer or the fault, in words; holds no secret."""
    ambiguous: bool = False
    """It may have reached Splunk although no success was seen."""


class Cause(StrEnum):
    """Why a delivery is a dead letter. A closed set: it is a metric label and an operator's word."""

    REJECTED = "rejected"
    """Splunk refused this very hec_event (codes 5, 6, 12, 13, 15), whatever became of its neighbours."""
    OVERSIZE = "oversize"
    """The hec_event alone is more than the destination takes (413, or code 6 for its size)."""
    UNTRANSFORMABLE = "untransformable"
    """The relay could not turn it into a hec_event: a bug of ours, kept for the next version."""
    UNREADABLE = "unreadable"
    """What is stored of it cannot be read: the disk, or whoever else writes there, has damaged it."""
    EXPIRED = "expired"
    """It waited longer than the waiting age limit."""
    UNCLAIMED = "unclaimed"
    """It was parked and no tenant claimed its installation before the limit."""


@dataclass(frozen=True, slots=True)
class Burial:
    """A delivery that goes to the dead letters, and why. ``detail`` is in words and holds no secret."""

    delivery: Delivery
    cause: Cause
    detail: str
    tried: tuple[Attempt, ...] = ()
    """The posts since it was claimed, in order."""


class State(StrEnum):
    """Where a delivery is. The first three are stored with their payload, the others only as history."""

    WAITING = "waiting"
    PARKED = "parked"
    DEAD = "dead"
    DELIVERED = "delivered"
    FILTERED = "filtered"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One delivery from receipt to its end, as far as it has come, for an operator. Holds no payload."""

    seq: int
    """The spool's own number: what ``redeliver`` and ``discard`` take."""
    delivery_id: str
    stream: Stream
    state: State
    sender: str
    resource: str
    request_id: str
    verified_with: str
    """The reference of the secret that verified the body; never its value."""
    installation: str
    payload_bytes: int
    received_at: float
    attempts: int
    ambiguous: int
    same_body_as: str = ""
    """The id of an earlier hook with the very same bytes."""
    first_attempt_at: float | None = None
    last_attempt_at: float | None = None
    tried: Sequence[Attempt] = ()
    """Each post, oldest first; of very many, the latest."""
    fault: str = ""
    """The last thing that went wrong (a dead letter: why it is one), in words."""
    cause: Cause | None = None
    due_at: float | None = None
    """When a waiting delivery is to be posted (again)."""
    ended_at: float | None = None
    """When it was buried, delivered, filtered or discarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which deliveries an operator means. What is empty or ``None`` does not narrow."""

    states: frozenset[State] = frozenset()
    tenant: str | None = None
    destination: str | None = None
    causes: frozenset[Cause] = frozenset()
    delivery_ids: frozenset[str] = frozenset()
    received_from: float | None = None
    """Unix seconds, included."""
    received_before: float | None = None
    """Unix seconds, excluded."""


class AuditAuthor(NamedTuple):
    """Who changes something by hand, and why; goes into the audit with what was changed."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change made by hand (or by a budget). Never altered, never removed."""

    number: int
    at: float
    action: str
    """``redeliver`` or ``discard``."""
    actor: str
    reason: str
    count: int
    """How many deliveries it changed."""
    delivery_ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLimits:
    """How much of the past is kept. Names and meanings are those of the settings."""

    waiting_age_max_s: float
    """What waits (or is parked) longer becomes a dead letter."""
    dedup_window_s: float
    """A digest that was last seen longer ago is forgotten."""
    dedup_keys_max: int
    """Digests that are remembered; beyond, those that were seen longest ago are forgotten."""
    dead_age_max_s: float
    """A dead letter buried longer ago is discarded."""
    dead_bytes_max: int
    """Payload bytes of dead letters; beyond, those buried longest ago are discarded."""
    history_age_max_s: float
    """What ended longer ago is forgotten; 0: no history is kept."""
    history_max: int
    """Ended deliveries that are remembered; beyond, those that ended longest ago are forgotten."""


class SpoolLimits(NamedTuple):
    """How much the spool may hold: hooks, their payload bytes, of those what is dead, and dedup keys."""

    hooks_max: int
    bytes_max: int
    dead_bytes_max: int
    dead_age_max_s: float
    dedup_keys_max: int = 2**62


class SpoolEvidence(NamedTuple):
    """How the spool is doing, from what lately succeeded and what did not. Sentences for readiness."""

    problems: Sequence[str] = ()
    """While there is one, hooks would be lost or deliveries are stuck: not ready."""
    remarks: Sequence[str] = ()
    """What somebody should know although hooks are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What one round of keeping to the budgets changed."""

    changed: int = 0
    """Rows in all, so that a caller can go on while there is more."""
    buried: Mapping[tuple[Stream, Cause], int] = field(default_factory=dict)
    """By ``expired`` and ``unclaimed``."""
    discarded: Mapping[Stream, int] = field(default_factory=dict)
    """Dead letters over their age or bytes."""
    evicted: int = 0
    """Parked hooks that had to go since this was told last, because others came."""


class TenantFill(NamedTuple):
    """How much of the spool a tenant holds ('': parked hooks and what came of them)."""

    tenant: str
    hooks: int
    bytes: int


class Accepted(NamedTuple):
    """The spool's answer to a hook: its id, and whether it was new (False: a repeat, stored before)."""

    delivery_id: str
    fresh: bool
    same_body_as: str = ""
    """Of a new one: the id of an earlier hook with the very same bytes."""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """The books of one stream. ``accepted = delivered + filtered + discarded + adopted + waiting + dead``.

    ``accepted`` up to ``adopted`` only ever grow and survive restarts; ``waiting`` and ``dead`` are counted
    from the rows themselves, so that the equation is a check and not a definition.
    """

    stream: Stream
    accepted: int
    delivered: int
    filtered: int
    discarded: int
    adopted: int
    """Parked deliveries that a tenant has claimed since (they count as accepted there once more)."""
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """One consistent look at the spool."""

    streams: Sequence[StreamCounts]
    payload_bytes: int
    """Payload bytes of hooks that have a waiting or dead delivery."""
    hooks: int
    """Hooks stored (waiting or dead)."""
    oldest_waiting_at: float | None
    """``received_at`` of the oldest waiting delivery."""
    dead_bytes: int = 0
    """Payload bytes of dead deliveries."""
    oldest_dead_at: float | None = None
    """When the dead letter that is one for the longest was buried."""
    history: int = 0
    """Ended deliveries that are remembered."""
    dedup_keys: int = 0
    """Digests of keys and bytes that are remembered."""
    tenants: Sequence[TenantFill] = ()
    """Who holds how much."""
