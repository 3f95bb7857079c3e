"""Rows of either engine as the values that everybody else knows. The engines' statements give the same columns."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from app.model import Delivery, Hook, SpoolStats, Stream, StreamCount


def delivery_of(row: Any, lease: str) -> Delivery:  # noqa: ANN401 - the driver's
    """A claimed delivery out of a row of the statement ``load``."""
    seq, stream, attempts, ambiguous, delivery_id, tenant, installation, received_at, about, payload = row
    sender, resource, sent_at, request_id, idempotency_key, verified_with = orjson.loads(about)
    hook = Hook(
        delivery_id=delivery_id,
        tenant=tenant,
        installation=installation,
        sender=sender,
        resource=resource,
        sent_at=sent_at,
        request_id=request_id,
        idempotency_key=idempotency_key,
        verified_with=verified_with,
        received_at=received_at,
        payload=payload,
    )
    return Delivery(
        seq=seq,
        lease=lease,
        stream=stream_of(stream),
        hook=hook,
        attempts=attempts,
        ambiguous=ambiguous,
    )


def stream_of(text: str) -> Stream:
    """The stream behind its key."""
    tenant, _, destination = text.partition("/")
    return Stream(tenant, destination)


def stats_of(
    ledger: Iterable[Any],
    states: Iterable[Any],
    fill: Iterable[int],
    oldest: Sequence[float] | None,
) -> SpoolStats:
    """The books: rows of ``ledger`` and ``count_states``, the one of ``fill``, that of ``oldest_waiting`` or none."""
    counted = {stream: (waiting, dead) for stream, waiting, dead in states}
    streams = []
    for stream, accepted, delivered, filtered, discarded, adopted in ledger:
        waiting, dead = counted.get(stream, (0, 0))
        streams.append(
            StreamCount(
                stream=stream_of(stream),
                accepted=accepted,
                delivered=delivered,
                filtered=filtered,
                discarded=discarded,
                adopted=adopted,
                waiting=waiting,
                dead=dead,
            )
        )
    hooks, size = fill
    return SpoolStats(streams=streams, waiting_bytes=size, hooks=hooks, oldest_waiting_at=oldest[0] if oldest else None)
