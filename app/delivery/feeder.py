"""Takes due deliveries from the spool, turns each into an encoded hec_event and hands it to its outlet."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import structlog

from app.delivery import words
from app.delivery.batch import Parcel
from app.delivery.ledger import SPOOL_FAULTS
from app.delivery.outlet import SHARE, Outlet
from app.delivery.ports import Shared
from app.errors import EnvelopeFault
from app.model import Burial, Cause, Delivery, Hook, Stream
from app.splunk.answers import Scope
from app.splunk.codes import Act
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.spool.interface import Spool
from app.tenants.model import Destination, Snapshot
from app.transform import Filtered

_log = structlog.get_logger()

CLAIM_MAX = 256
CLAIM_PER_STREAM = 64
BREATH_S = 0.02
"""Between two claims when there is not much to do: what comes in meanwhile is claimed together."""
SLICE_S = 0.005
"""The event loop is given back at least this often, so that accepting is not held up."""
THREAD_FROM_BYTES = 262_144
"""Payloads from this size on are transformed in a thread."""

Transform = Callable[..., HecEvent | Filtered]
"""``transform(hook, destination, *, event_bytes_max)``: pure."""


class Feeder:
    """Owns the outlets, one a stream, made when they are needed."""

    def __init__(self, spool: Spool, shared: Shared, transform: Transform) -> None:
        self.outlets: dict[Stream, Outlet] = {}
        self._spool = spool
        self._shared = shared
        self._transform = transform
        self._ending: set[Outlet] = set()
        self._missing: dict[Stream, float] = {}
        self._wake = asyncio.Event()
        self._stopped = False
        self._starved = False
        """Something could not be claimed because of a limit of ours."""

    def wake(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    def room(self) -> None:
        """Something that was claimed is done."""
        if self._starved:
            self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns after what it is doing."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Feed until stopped."""
        loop = asyncio.get_running_loop()
        pace = self._shared.pace
        while not self._stopped:
            self._wake.clear()
            begun = loop.time()
            claimed = await self._claim()
            took = loop.time() - begun
            await self._distribute(claimed)
            if len(claimed) >= CLAIM_PER_STREAM:
                await asyncio.sleep(0)
                continue
            await asyncio.sleep(min(max(BREATH_S, took), pace.poll_interval_s))
            try:
                async with asyncio.timeout(pace.poll_interval_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _claim(self) -> list[Delivery]:
        pace, ledger = self._shared.pace, self._shared.ledger
        room = pace.in_flight_bytes_max - ledger.bytes_held
        full = {stream for stream, outlet in self.outlets.items() if outlet.full}
        self._starved = room <= 0 or bool(full)
        if room <= 0:
            return []
        try:
            return await self._spool.claim(
                limit=CLAIM_MAX,
                per_stream=CLAIM_PER_STREAM,
                bytes_max=min(room, pace.in_flight_bytes_max // SHARE),
                lease_s=pace.lease_s,
                busy=full | self._missing.keys(),
            )
        except SPOOL_FAULTS as fault:
            self._shared.observer.spool_failed(doing="claim")
            _log.warning("spool.failed", doing="claim", fault=str(fault))
            return []

    async def _distribute(self, claimed: list[Delivery]) -> None:
        """Every delivery goes one of four ways: into a lane, settled as filtered, buried, or back."""
        loop = asyncio.get_running_loop()
        filtered: list[Delivery] = []
        burials: list[Burial] = []
        back: defaultdict[float, list[Delivery]] = defaultdict(list)
        begun = loop.time()
        for delivery in self._shared.ledger.take(claimed):
            outlet = self._outlet(delivery.stream)
            if outlet is None:
                back[0.0].append(delivery)
                continue
            made = await self._make(delivery, outlet.destination)
            match made:
                case Filtered():
                    filtered.append(delivery)
                case Burial():
                    burials.append(made)
                case (index, parcel):
                    again_s = outlet.put(parcel, index)
                    if again_s is not None:
                        back[round(again_s, 1)].append(delivery)
            if loop.time() - begun > SLICE_S:
                await asyncio.sleep(0)
                begun = loop.time()
        self._write(filtered, burials, back)

    def _write(self, filtered: list[Delivery], burials: list[Burial], back: dict[float, list[Delivery]]) -> None:
        """Have the spool know, without waiting for it."""
        ledger, spawn = self._shared.ledger, self._shared.spawn
        if filtered:
            spawn(ledger.settle(filtered, filtered=True), "settle")
            self._count(filtered, lambda stream, count: self._shared.observer.filtered(stream, count=count))
        if burials:
            for each in burials:
                words.buried(each)
            spawn(ledger.bury(burials), "bury")
            self._count(
                [each.delivery for each in burials],
                lambda stream, count: self._shared.observer.buried(stream, cause=Cause.UNTRANSFORMABLE, count=count),
            )
        for retry_in_s, deliveries in back.items():
            spawn(ledger.release(deliveries, retry_in_s=retry_in_s, attempted=False), "release")

    @staticmethod
    def _count(deliveries: list[Delivery], tell: Callable[[Stream, int], None]) -> None:
        counts: defaultdict[Stream, int] = defaultdict(int)
        for each in deliveries:
            counts[each.stream] += 1
        for stream, count in counts.items():
            tell(stream, count)

    async def _make(
        self, delivery: Delivery, destination: Destination
    ) -> Filtered | Burial | tuple[str | None, Parcel]:
        """The hec_event of a delivery, encoded, with the index it is for."""
        try:
            made = await self._transformed(delivery.hook, destination)
            if isinstance(made, Filtered):
                return made
            # Only what Splunk may have already is marked as another attempt.
            attempt = delivery.attempts + 1 if delivery.ambiguous else 1
            envelope = encode(made, delivery_id=delivery.hook.delivery_id, attempt=attempt)
        except EnvelopeFault as fault:
            return Burial(delivery, Cause.UNTRANSFORMABLE, str(fault), attempted=False)
        except Exception as fault:  # noqa: BLE001  a bug met by one hook must not end the delivery of all others
            _log.exception("transform.failed", delivery_id=delivery.hook.delivery_id)
            words_ = f"transform failed with {type(fault).__name__}"
            return Burial(delivery, Cause.UNTRANSFORMABLE, words_, attempted=False)
        return made.index, Parcel(self._shared.ledger.light(delivery), envelope)

    async def _transformed(self, hook: Hook, destination: Destination) -> HecEvent | Filtered:
        event_bytes_max = self._shared.pace.event_bytes_max
        if len(hook.payload) < THREAD_FROM_BYTES:
            return self._transform(hook, destination, event_bytes_max=event_bytes_max)
        return await asyncio.to_thread(self._transform, hook, destination, event_bytes_max=event_bytes_max)

    def _outlet(self, stream: Stream) -> Outlet | None:
        """The outlet of a stream; ``None`` if the tenants file does not name its destination.

        Such a stream is not claimed again before the tenants change.
        """
        outlet = self.outlets.get(stream)
        if outlet is not None:
            return outlet
        destination = self._shared.tenants.snapshot.destination(stream.tenant, stream.destination)
        if destination is None:
            self._missing.setdefault(stream, self._shared.clock())
            return None
        outlet = self.outlets[stream] = Outlet(destination, self._shared)
        return outlet

    def changed(self, snapshot: Snapshot) -> None:
        """New tenants are in force: outlets whose destination is another now, or none, end."""
        self._missing.clear()
        for stream, outlet in list(self.outlets.items()):
            destination = snapshot.destination(stream.tenant, stream.destination)
            if destination is not None and _same_way(outlet.destination, destination):
                outlet.destination = destination
            else:
                self._end(stream, outlet)
        self._wake.set()

    def sweep(self, *, idle_s: float) -> None:
        """End outlets that have had nothing to do for so long, forget those that have ended."""
        self._ending = {each for each in self._ending if not each.ended}
        now = asyncio.get_running_loop().time()
        for stream, outlet in list(self.outlets.items()):
            since = outlet.idle_since()
            if since is not None and now - since > idle_s:
                self._end(stream, outlet)

    def _end(self, stream: Stream, outlet: Outlet) -> None:
        del self.outlets[stream]
        self._ending.add(outlet)
        outlet.end()

    def end_all(self) -> set[Outlet]:
        """End every outlet; all that were ended, lately or now."""
        for stream, outlet in list(self.outlets.items()):
            self._end(stream, outlet)
        return self._ending

    def states(self) -> list[words.LaneState]:
        """What does not deliver just now, and why."""
        found = [state for outlet in self.outlets.values() for state in outlet.states()]
        found += [
            words.LaneState(
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
    """Whether both are reached in the same way under the same hec_token."""
    return (old.urls, old.tls, old.ack, old.hec_token) == (new.urls, new.tls, new.ack, new.hec_token)
