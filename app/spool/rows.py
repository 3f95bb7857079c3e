"""Rows of either engine as the values that everybody else knows. The engines' statements give the same columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from app.model import (
    Attempt,
    AuditEntry,
    Cause,
    Delivery,
    DeliveryRecord,
    Hook,
    Sender,
    SpoolStats,
    State,
    Stream,
    StreamCounts,
    TenantFill,
)
from app.spool.keys import stream_of

STATES = (State.WAITING, State.PARKED, State.DEAD, State.DELIVERED, State.FILTERED, State.DISCARDED)
"""By the number that is stored."""
NUMBERS: Mapping[State, int] = {state: number for number, state in enumerate(STATES)}
"""The number that stands for each."""
ANSWER_CHARS_MAX = 600
"""Of an answer: however it has to be escaped, the line of the latest post fits into what is kept of all."""


class StoredHook(NamedTuple):
    """The fields of a hook that have no column of their own, in the order they are stored in, as JSON."""

    sender: Sender = "integration"
    resource: str = ""
    sent_at: str = ""
    request_id: str = ""
    idempotency_key: str = ""
    verified_with: str = ""
    same_body_as: str = ""
    """The ``delivery_id`` of the hook that had the same bytes before, if there was one."""


def deliveries_of(rows: Iterable[Any], lease: str) -> list[Delivery]:
    """Claimed deliveries out of rows of the statement ``load``. What cannot be read of one is said in it."""
    streams: dict[str, Stream] = {}
    made = []
    for seq, stream, attempts, ambiguous, delivery_id, tenant, installation, received_at, about, payload in rows:
        if stream not in streams:
            streams[stream] = stream_of(stream)
        stored, unreadable = read_about(about)
        if not isinstance(payload, bytes):
            unreadable = unreadable or "its payload cannot be read"
        hook = Hook(
            delivery_id=delivery_id,
            tenant=tenant,
            installation=installation,
            sender=stored.sender,
            resource=stored.resource,
            sent_at=stored.sent_at,
            request_id=stored.request_id,
            idempotency_key=stored.idempotency_key,
            verified_with=stored.verified_with,
            received_at=received_at,
            same_body_as=stored.same_body_as,
            payload=b"" if unreadable else payload,
        )
        made.append(
            Delivery(
                seq=seq,
                lease=lease,
                stream=streams[stream],
                hook=hook,
                attempts=attempts,
                ambiguous=ambiguous,
                unreadable=unreadable,
            )
        )
    return made


def read_about(text: object) -> tuple[StoredHook, str]:
    """What ``about`` has stored; and why it cannot be read, in words, if so."""
    try:
        fields = orjson.loads(text)  # type: ignore[arg-type] # whatever lies there
        if isinstance(fields, list) and len(fields) in (len(StoredHook._fields) - 1, len(StoredHook._fields)):
            return StoredHook(*fields), ""
    except (ValueError, TypeError):
        pass
    return StoredHook(), "its fields cannot be read"


def about(hook: Hook, same_body_as: str = "") -> str:
    """The fields of a hook that have no column of their own, as JSON: one more where its bytes were there before."""
    fields = (hook.sender, hook.resource, hook.sent_at, hook.request_id, hook.idempotency_key, hook.verified_with)
    return orjson.dumps((*fields, same_body_as) if same_body_as else fields).decode()


def encodable(text: str) -> str:
    """The same without surrogates that are no half of anything: what is stored is UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def tried_text(tried: Iterable[Attempt]) -> str:
    """A line of JSON each, as they are stored."""
    return "".join(
        orjson.dumps((each.at, each.took_s, encodable(each.answer[:ANSWER_CHARS_MAX]), int(each.ambiguous))).decode()
        + "\n"
        for each in tried
    )


def _tried(text: str) -> list[Attempt]:
    try:
        lines = [orjson.loads(line) for line in text.split("\n") if line]
        return [Attempt(at, took_s, answer, bool(ambiguous)) for at, took_s, answer, ambiguous in lines]
    except (ValueError, TypeError):  # damaged: who looks for the delivery has to find it all the same
        return []


def life_of(row: Any) -> DeliveryRecord:  # noqa: ANN401 - the driver's
    """A delivery, stored or ended, out of a row of the statements that find."""
    seq, delivery_id, stream, state, installation, received_at, size, about, attempts, ambiguous, *rest = row
    first_attempt_at, text, fault, cause, due_at, ended_at = rest
    stored, _ = read_about(about)
    tried = _tried(text)
    return DeliveryRecord(
        seq=seq,
        delivery_id=delivery_id,
        stream=stream_of(stream),
        state=STATES[state],
        sender=stored.sender,
        resource=stored.resource,
        request_id=stored.request_id,
        verified_with=stored.verified_with,
        installation=installation,
        payload_bytes=size,
        received_at=received_at,
        attempts=attempts,
        ambiguous=ambiguous,
        same_body_as=stored.same_body_as,
        first_attempt_at=first_attempt_at,
        last_attempt_at=tried[-1].at if tried else None,
        tried=tried,
        fault=fault,
        cause=None if cause is None else Cause(cause),
        due_at=due_at if STATES[state] is State.WAITING else None,
        ended_at=ended_at,
    )


def audit_of(row: Any) -> AuditEntry:  # noqa: ANN401 - the driver's
    """An entry out of a row of the statement ``audit``."""
    number, at, action, actor, reason, count, text = row
    try:
        delivery_ids = list(orjson.loads(text))
    except (ValueError, TypeError):  # damaged: the rest of the entry is worth showing
        delivery_ids = []
    return AuditEntry(
        number=number,
        at=at,
        action=action,
        actor=actor,
        reason=reason,
        count=count,
        delivery_ids=delivery_ids,
    )


def stats_of(
    ledger: Iterable[Any],
    states: Iterable[Any],
    fill: Iterable[int],
    oldest: Sequence[float] | None,
    *,
    dead: Iterable[Any],
    history: int,
    tenants: Iterable[Any],
) -> SpoolStats:
    """The books: rows of ``ledger`` and ``count_states``, that of ``oldest_waiting`` or none.

    ``fill`` is hooks, bytes and dedup keys; ``dead`` the bytes of dead letters, and when the oldest was buried.
    """
    counted = {stream: (waiting, dead) for stream, waiting, dead in states}
    streams = []
    for stream, accepted, delivered, filtered, discarded, adopted in ledger:
        waiting, dead_count = counted.get(stream, (0, 0))
        streams.append(
            StreamCounts(
                stream=stream_of(stream),
                accepted=accepted,
                delivered=delivered,
                filtered=filtered,
                discarded=discarded,
                adopted=adopted,
                waiting=waiting,
                dead=dead_count,
            )
        )
    hooks, size, digests = fill
    dead_bytes, oldest_dead_at = dead
    return SpoolStats(
        streams=streams,
        payload_bytes=size,
        hooks=hooks,
        oldest_waiting_at=oldest[0] if oldest else None,
        dead_bytes=dead_bytes,
        oldest_dead_at=oldest_dead_at,
        history=history,
        dedup_keys=digests,
        tenants=[TenantFill(*row) for row in tenants],
    )
