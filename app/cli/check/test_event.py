"""The test hec_event of ``relay check``: marked, so that one search finds it."""

import platform

from app import __version__
from app.splunk.encode import DELIVERY_ID, encode
from app.tenants.model import Destination
from app.transform.own_event import own_event


def envelope(destination: Destination, index: str | None, *, marker: str, now: float) -> bytes:
    """The encoded hec_event for one index of a destination; ``now`` is Unix seconds, ``marker`` unique.

    The marker stands where a delivery's id would: in the indexed field ``relay_delivery_id``.
    """
    facts = {
        "title": "a test of relay check; nothing happened in Sentry",
        "index": index or "",
        "delivery_id": marker,
        "version": __version__,
    }
    made = own_event(destination, "test", facts, index=index, at=now, host=platform.node() or "sentry-splunk-relay")
    return encode(made, delivery_id=marker)


def search(index: str | None, marker: str) -> str:
    """What to run in Splunk to see it. An hour to both sides, should the clocks differ."""
    return f"index={index or '*'} {DELIVERY_ID}::{marker} earliest=-1h latest=+1h"


def indexes(destination: Destination) -> list[str | None]:
    """Every index that the destination and its routes write to, once each; ``None`` is the hec_token's default."""
    routed = [each.index or destination.index for each in destination.routes if not each.drop]
    return list(dict.fromkeys([destination.index, *routed]))
