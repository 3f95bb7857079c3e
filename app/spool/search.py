"""What finding deliveries is in either engine: which statements look where, and which streams are meant."""

from collections.abc import Callable, Iterable
from heapq import merge
from itertools import islice
from typing import Any

from app.model import DeliveryRecord, Search, State
from app.spool.keys import stream_key
from app.spool.rows import life_of

SEQ_MAX = 2**63 - 1
SEARCHES = {
    "find_dead": {State.DEAD},
    "find_waiting": {State.WAITING, State.PARKED},
    "find_ended": {State.DELIVERED, State.FILTERED, State.DISCARDED},
}
"""The statements, and the states that each looks through."""
_LAST = "\U0010ffff"
"""Sorts behind every name."""


def streams(search: Search, storable: Callable[[str], str]) -> tuple[str, str, str | None]:
    """The range of streams from and before, and the destination if it says more."""
    destination = None if search.destination is None else storable(search.destination)
    if search.tenant is None:
        return "", _LAST, destination
    tenant = storable(search.tenant)
    if destination is None:
        return stream_key(tenant, ""), stream_key(tenant, _LAST), None
    exact = stream_key(tenant, destination)
    return exact, f"{exact}\1", None


def latest(found: Iterable[Iterable[Any]], limit: int) -> list[DeliveryRecord]:
    """The rows of several statements, each by falling seq, as one list."""
    rows = merge(*found, key=lambda row: row[0], reverse=True)
    return [life_of(row) for row in islice(rows, limit)]
