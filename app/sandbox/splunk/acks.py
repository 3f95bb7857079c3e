"""What one indexer remembers for acknowledgment: per hec_token and channel, ids that count from 0.

``true`` is told once and forgotten; an unknown id and a wrong channel are ``false`` and no error (measured;
Splunk docs, "About HTTP Event Collector Indexer Acknowledgment"). An idle channel is removed with its ids, and
a restart forgets them all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Channel(NamedTuple):
    """Whose ids: a GUID counts anew under every hec_token."""

    token: str
    guid: str


@dataclass(slots=True)
class _Ids:
    used_at: float
    next_id: int = 0
    true_at: dict[int, float] = field(default_factory=dict)


class AckMemory:
    """Times are any clock's seconds, given by the caller."""

    def __init__(self) -> None:
        self._channels: dict[Channel, _Ids] = {}

    def issue(self, channel: Channel, *, now: float, delay_s: float, idle_s: float) -> int:
        """A new id, which will be ``true`` after ``delay_s`` (``inf``: never)."""
        ids = self._used(channel, now, idle_s) or self._channels.setdefault(channel, _Ids(now))
        ack_id = ids.next_id
        ids.next_id += 1
        ids.true_at[ack_id] = now + delay_s
        return ack_id

    def poll(self, channel: Channel, asked: Iterable[int], *, now: float, idle_s: float) -> dict[str, bool]:
        """Which of the ids are ``true`` by now. Those are forgotten."""
        ids = self._used(channel, now, idle_s)
        told: dict[str, bool] = {}
        for ack_id in asked:
            is_true = ids is not None and ids.true_at.get(ack_id, float("inf")) <= now
            if is_true and ids is not None:
                del ids.true_at[ack_id]
            told[str(ack_id)] = is_true or told.get(str(ack_id), False)
        return told

    @property
    def waiting(self) -> int:
        """Ids that were issued and not yet told ``true``."""
        return sum(len(ids.true_at) for ids in self._channels.values())

    def _used(self, channel: Channel, now: float, idle_s: float) -> _Ids | None:
        ids = self._channels.get(channel)
        if ids is not None and now - ids.used_at > idle_s:
            del self._channels[channel]
            return None
        if ids is not None:
            ids.used_at = now
        return ids
