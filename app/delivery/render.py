"""A claimed delivery becomes an encoded hec_event, or the reason why it does not. Pure but for a log line."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.errors import EnvelopeFault
from app.model import Burial, Cause, Delivery
from app.splunk.encode import encode, join
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.transform import Filtered

_log = structlog.get_logger()

Transform = Callable[..., tuple[HecEvent, ...] | Filtered]
"""``transform(hook, destination, *, event_bytes_max)``: pure."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The encoded hec_events of one delivery, and the index they are for."""

    index: str | None
    """Several indexes with commas between them, which no name of an index has."""
    envelope: bytes
    """One a line."""
    count: int = 1


def render(
    delivery: Delivery, destination: Destination, *, transform: Transform, event_bytes_max: int
) -> Rendered | Filtered | Burial:
    """Transform and encode one delivery; may run on any thread.

    A bug that one hook meets buries that hook and does not end the delivery of all others.
    """
    try:
        hec_events = transform(delivery.hook, destination, event_bytes_max=event_bytes_max)
        if isinstance(hec_events, Filtered):
            return hec_events
        # Only what Splunk may have already is marked as another attempt.
        attempt = delivery.attempts + 1 if delivery.ambiguous else 1
        envelopes = [
            encode(hec_event, delivery_id=str(hec_event.event["delivery_id"]), attempt=attempt)
            for hec_event in hec_events
        ]
        indexes = dict.fromkeys(hec_event.index for hec_event in hec_events)
        index = hec_events[0].index if len(indexes) == 1 else ",".join(each or "" for each in indexes)
        return Rendered(index, join(envelopes), len(envelopes))
    except EnvelopeFault as fault:
        return Burial(delivery, Cause.UNTRANSFORMABLE, str(fault))
    except Exception as fault:  # noqa: BLE001  see the docstring: whatever it is
        _log.exception("transform.failed", delivery_id=delivery.hook.delivery_id)
        return Burial(delivery, Cause.UNTRANSFORMABLE, f"transform failed with {type(fault).__name__}")
