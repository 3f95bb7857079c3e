"""What is claimed and what became of it. What happened is written to the spool until the spool takes it.

A spool that fails for a while (a full disk) must neither end delivering nor make it send twice what Splunk took: a
delivery that is done is remembered here until the spool knows it, also if its lease runs out meanwhile.
"""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

import structlog

from app.backoff import delay
from app.delivery.observer import Observer
from app.errors import RelayError
from app.model import Attempt, Burial, Delivery, Hook, Stream
from app.spool.interface import Spool

_log = structlog.get_logger()

RETRY_BASE_S = 0.1
RETRY_CAP_S = 5.0
SPOOL_FAULTS = (RelayError, OSError)
"""What an engine may raise when it cannot do its work just now."""


class Claims:
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
        self._safe_until = math.inf
        self.stolen: set[int] = set()
        """Held here, and by now somebody else's: not to be posted. What is posted already ends as it may."""
        self.bytes_held = 0
        """Payload bytes of what is claimed."""
        self._unwritten = 0
        """Outcomes on their way to the spool."""
        self._fault = ""
        """Why it did not take the last of them; empty if it did."""

    def __len__(self) -> int:
        """How many deliveries are claimed."""
        return len(self._held)

    def without_payload(self, delivery: Delivery) -> Delivery:
        """The same delivery without its payload, and so it is kept here from now on: the spool keeps the payload."""
        light = self._held[delivery.seq] = _without_payload(delivery)
        return light

    def held(self, stream: Stream) -> int:
        """How many of that stream are claimed."""
        return self._counts[stream]

    def bytes_of(self, stream: Stream) -> int:
        """Payload bytes of those."""
        return self._stream_bytes[stream]

    @property
    def trouble(self) -> str | None:
        """In words: how many outcomes cannot be written to the spool just now, and why nothing is posted."""
        words = []
        if self._unwritten and self._fault:
            done = f"what became of {self._unwritten} deliveries cannot be written to the spool"
            words.append(f"{done}, and is remembered until it can: {self._fault}")
        if self._held and not self.lease_is_safe:
            words.append(
                f"nothing is posted: the leases of {len(self._held)} claimed deliveries could not be renewed, so that "
                "another relay may have them"
            )
        return "; ".join(words) or None

    def __repr__(self) -> str:
        """What is held, in one line."""
        leases = "leases safe" if self.lease_is_safe else "leases in doubt"
        return (
            f"<Claims {len(self._held)} deliveries of {len(self._counts)} streams, {self.bytes_held} bytes, "
            f"{len(self.stolen)} stolen, {self._unwritten} outcomes unwritten, {leases}>"
        )

    def on_room(self, wake: Callable[[], None]) -> None:
        """Have ``wake`` called when deliveries are given up, whatever became of them."""
        self._wake = wake

    @property
    def lease_is_safe(self) -> bool:
        """Whether no lease has run out, as far as this clock knows. While it may have, nothing is to be posted."""
        return time.monotonic() < self._safe_until

    def take(self, claimed: Iterable[Delivery], *, safe_until: float = math.inf) -> list[Delivery]:
        """Take over a claim; those of it that are to be delivered. ``safe_until`` is on ``time.monotonic``.

        What is still held from a claim whose lease ran out is not delivered twice: it goes on under the new one.
        """
        if not self._held:
            self._safe_until = safe_until  # what is held already runs out sooner
        held, sizes = self._held, self._bytes
        fresh = []
        for delivery in claimed:
            if delivery.seq in held:
                held[delivery.seq] = _without_payload(delivery)
                self.stolen.discard(delivery.seq)
            else:
                held[delivery.seq] = delivery
                sizes[delivery.seq] = len(delivery.hook.payload)
                fresh.append(delivery)
        self._count(fresh, [sizes[each.seq] for each in fresh], 1)
        return fresh

    async def renew(self, *, lease_s: float) -> None:
        """Extend every lease; what is somebody else's by now is ``stolen``."""
        asked = list(self._held.values())
        if not asked:
            return
        begun = time.monotonic()
        try:
            ours = await self._spool.renew(asked, lease_s=lease_s)
        except SPOOL_FAULTS as fault:
            self._failed("renew", fault)
            return
        self._safe_until = safe_until(begun, lease_s)
        # What was settled or claimed anew meanwhile is none of those.
        self.stolen.update(each.seq for each in asked if each.seq not in ours and self._held.get(each.seq) is each)

    def forget(self, deliveries: Sequence[Delivery]) -> None:
        """They are lost and were not posted: whoever has them now sends them."""
        _log.warning("lease.lost", doing="post", deliveries=len(deliveries))
        self._drop(deliveries)

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> None:
        """They are done, after these posts; returns once the spool knows."""
        await self._write("settle", deliveries, lambda ours: self._spool.settle(ours, filtered=filtered, tried=tried))

    async def bury(self, burials: Sequence[Burial]) -> None:
        """They are dead letters; returns once the spool knows."""
        by_seq = {each.delivery.seq: each for each in burials}
        await self._write(
            "bury",
            [each.delivery for each in burials],
            lambda ours: self._spool.bury([replace(by_seq[each.seq], delivery=each) for each in ours]),
        )

    async def release(
        self, deliveries: Sequence[Delivery], *, retry_in_s: float, tried: Sequence[Attempt] = (), fault: str = ""
    ) -> None:
        """They are given back, after these posts.

        That one of those was ambiguous is written until the spool knows; the rest is tried once, for the lease
        runs out anyway.
        """

        def give_back(ours: Sequence[Delivery]) -> Awaitable[int]:
            return self._spool.release(ours, retry_in_s=retry_in_s, tried=tried, fault=fault)

        await self._write("release", deliveries, give_back, once=not any(each.ambiguous for each in tried))

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
        ours = deliveries
        anew: list[Delivery] = []
        self._unwritten += len(deliveries)
        try:
            while True:
                ours = [self._held.get(each.seq, each) for each in ours]
                try:
                    written = await write(ours)
                except SPOOL_FAULTS as fault:
                    self._failed(doing, fault)
                    self._fault = str(fault)
                    if once:
                        break
                else:
                    self._fault = ""
                    anew = self._claimed_anew(ours)
                    if anew and doing == "settle":
                        ours, anew = anew, []  # what is settled cannot be claimed: it has to be said under that claim
                        continue
                    if written < len(ours):
                        _log.warning("lease.lost", doing=doing, deliveries=len(ours) - written)
                    break
                tries += 1
                await asyncio.sleep(delay(tries, jitter=self._rng.random(), base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S))
        finally:
            self._unwritten -= len(deliveries)
        self._drop(deliveries)
        if anew:
            await self._give_back(anew)

    def _claimed_anew(self, written: Sequence[Delivery]) -> list[Delivery]:
        """Those that are under another claim by now than the one that was just written.

        What is released or redelivered is claimed again at once, and that answer may come before the writing's own.
        """
        held = [self._held.get(each.seq, each) for each in written]
        return [now for now, before in zip(held, written, strict=True) if now.lease != before.lease]

    async def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Nobody here delivers what ``take`` held for done: have it claimed once more, now and not after its lease."""
        try:
            await self._spool.release(deliveries, retry_in_s=0)
        except SPOOL_FAULTS as fault:
            self._failed("release", fault)

    def _drop(self, deliveries: Sequence[Delivery]) -> None:
        ours = [each for each in deliveries if self._held.pop(each.seq, None) is not None]
        if self.stolen:
            self.stolen.difference_update(each.seq for each in ours)
        self._count(ours, [self._bytes.pop(each.seq) for each in ours], -1)
        self._wake()

    def _count(self, deliveries: Sequence[Delivery], sizes: Sequence[int], sign: int) -> None:
        """Book them in (``sign`` 1) or out (-1)."""
        self.bytes_held += sign * sum(sizes)
        by_stream: defaultdict[Stream, list[int]] = defaultdict(list)
        for delivery, size in zip(deliveries, sizes, strict=True):
            by_stream[delivery.stream].append(size)
        for stream, stream_sizes in by_stream.items():
            self._counts[stream] += sign * len(stream_sizes)
            self._stream_bytes[stream] += sign * sum(stream_sizes)
            if not self._counts[stream]:
                del self._counts[stream], self._stream_bytes[stream]

    def _failed(self, doing: str, fault: Exception) -> None:
        self._observer.spool_failed(doing=doing)
        _log.warning("spool.failed", doing=doing, fault=str(fault))


def safe_until(begun: float, lease_s: float) -> float:
    """Until when nobody else can have what was claimed or renewed at ``begun``, with time left for a post."""
    return begun + lease_s / 2


def _without_payload(delivery: Delivery) -> Delivery:
    """As ``dataclasses.replace`` would, in half the time."""
    hook = delivery.hook
    return Delivery(
        seq=delivery.seq,
        lease=delivery.lease,
        stream=delivery.stream,
        hook=Hook(
            delivery_id=hook.delivery_id,
            tenant=hook.tenant,
            installation=hook.installation,
            sender=hook.sender,
            resource=hook.resource,
            sent_at=hook.sent_at,
            request_id=hook.request_id,
            idempotency_key=hook.idempotency_key,
            verified_with=hook.verified_with,
            received_at=hook.received_at,
            payload=b"",
        ),
        attempts=delivery.attempts,
        ambiguous=delivery.ambiguous,
    )
