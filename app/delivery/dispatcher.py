"""Claims due deliveries from the spool, renders each as a hec_event and hands it to the sender of its destination."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from app.backoff import delay
from app.delivery.claims import RETRY_BASE_S, RETRY_CAP_S, SPOOL_FAULTS, safe_until
from app.delivery.destination import events
from app.delivery.destination.batch import PendingEvent
from app.delivery.destination.rate import START_HELD
from app.delivery.destination.sender import SHARE, DestinationSender
from app.delivery.evidence import PATIENCE_S, claim_trouble
from app.delivery.interfaces import DeliveryContext
from app.delivery.render import Rendered, Transform, render
from app.model import Burial, Cause, Delivery, Stream
from app.splunk.answers import Scope
from app.splunk.codes import Act
from app.spool.interface import Spool
from app.tenants.model import Destination, Snapshot

_log = structlog.get_logger()

CLAIM_MAX = 256
CLAIM_PER_STREAM = START_HELD
"""Most deliveries claimed of one stream at once, where several have some due. A stream that is alone gets more."""
CLAIM_S = 0.02
"""Longest time, in seconds, that a claim of one stream may take to distribute: another tenant's hook waits as long."""
BREATH_S = 0.02
"""Shortest pause, in seconds, between two claims that found little: what arrives meanwhile is claimed together."""
SLICE_S = 0.005
"""Longest time, in seconds, that distributing keeps the event loop from accepting."""
THREAD_FROM_BYTES = 262_144
"""Payloads of at least this size are transformed in a thread."""


class _Claim(NamedTuple):
    deliveries: list[Delivery]
    safe_until: float


