"""What is claimed and what became of it. What happened is written to the spool until the spool takes it.

A spool that fails for a while (a full disk) must neither end delivering nor make it send twice what Splunk took: a
delivery that is done is remembered here until the spool knows it, also if its lease runs out meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

import structlog

from app.delivery.observer import Observer
from app.delivery.retry import delay
from app.errors import RelayError
from app.model import Burial, Delivery, Stream
from app.spool.interface import Spool

_log = structlog.get_logger()

RETRY_BASE_S = 0.1
RETRY_CAP_S = 5.0
SPOOL_FAULTS = (RelayError, OSError)
"""What an engine may raise when it cannot do its work just now."""


class Ledger:
    """Every claimed delivery, by ``seq``, with the claim it is under now."""

    def __init__(self, spool: Spool, *, observer: Observer, rng: Random) -> None:
        self._spool = spool
        self._observer = observer
        self._rng = rng
        self._held: dict[int, Delivery] = {}
        self._bytes: dict[int, int] = {}
        self._counts: Counter[Stream] = Counter()
        self._stream_bytes: Counter[Stream] = Counter()
        self._wake: Callable[[], None] = lambda: None
        self.bytes_held = 0
        """Payload bytes of what is claimed."""
        self.unwritten = 0
        """Outcomes that the spool has failed to take so far."""

    def __len__(self) -> int:
        """How many deliveries are claimed."""
        return len(self._held)

    def light(self, delivery: Delivery) -> Delivery:
        """The same delivery as it is kept here: without its payload."""
        return self._held[delivery.seq]

    def held(self, stream: Stream) -> int:
        """How many of that stream are claimed."""
        return self._counts[stream]

    def bytes_of(self, stream: Stream) -> int:
        """Payload bytes of those."""
        return self._stream_bytes[stream]

    def on_room(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when deliveries are given up, whatever became of them."""
        self._wake = wake

    def take(self, claimed: Iterable[Delivery]) -> list[Delivery]:
        """Take over a claim; those of it that are to be delivered.

        What is still held from a claim whose lease ran out is not delivered twice: it goes on under the new one.
        """
        fresh = []
        for each in claimed:
            known = each.seq in self._held
            self._held[each.seq] = _without_payload(each)
            if not known:
                self._add(each.stream, 1, len(each.hook.payload))
                self._bytes[each.seq] = len(each.hook.payload)
                fresh.append(each)
        return fresh

    async def renew(self, *, lease_s: float) -> None:
        """Extend every lease."""
        if not self._held:
            return
        try:
            await self._spool.renew(list(self._held.values()), lease_s=lease_s)
        except SPOOL_FAULTS as fault:
            self._failed("renew", fault)

    async def settle(self, deliveries: Sequence[Delivery], *, filtered: bool = False) -> None:
        """They are done; returns once the spool knows."""
        await self._write("settle", deliveries, lambda ours: self._spool.settle(ours, filtered=filtered))

    async def bury(self, burials: Sequence[Burial]) -> None:
        """They are dead letters; returns once the spool knows."""
        by_seq = {each.delivery.seq: each for each in burials}
        await self._write(
            "bury",
            [each.delivery for each in burials],
            lambda ours: self._spool.bury([replace(by_seq[each.seq], delivery=each) for each in ours]),
        )

    async def release(
        self,
        deliveries: Sequence[Delivery],
        *,
        retry_in_s: float,
        attempted: bool,
        ambiguous: bool = False,
        fault: str = "",
    ) -> None:
        """They are given back.

        That an attempt was ambiguous is written until the spool knows; the rest is tried once, for the lease
        runs out anyway.
        """

        def give_back(ours: Sequence[Delivery]) -> Awaitable[int]:
            return self._spool.release(
                ours, retry_in_s=retry_in_s, attempted=attempted, ambiguous=ambiguous, fault=fault
            )

        await self._write("release", deliveries, give_back, once=not ambiguous)

    async def _write(
        self,
        doing: str,
        deliveries: Sequence[Delivery],
        write: Callable[[Sequence[Delivery]], Awaitable[int]],
        *,
        once: bool = False,
    ) -> None:
        if not deliveries:
            return
        tries = 0
        self.unwritten += len(deliveries)
        try:
            while True:
                ours = [self._held.get(each.seq, each) for each in deliveries]
                try:
                    written = await write(ours)
                except SPOOL_FAULTS as fault:
                    self._failed(doing, fault)
                    if once:
                        break
                else:
                    if written < len(ours):
                        _log.warning("lease.lost", doing=doing, deliveries=len(ours) - written)
                    break
                tries += 1
                await asyncio.sleep(delay(tries, jitter=self._rng.random(), base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S))
        finally:
            self.unwritten -= len(deliveries)
        self._drop(deliveries)

    def _drop(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            if self._held.pop(each.seq, None) is not None:
                self._add(each.stream, -1, -self._bytes.pop(each.seq))
        self._wake()

    def _add(self, stream: Stream, count: int, size: int) -> None:
        self.bytes_held += size
        self._counts[stream] += count
        self._stream_bytes[stream] += size
        if not self._counts[stream]:
            del self._counts[stream], self._stream_bytes[stream]

    def _failed(self, doing: str, fault: Exception) -> None:
        self._observer.spool_failed(doing=doing)
        _log.warning("spool.failed", doing=doing, fault=str(fault))


def _without_payload(delivery: Delivery) -> Delivery:
    return replace(delivery, hook=replace(delivery.hook, payload=b"", dedup_keys=()))
