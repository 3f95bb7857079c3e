"""What the relay says of itself in Splunk: heartbeats, and the test of ``relay check``. Pure."""

from collections.abc import Mapping

from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.transform.schema.fields import SCHEMA

SOURCETYPE = "sentry:relay"
RESOURCE = "relay"


def own_event(
    destination: Destination, action: str, facts: Mapping[str, object], *, index: str | None, at: float, host: str
) -> HecEvent:
    """One hec_event for ``index``, with the head's identifying keys before its ``facts``; ``at`` is Unix seconds.

    ``host`` is the machine's, where the destination names none.
    """
    head: dict[str, str | int] = {
        "schema": SCHEMA,
        "tenant": destination.tenant,
        "resource": RESOURCE,
        "action": action,
    }
    return HecEvent(
        time=f"{at:.3f}",
        host=destination.host or host,
        hec_source=destination.hec_source or f"sentry:{destination.tenant}",
        sourcetype=SOURCETYPE,
        index=index,
        fields={f"relay_{name}": value for name, value in head.items()},
        event={**head, "destination": destination.name, **facts},
    )
