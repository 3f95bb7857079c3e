"""Claimed deliveries and their outcomes. An outcome is written to the spool again and again until the spool takes it.

A spool that fails for a while (a full disk) must neither stop delivering nor make it send again what Splunk took: a
delivery that is done is remembered here until the spool knows, even if its lease runs out meanwhile.
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
"""What an engine raises while it cannot do its work."""


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
        """Numbers of deliveries that are held here but belong to somebody else by now; they are not posted any more."""
        self.bytes_held = 0
        """Payload bytes of all claimed deliveries."""
        self._unwritten = 0
        """How many outcomes are on their way to the spool."""
        self._fault = ""
        """Why the spool did not take the last one; empty if it did."""

    def __len__(self) -> int:
        """How many deliveries are claimed."""
        return len(self._held)

    def without_payload(self, delivery: Delivery) -> Delivery:
        """Drop the payload of a held delivery, which the spool still has, and return it without."""
        light = self._held[delivery.seq] = _without_payload(delivery)
        return light

    def held(self, stream: Stream) -> int:
        """How many deliveries of a stream are claimed."""
        return self._counts[stream]

    def bytes_of(self, stream: Stream) -> int:
        """Payload bytes of a stream's claimed deliveries."""
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
        """Have ``wake`` called whenever claimed deliveries are done, whatever became of them."""
        self._wake = wake

    @property
    def lease_is_safe(self) -> bool:
        """Whether every lease still holds by this clock. While one may have run out, nothing is posted."""
        return time.monotonic() < self._safe_until

    def take(self, claimed: Iterable[Delivery], *, safe_until: float = math.inf) -> list[Delivery]:
        """Take over a claim and return the deliveries that are new here. ``safe_until`` is on ``time.monotonic``.

        A delivery that is still held from an earlier claim is not delivered twice: it goes on under the new lease.
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
        """Extend every lease. Deliveries that belong to somebody else by now become ``stolen``."""
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
        """Drop deliveries that were stolen before they were posted: whoever has them now posts them."""
        _log.warning("lease.lost", doing="post", deliveries=len(deliveries))
        self._drop(deliveries)

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> None:
        """Write that deliveries are done after these posts; returns once the spool knows."""
        await self._write("settle", deliveries, lambda ours: self._spool.settle(ours, filtered=filtered, tried=tried))

    async def bury(self, burials: Sequence[Burial]) -> None:
        """Write that deliveries are dead letters; returns once the spool knows."""
        by_seq = {each.delivery.seq: each for each in burials}
        await self._write(
            "bury",
            [each.delivery for each in burials],
            lambda ours: self._spool.bury([replace(by_seq[each.seq], delivery=each) for each in ours]),
        )

    async def release(
        self, deliveries: Sequence[Delivery], *, retry_in_s: float, tried: Sequence[Attempt] = (), fault: str = ""
    ) -> None:
        """Give deliveries back after these posts.

        If one of the posts was ambiguous, this is written until the spool knows. Otherwise it is tried once: the lease
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
        """Add deliveries to the counts (``sign`` 1), or take them off (-1)."""
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
    """Until when what was claimed or renewed at ``begun`` is surely ours: half the lease, the rest is for a post."""
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
