"""The test hec_event of ``relay check``: marked, so that one search finds it. Pure."""

from app.splunk.encode import DELIVERY_ID, encode
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination

SOURCETYPE = "sentry:relay"


def envelope(destination: Destination, index: str | None, *, marker: str, now: float) -> bytes:
    """The encoded hec_event for one index of a destination; ``now`` is Unix seconds, ``marker`` unique.

    The marker stands where a delivery's id would: in the indexed field ``relay_delivery_id``.
    """
    about = {"tenant": destination.tenant, "destination": destination.name, "index": index or ""}
    made = HecEvent(
        time=f"{now:.3f}",
        host=destination.host or "sentry-splunk-relay",
        hec_source=destination.hec_source or "sentry-splunk-relay",
        sourcetype=SOURCETYPE,
        index=index,
        fields={},
        event={"message": "a test of relay check; nothing happened in Sentry", **about, "check_id": marker},
    )
    return encode(made, delivery_id=marker)


def search(index: str | None, marker: str) -> str:
    """What to run in Splunk to see it. An hour to both sides, should the clocks differ."""
    return f"index={index or '*'} {DELIVERY_ID}::{marker} earliest=-1h latest=+1h"


def indexes(destination: Destination) -> list[str | None]:
    """Every index that the destination and its routes write to, once each; ``None`` is the hec_token's default."""
    routed = [each.index or destination.index for each in destination.routes if not each.drop]
    return list(dict.fromkeys([destination.index, *routed]))
