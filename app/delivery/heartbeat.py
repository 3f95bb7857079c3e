"""Heartbeats: the relay tells each Splunk how its destination is, so that a quiet Sentry is told from a dead relay.

Best effort: a heartbeat has a connection of its own, is tried once and is never spooled, so that it delays nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from app import __version__
from app.delivery.claims import SPOOL_FAULTS
from app.delivery.destination.events import LaneState
from app.delivery.interfaces import DeliveryContext
from app.delivery.tally import Posts
from app.model import Stream, StreamCounts
from app.splunk.answers import Outcome, judge
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.spool.interface import Spool
from app.tenants.model import Destination, Snapshot
from app.transform.own_event import own_event

_log = structlog.get_logger()

TICK_S = 5.0
"""How often, in seconds, it is looked which heartbeats are due: for those together, the spool is asked once."""
FIRST_S = 10.0
"""Within so many seconds of a start each destination gets its first heartbeat, at a moment of its own."""
AT_ONCE_MAX = 8
"""Heartbeats under way."""
PAUSED_CHARS_MAX = 500

Books = Mapping[Stream, StreamCounts]


def heartbeat(
    destination: Destination,
    books: Mapping[str, int],
    *,
    posts: Posts,
    states: Sequence[LaneState],
    at: float,
    host: str,
) -> HecEvent:
    """The hec_event of one heartbeat at ``at`` (Unix seconds). Pure.

    ``books`` is empty while the spool cannot be read. ``paused`` is there only while something is, in words.
    """
    facts: dict[str, object] = {"version": __version__, **books, "resent": posts.resent}
    if states:
        facts["paused"] = "; ".join(str(state) for state in states)[:PAUSED_CHARS_MAX]
    facts["hec_codes"] = dict(sorted(posts.hec_codes.items()))
    return own_event(destination, "heartbeat", facts, index=destination.index, at=at, host=host)


class Heartbeats:
    """Sends one every so often to each destination that asks for them."""

    def __init__(
        self, spool: Spool, context: DeliveryContext, states: Callable[[Stream], Sequence[LaneState]], *, host: str
    ) -> None:
        self._spool = spool
        self._context = context
        self._states = states
        self._host = host
        self._due: dict[Stream, float] = {}
        """When the next one is due, on the event loop's clock."""
        self._looked_at: Snapshot | None = None
        self._found: Mapping[Stream, Destination] = {}
        self._sent: Counter[Stream] = Counter()
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            wanted = self._wanted()
            shortest_s = min((each.heartbeat_s or TICK_S for each in wanted.values()), default=TICK_S)
            await asyncio.sleep(min(TICK_S, shortest_s / 4))
            due = self._take_due(wanted, asyncio.get_running_loop().time())
            if due:
                books = await self._books()
                for destination in due:
                    self._context.spawn(self._beat(destination, books), "heartbeat")

    def _wanted(self) -> Mapping[Stream, Destination]:
        """Every destination that asks for heartbeats and can be posted to; looked for once a snapshot."""
        snapshot = self._context.tenants.snapshot
        if self._looked_at is not snapshot:
            self._looked_at = snapshot
            self._found = {
                Stream(tenant.name, destination.name): destination
                for tenant in snapshot.tenants.values()
                for destination in tenant.destinations
                if destination.heartbeat_s is not None and destination.hec_token is not None
            }
        return self._found

    def _take_due(self, wanted: Mapping[Stream, Destination], now: float) -> list[Destination]:
        """Those whose turn it is; the next one is an interval later, whatever becomes of this one."""
        if self._due.keys() != wanted.keys():
            self._due = {
                stream: self._due.get(stream, now + self._context.rng.random() * min(FIRST_S, each.heartbeat_s or 0))
                for stream, each in wanted.items()
            }
            self._context.tally.keep(wanted.keys())
        due = [stream for stream, at in self._due.items() if at <= now]
        for stream in due:
            self._due[stream] = now + (wanted[stream].heartbeat_s or 0)
        return [wanted[stream] for stream in due]

    async def _books(self) -> Books | None:
        """The books of every stream; ``None`` while the spool cannot be read, which is told elsewhere."""
        try:
            return {counts.stream: counts for counts in (await self._spool.stats()).streams}
        except SPOOL_FAULTS:
            return None

    async def _beat(self, destination: Destination, books: Books | None) -> None:
        stream, hec_token = Stream(destination.tenant, destination.name), destination.hec_token
        if hec_token is None:
            return
        async with self._turns:
            now = self._context.clock()
            hec_event = heartbeat(
                destination,
                {} if books is None else await self._facts(stream, books.get(stream), now),
                posts=self._context.tally.take(stream),
                states=self._states(stream),
                at=now,
                host=self._host,
            )
            # Each of several addresses in turn; without acks, since nobody would ask for this one.
            url = destination.urls[self._sent[stream] % len(destination.urls)]
            self._sent[stream] += 1
            client = self._context.open_client(replace(destination, url=url, more_urls=(), ack=None))
            try:
                answer = await client.post(encode(hec_event), hec_token=hec_token, gzip_level=0)
            finally:
                await client.close()
        verdict = judge(answer, 1)
        if verdict.outcome is not Outcome.DELIVERED:
            _log.warning("heartbeat.failed", tenant=stream.tenant, destination=stream.destination, words=verdict.words)

    async def _facts(self, stream: Stream, counts: StreamCounts | None, now: float) -> dict[str, int]:
        """What the books say of a stream; all of it is zero before its first delivery."""
        if counts is None:
            return dict.fromkeys(("waiting", "oldest_waiting_s", "dead", "delivered"), 0)
        oldest_at = None
        if counts.waiting:
            try:
                oldest_at = await self._spool.oldest_waiting(stream)
            except SPOOL_FAULTS:
                return {}
        waited_s = 0 if oldest_at is None else int(max(0.0, now - oldest_at))
        return {
            "waiting": counts.waiting,
            "oldest_waiting_s": waited_s,
            "dead": counts.dead,
            "delivered": counts.delivered,
        }
