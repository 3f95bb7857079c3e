"""A claimed delivery becomes an encoded hec_event, or the reason why it does not. Pure but for a log line."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.errors import EnvelopeFault
from app.model import Burial, Cause, Delivery
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.transform import Filtered

_log = structlog.get_logger()

Transform = Callable[..., HecEvent | Filtered]
"""``transform(hook, destination, *, event_bytes_max)``: pure."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An encoded hec_event, and the index it is for."""

    index: str | None
    envelope: bytes


def render(
    delivery: Delivery, destination: Destination, *, transform: Transform, event_bytes_max: int
) -> Rendered | Filtered | Burial:
    """Transform and encode one delivery; may run on any thread.

    A bug that one hook meets buries that hook and does not end the delivery of all others.
    """
    try:
        hec_event = transform(delivery.hook, destination, event_bytes_max=event_bytes_max)
        if isinstance(hec_event, Filtered):
            return hec_event
        # Only what Splunk may have already is marked as another attempt.
        attempt = delivery.attempts + 1 if delivery.ambiguous else 1
        envelope = encode(hec_event, delivery_id=delivery.hook.delivery_id, attempt=attempt)
        return Rendered(hec_event.index, envelope)
    except EnvelopeFault as fault:
        return Burial(delivery, Cause.UNTRANSFORMABLE, str(fault))
    except Exception as fault:  # noqa: BLE001  see the docstring: whatever it is
        _log.exception("transform.failed", delivery_id=delivery.hook.delivery_id)
        return Burial(delivery, Cause.UNTRANSFORMABLE, f"transform failed with {type(fault).__name__}")
