"""One request and its answer: what ``app.asgi.Exchange`` promises, on a connection of uvicorn's."""

from typing import Final, Protocol, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.asgi import Cut, Exchange, Header, Message
from app.server.places import Rank

_DISCONNECT: Final[Message] = {"type": "http.disconnect"}


class Line(Protocol):
    """The connection below, as far as a request needs it."""

    @property
    def peer(self) -> str:
        """The address at the other end."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the other end has closed it."""
        ...

    @property
    def rank(self) -> Rank:
        """What it has shown."""
        ...

    def client_of(self, headers: list[Header]) -> str:
        """Whom a request with these headers comes from."""
        ...

    def proved(self, headers: list[Header], tenant: str) -> None:
        """A verified hook of ``tenant`` came on it, with these headers."""
        ...


class ServedExchange(Exchange):
    """See ``app.asgi.Exchange``."""

    __slots__ = ("_cycle", "_headers", "_line", "cut", "head_at", "rank", "uncounted_bytes")

    def __init__(self, line: Line, cycle: RequestResponseCycle, headers: list[Header], rank: Rank, now: float) -> None:
        self._line = line
        self._cycle = cycle
        self._headers = headers
        self.rank = rank
        self.head_at = now
        """When its head was here, in the loop's seconds."""
        self.uncounted_bytes = 0
        """Bytes of the body that have come and take no room yet."""
        self.cut: Cut = ""

    @property
    @override
    def peer(self) -> str:
        return self._line.peer

    @property
    @override
    def client(self) -> str:
        return self._line.client_of(self._headers)

    @property
    @override
    def proven(self) -> bool:
        return self._line.rank is Rank.PROVEN

    @property
    @override
    def gone(self) -> bool:
        return self._line.lost

    @override
    def proved(self, tenant: str) -> None:
        self._line.proved(self._headers, tenant)

    def stop_reading(self, cut: Cut) -> None:
        """End the body here. Whoever reads it is woken."""
        if not self.cut:
            self.cut = cut
            self._cycle.body = bytearray()
            self._cycle.message_event.set()

    async def receive(self) -> Message:
        """ASGI's ``receive``, that ends where the reading was stopped."""
        while not self.cut:
            message = await self._cycle.receive()
            if not self.cut:
                return cast("Message", message)
        return _DISCONNECT
