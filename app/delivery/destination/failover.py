"""Several addresses of one Splunk as one client: they are used in turn, and one that fails is left out for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog
from typing_extensions import override

from app.backoff import delay
from app.delivery.destination.breaker import Breaker, BreakerState, half_opened, left_s, opened, succeeded
from app.delivery.destination.events import LaneState
from app.delivery.interfaces import DeliveryContext, HecTransport
from app.model import Secret, Stream
from app.splunk.answers import Answer, Scope, at_fault, elsewhere, judge
from app.splunk.codes import Act
from app.tenants.model import Destination

_log = structlog.get_logger()

_OF = "/"
"""Stands between the number of an address and one of its channels."""


class _Address:
    """One address, and whether it works."""

    __slots__ = ("act", "breaker", "client", "since", "url", "words")

    def __init__(self, url: str, client: HecTransport) -> None:
        self.url = url
        self.client = client
        self.breaker = Breaker()
        self.words = ""
        """Why it is left out."""
        self.act = Act.NOBODY
        """Who can mend it."""
        self.since = 0.0
        """Since when, in Unix seconds."""

    @property
    def left_out(self) -> bool:
        """Whether it is left out, or tried by one request."""
        return self.breaker.state is not BreakerState.CLOSED


class FailoverClient(HecTransport):
    """A ``HecTransport`` over several; ``spare`` of an answer says whether another address works.

    What an address surely did not take goes to the next one at once; what it may have taken is answered, as one
    client would. An address that fails is left out with a growing pause, then one request tries it. Once all are
    left out, the one whose turn comes first is asked.
    """

    def __init__(self, stream: Stream, clients: Sequence[tuple[str, HecTransport]], context: DeliveryContext) -> None:
        self._stream = stream
        self._addresses = [_Address(url, client) for url, client in clients]
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._turn = 0

    @override
    async def post(self, body: bytes, *, hec_token: Secret, gzip_level: int) -> Answer:
        return await self._ask(lambda client: client.post(body, hec_token=hec_token, gzip_level=gzip_level))

    @override
    async def probe(self, *, hec_token: Secret) -> Answer:
        return await self._ask(lambda client: client.probe(hec_token=hec_token))

    @override
    async def poll(self, ack_ids: Sequence[int], *, channel: str, hec_token: Secret) -> Answer:
        number, guid = channel.split(_OF, 1)
        return await self._addresses[int(number)].client.poll(ack_ids, channel=guid, hec_token=hec_token)

    @property
    @override
    def channels(self) -> frozenset[str]:
        rows = enumerate(self._addresses)
        return frozenset(f"{number}{_OF}{guid}" for number, each in rows for guid in each.client.channels)

    @override
    def renew(self, channel: str) -> None:
        number, guid = channel.split(_OF, 1)
        self._addresses[int(number)].client.renew(guid)

    @override
    async def close(self) -> None:
        self._context.observer.left_out(self._stream, addresses=0)
        for address in self._addresses:
            await address.client.close()

    def states(self) -> list[LaneState]:
        """For readiness: the addresses left out while others work. If none works, the destination pauses."""
        if all(each.left_out for each in self._addresses):
            return []
        return [
            LaneState(
                stream=self._stream,
                scope=Scope.NONE,
                index=None,
                state="left_out",
                words=f"works through other addresses, {address.url} is left out: {address.words}",
                act=address.act.value,
                since=address.since,
            )
            for address in self._addresses
            if address.left_out
        ]

    def _tell(self) -> None:
        self._context.observer.left_out(self._stream, addresses=sum(each.left_out for each in self._addresses))

    async def _ask(self, ask: Callable[[HecTransport], Awaitable[Answer]]) -> Answer:
        asked: set[_Address] = set()
        while True:
            address = self._next(asked)
            asked.add(address)
            answer = await ask(address.client)
            if answer.channel:
                answer = replace(answer, channel=f"{self._addresses.index(address)}{_OF}{answer.channel}")
            if not at_fault(answer):
                self._record_success(address)
                return answer
            self._eject(address, answer)
            spare = any(each.breaker.state is BreakerState.CLOSED for each in self._addresses if each not in asked)
            if not (spare and elsewhere(answer)):
                return replace(answer, spare=spare)

    def _next(self, asked: set[_Address]) -> _Address:
        """The next address not asked yet: one that works, or whose pause is over, or else whose pause ends first."""
        now = self._loop.time()
        count = len(self._addresses)
        row = [self._addresses[(self._turn + step) % count] for step in range(count)]
        row = [each for each in row if each not in asked]
        found = next((each for each in row if self._may(each, now)), None)
        if found is None:
            found = min(row, key=lambda each: left_s(each.breaker, now=now))
        self._turn = (self._addresses.index(found) + 1) % count
        return found

    @staticmethod
    def _may(address: _Address, now: float) -> bool:
        """Whether a request may go there: it works, or its pause is over and nobody tries it yet."""
        if address.breaker.state is BreakerState.OPEN:
            address.breaker = half_opened(address.breaker, now=now)
            return address.breaker.state is BreakerState.HALF_OPEN
        return address.breaker.state is BreakerState.CLOSED

    def _record_success(self, address: _Address) -> None:
        before, address.breaker = address.breaker, succeeded(address.breaker)
        if before.state is not BreakerState.CLOSED and address.breaker.state is BreakerState.CLOSED:
            self._tell()
            _log.info(
                "address.returned", tenant=self._stream.tenant, destination=self._stream.destination, url=address.url
            )

    def _eject(self, address: _Address, answer: Answer) -> None:
        wait = delay(
            address.breaker.openings + 1,
            jitter=self._context.rng.random(),
            base_s=self._context.limits.retry_base_s * 2,
            cap_s=self._context.limits.retry_max_s,
        )
        fresh = address.breaker.state is BreakerState.CLOSED
        address.breaker = opened(address.breaker, now=self._loop.time(), wait_s=wait)
        verdict = judge(answer, 1)
        address.words, address.act = verdict.words, verdict.act
        if fresh:
            address.since = self._context.clock()
            self._tell()
            _log.warning(
                "address.ejected",
                tenant=self._stream.tenant,
                destination=self._stream.destination,
                url=address.url,
                words=address.words,
                again_in_s=round(wait, 2),
            )


def open_all(destination: Destination, context: DeliveryContext) -> HecTransport:
    """The client for a destination, however many addresses it has."""
    if not destination.more_urls:
        return context.open_client(destination)
    clients = [(url, context.open_client(replace(destination, url=url, more_urls=()))) for url in destination.urls]
    stream = Stream(destination.tenant, destination.name)
    return FailoverClient(stream, clients, context)