class Dispatcher:
    """Owns the senders: one for each stream, made when it is first needed."""

    def __init__(
        self, spool: Spool, context: DeliveryContext, transform: Transform, *, steady: Callable[[], float]
    ) -> None:
        self.senders: dict[Stream, DestinationSender] = {}
        self._spool = spool
        self._context = context
        self._render = partial(render, transform=transform, event_bytes_max=context.limits.event_bytes_max)
        self._steady = steady
        self._ending: set[DestinationSender] = set()
        self._missing: dict[Stream, float] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tries = 0
        """Claims that failed in a row."""
        self._fault = ""
        """Why the last of them did; empty if none did."""
        self._round_at: float | None = None
        """When the spool last gave, or had nothing to give; or a slice of what it gave was distributed."""
        self._starved = False
        """The last claim was cut short by a limit of the relay's own."""
        self._alone = False
        """The last claim found one stream only, and as much of it as was asked for."""
        self._cost_s = CLAIM_S / CLAIM_PER_STREAM
        """Seconds that it lately took to distribute one delivery."""

    @property
    def trouble(self) -> str | None:
        """Why nothing is claimed, for readiness; ``None`` while the spool is asked and answers."""
        silent_s = None if self._round_at is None else time.monotonic() - self._round_at
        patience_s = max(PATIENCE_S, 3 * self._context.limits.poll_interval_s)
        return claim_trouble(silent_s=silent_s, fault=self._fault, patience_s=patience_s)

    def wake(self) -> None:
        """Look into the spool now: there may be something to claim."""
        self._wake.set()

    def room_made(self) -> None:
        """Claim again, if the last claim was cut short: deliveries are done, so that there is room."""
        if self._starved:
            self._wake.set()

    def pump_all(self) -> None:
        """Post what had to wait while leases were in doubt."""
        for sender in self.senders.values():
            sender.pump()

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns after what it is doing."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Claim and distribute until stopped."""
        limits, claims = self._context.limits, self._context.claims
        while not self._stopping.is_set():
            self._wake.clear()
            begun = time.monotonic()
            claim = await self._claim()
            if claim is None:
                await self._rest()
                continue
            took = time.monotonic() - begun
            await self._distribute(claims.take(claim.deliveries, safe_until=claim.safe_until))
            if len(claim.deliveries) >= CLAIM_PER_STREAM:
                continue
            if not self._starved:
                await asyncio.sleep(min(max(BREATH_S, took), limits.poll_interval_s))
            try:
                async with asyncio.timeout(limits.poll_interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _rest(self) -> None:
        """After the spool failed: leave it alone for a while."""
        self._tries += 1
        wait_s = delay(self._tries, jitter=self._context.rng.random(), base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()

    async def _claim(self) -> _Claim | None:
        """One claim; ``None`` if the spool failed."""
        limits, claims = self._context.limits, self._context.claims
        asked = time.monotonic()
        room = limits.in_flight_bytes_max - claims.bytes_held
        full = {stream for stream, sender in self.senders.items() if sender.full}
        self._starved = room <= 0 or any(self.senders[stream].starved for stream in full)
        if room <= 0:
            self._round_at = asked
            return _Claim([], asked)
        per_stream = self._per_stream(full)
        try:
            deliveries = await self._spool.claim(
                limit=CLAIM_MAX,
                per_stream=per_stream,
                bytes_max=min(room, limits.in_flight_bytes_max // SHARE),
                lease_s=limits.lease_s,
                busy=full | self._missing.keys(),
            )
        except SPOOL_FAULTS as fault:
            self._fault = str(fault)
            self._context.observer.spool_failed(doing="claim")
            _log.warning("spool.failed", doing="claim", fault=str(fault))
            return None
        self._tries, self._fault, self._round_at = 0, "", time.monotonic()
        self._alone = len(deliveries) >= per_stream and len({each.stream for each in deliveries}) == 1
        return _Claim(deliveries, safe_until(asked, limits.lease_s))

    def _per_stream(self, full: set[Stream]) -> int:
        """How many to claim of a stream; if it is alone, as many as ``CLAIM_S`` and the room of every sender allow."""
        if not self._alone:
            return CLAIM_PER_STREAM
        room = min((sender.room for stream, sender in self.senders.items() if stream not in full), default=0)
        return max(CLAIM_PER_STREAM, min(CLAIM_MAX, room, int(CLAIM_S / self._cost_s)))

    async def _distribute(self, deliveries: list[Delivery]) -> None:
        """Send every delivery one of four ways: into a lane, settled as filtered, buried, or back to the spool."""
        filtered: list[Delivery] = []
        burials: list[Burial] = []
        back: defaultdict[float, list[Delivery]] = defaultdict(list)
        touched: set[DestinationSender] = set()
        begun = slice_begun = self._steady()
        for delivery in deliveries:
            if delivery.unreadable:
                burials.append(Burial(delivery, Cause.UNREADABLE, delivery.unreadable))
                continue
            sender = self._sender(delivery.stream)
            if sender is None:
                back[0.0].append(delivery)
                continue
            if len(delivery.hook.payload) < THREAD_FROM_BYTES:
                made = self._render(delivery, sender.destination)
            else:
                made = await asyncio.to_thread(self._render, delivery, sender.destination)
            if isinstance(made, Rendered):
                hec_event = PendingEvent(
                    self._context.claims.without_payload(delivery), made.envelope, count=made.count
                )
                again_s = sender.put(hec_event, made.index)
                touched.add(sender)
                if again_s is not None:
                    back[round(again_s, 1)].append(delivery)
            elif isinstance(made, Burial):
                burials.append(made)
            else:
                filtered.append(delivery)
            if self._steady() - slice_begun > SLICE_S:
                self._pump(touched)
                await asyncio.sleep(0)
                slice_begun, self._round_at = self._steady(), time.monotonic()
        self._pump(touched)
        self._write(filtered, burials, back)
        if deliveries:
            self._cost_s += ((self._steady() - begun) / len(deliveries) - self._cost_s) / 4

    @staticmethod
    def _pump(senders: set[DestinationSender]) -> None:
        for sender in senders:
            sender.pump()
        senders.clear()

    def _write(self, filtered: list[Delivery], burials: list[Burial], back: dict[float, list[Delivery]]) -> None:
        """Write these outcomes, without waiting for the spool."""
        claims, spawn = self._context.claims, self._context.spawn
        if filtered:
            spawn(claims.settle(filtered, filtered=True), "settle")
            for stream, count in Counter(each.stream for each in filtered).items():
                self._context.observer.filtered(stream, count=count)
        if burials:
            for burial in burials:
                events.buried(burial)
            spawn(claims.bury(burials), "bury")
            causes = Counter((each.delivery.stream, each.cause) for each in burials)
            for (stream, cause), count in causes.items():
                self._context.observer.buried(stream, cause=cause, count=count)
        for retry_in_s, deliveries in back.items():
            spawn(claims.release(deliveries, retry_in_s=retry_in_s), "release")

    def _sender(self, stream: Stream) -> DestinationSender | None:
        """The sender of a stream; ``None`` if the tenants file does not name its destination.

        Such a stream is not claimed again before the tenants change.
        """
        sender = self.senders.get(stream)
        if sender is not None:
            return sender
        destination = self._context.tenants.snapshot.destination(stream.tenant, stream.destination)
        if destination is None:
            self._missing.setdefault(stream, self._context.clock())
            return None
        sender = self.senders[stream] = DestinationSender(destination, self._context)
        return sender

    def changed(self, snapshot: Snapshot) -> None:
        """Follow a new snapshot: senders whose destination is reached in another way now, or is gone, end."""
        self._missing.clear()
        for stream, sender in list(self.senders.items()):
            destination = snapshot.destination(stream.tenant, stream.destination)
            if destination is not None and _same_way(sender.destination, destination):
                sender.destination = destination
            else:
                for state in sender.states():
                    if state.scope is not Scope.NONE:
                        events.superseded(state, after_s=self._context.clock() - state.since)
                self._end(stream, sender)
        self._wake.set()

    def sweep(self, *, idle_s: float) -> None:
        """End senders that were idle for ``idle_s`` seconds, and forget those that have ended."""
        self._ending = {each for each in self._ending if not each.ended}
        now = asyncio.get_running_loop().time()
        for stream, sender in list(self.senders.items()):
            since = sender.idle_since()
            if since is not None and now - since > idle_s:
                self._end(stream, sender)

    def _end(self, stream: Stream, sender: DestinationSender) -> None:
        del self.senders[stream]
        self._ending.add(sender)
        sender.end()

    def end_all(self) -> set[DestinationSender]:
        """End every sender; returns those that were ended now or before and are not forgotten yet."""
        for stream, sender in list(self.senders.items()):
            self._end(stream, sender)
        return self._ending

    def states_of(self, stream: Stream) -> list[events.LaneState]:
        """What of one stream is paused just now, and why."""
        sender = self.senders.get(stream)
        return [] if sender is None else [state for state in sender.states() if state.scope is not Scope.NONE]

    def states(self) -> list[events.LaneState]:
        """What does not deliver just now, and why; what pauses comes first."""
        found = [state for sender in self.senders.values() for state in sender.states()]
        found += [
            events.LaneState(
                stream=stream,
                scope=Scope.DESTINATION,
                index=None,
                state="missing",
                words="deliveries wait for a destination that the tenants file does not name any more",
                act=Act.TENANT.value,
                since=since,
            )
            for stream, since in self._missing.items()
        ]
        return sorted(found, key=lambda each: each.scope is Scope.NONE)  # first what pauses


def _same_way(old: Destination, new: Destination) -> bool:
    """Whether both are reached in the same way under the same hec_token, certificates and proxy's credentials too."""
    return all(getattr(old, name) == getattr(new, name) for name in ("urls", "tls", "proxy", "ack", "hec_token"))
