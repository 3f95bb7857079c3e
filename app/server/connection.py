"""One connection: uvicorn's, bounded in everything that the other end decides.

    NOTHING  no request has begun; after an answer for ``keepalive_s``, before the first one for ``head_deadline_s``
    HEAD     some bytes came; the head has to end within ``head_deadline_s`` and ``head_bytes_max``
    BODY     the head is here and the application runs; a body has ``first_byte_s`` and ``body_deadline_s``

An answer given before its body has come is followed by a close that lingers: what still comes is thrown away for a
moment, so that a sender that means no harm is done sending and reads the answer. The listener's tick keeps the times.
"""

import asyncio
from enum import Enum, auto
from typing import Any, cast

import httptools
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from app.asgi import EXTENSION, Application, Cut, Header, Receive, Scope, Send
from app.errors import BadRequest, HeadTooLarge, IngestRefusal
from app.server.admission import SPARE_PLACES, Admission
from app.server.answers import AnswerTransport
from app.server.clients import client_of
from app.server.exchange import ServedExchange
from app.server.places import Rank

PROVED_AGAIN_S = 60.0
"""So often a connection is noted to have delivered a verified hook."""
PIPELINED_MAX = 16
"""Requests that may be here before the first of them is answered."""
LINGER_TIMES = 2
"""Of a refused body, so many times the limit of a body is read and thrown away."""
UNCOUNTED_BYTES_MAX = 32_768
"""A body that is no larger and comes in one piece is dealt with at once: it takes no room that others wait for."""
OVERHEAD_TIMES = 8
"""Around a byte of a chunked body there may be so many others: a chunk of one byte takes six."""


class Part(Enum):
    """Which part of a request comes next."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


_NOTHING, _HEAD, _BODY = Part  # looked up for each header


class Connection(HttpToolsProtocol):
    """See the module."""

    def __init__(
        self,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        admission: Admission,
        application: Application,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self.app = cast("Any", self._serve)
        self.peer = ""
        self.lost = False
        self._admission = admission
        self._limits = admission.limits
        self._head_bytes_max = admission.limits.head_bytes_max
        self._application = application
        self._part = _NOTHING
        self._since = 0.0
        """When it was last answered, or connected; in HEAD: when the first byte came."""
        self._asked = False
        self._exchange: ServedExchange | None = None
        """The request whose head came last."""
        self._exchanges: dict[ServedExchange, bool] = {}
        """Requests that are not done with; whether their application has begun."""
        self._unanswered = 0
        self._unwelcome = False
        self._given_up = False
        """It is closed as soon as it is answered."""
        self._keep_alive = False
        self._head_bytes = 0
        self._fed_bytes = 0
        self._body_bytes = 0
        self._overhead_bytes = 0
        self._fault: IngestRefusal | None = None
        self._linger_until: float | None = None
        self._linger_bytes = 0
        self._stalled_at: float | None = None
        self._trusted = False
        self._proved_again_at = 0.0

    @property
    def rank(self) -> Rank:
        """What this connection has shown."""
        return self._admission.places.rank(self) if not self.lost else Rank.UNPROVEN

    # What comes from the transport.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._answers = AnswerTransport(self)
        self.peer = self.client[0] if self.client else ""
        now = self._since = self.loop.time()
        admission = self._admission
        self._trusted = admission.trusts(self.peer)
        rank = Rank.KNOWN if self._trusted else admission.rank_of(self.peer, now)
        admission.places.enter(self, rank, now)
        if admission.places.crowded:
            self._make_room()

    def _make_room(self) -> None:
        places = self._admission.places
        leaves = places.who_leaves(self)
        if leaves is not None:
            cast("Connection", leaves).give_way()
        elif len(places) > places.places_max + SPARE_PLACES:
            self.transport.abort()
        else:
            self._unwelcome = True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._admission.places.leave(self)
        for exchange, begun in self._exchanges.items():
            if not begun:
                self._admission.bodies.end(exchange)
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._linger_until is not None:
            self._throw_away(len(data))
            return
        before, body_before = self._part, self._body_bytes
        if before is _NOTHING:
            self._part = _HEAD
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stop_parsing()
        except httptools.HttpParserError:
            self._not_http()
        else:
            if self._part is not _NOTHING:  # as a rule a whole request has come at once
                self._measure(before, len(data), len(data) - (self._body_bytes - body_before))

    def _measure(self, before: Part, count: int, around: int) -> None:
        """Bound what has begun and is not here in full: the parser keeps unfinished lines of heads and trailers."""
        if before is _NOTHING:
            self._since = self.loop.time()
            self._admission.places.waiting(self, self._since)
        if self._part is _HEAD:
            self._fed_bytes += count if before is not _BODY else 0
            if self._fed_bytes > self._limits.head_bytes_max:
                self._refuse(HeadTooLarge("head_over_limit", bytes_max=self._limits.head_bytes_max))
        elif self._exchange is not None:
            self._count_body(self._exchange)
            self._overhead_bytes += around if before is _BODY else 0
            if self._overhead_bytes > self._limits.head_bytes_max + OVERHEAD_TIMES * self._body_bytes:
                self._exchange.stop_reading("trailers")
                self._stop_parsing()

    @override
    def pause_writing(self) -> None:
        self._stalled_at = self.loop.time()
        super().pause_writing()

    @override
    def resume_writing(self) -> None:
        self._stalled_at = None
        super().resume_writing()

    # What comes from the parser.

    @override
    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            self._fault = BadRequest("too_many_pipelined")
            raise self._fault
        super().on_message_begin()
        self._part = _HEAD
        self._head_bytes = self._fed_bytes = 0

    @override
    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        self.url += url

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part is not _HEAD:  # a trailer: it is no header, whatever it is called
            return
        self._count_head(len(name) + len(value) + 4)
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._head_bytes_max:
            self._fault = HeadTooLarge("head_over_limit", bytes_max=self._head_bytes_max)
            raise self._fault

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        now = self.loop.time()
        known = self._admission.rank_of(self.client_of(self.headers), now) if self._trusted else self.rank
        exchange = ServedExchange(self, self.cycle, self.headers, known, now)
        if self._unwelcome:
            exchange.cut = "place"
        self.scope["extensions"] = cast("Any", {EXTENSION: exchange})
        self._exchange = exchange
        self._exchanges[exchange] = False
        self._unanswered += 1
        self._part = _BODY
        self._asked = True
        self._body_bytes = self._overhead_bytes = 0
        # Until its body is here, an answer closes the connection.
        self._keep_alive, self.cycle.keep_alive = self.cycle.keep_alive, False
        self.cycle.transport = cast("asyncio.Transport", self._answers)

    @override
    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        self._body_bytes += len(body)
        if exchange is None or exchange.cut or self.cycle.response_complete:
            return
        exchange.uncounted_bytes += len(body)
        if exchange.uncounted_bytes > UNCOUNTED_BYTES_MAX:
            self._count_body(exchange)
        if not exchange.cut:
            super().on_body(body)

    def _count_body(self, exchange: ServedExchange) -> None:
        """Take room for what has come and may have to wait. A small body that comes at once never does."""
        if exchange.uncounted_bytes and not exchange.cut:
            count, exchange.uncounted_bytes = exchange.uncounted_bytes, 0
            for stopped in self._admission.bodies.grow(exchange, exchange.rank, count):
                stopped.stop_reading("bytes")

    @override
    def on_message_complete(self) -> None:
        self._part = _NOTHING
        exchange = self._exchange
        if exchange is None:
            return
        self._admission.bodies.complete(exchange)
        if exchange.cut or self.cycle.response_complete:
            return
        self._admission.places.working(self)
        self.cycle.keep_alive = self._keep_alive and not self._admission.draining and not self._unwelcome
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _stop_parsing(self) -> None:
        """What still comes is no request: the last answer closes the connection."""
        self._keep_alive = False
        if self._exchange is not None:
            self.cycle.keep_alive = False
        self._linger_bytes = LINGER_TIMES * self._limits.body_bytes_max
        self._linger_until = self.loop.time() + self._limits.body_deadline_s + self._limits.answer_s

    def _not_http(self) -> None:
        fault, self._fault = self._fault or BadRequest("not_http"), None
        if self._part is _BODY and self._exchange is not None:
            self._exchange.stop_reading("malformed")
            self._stop_parsing()
        else:
            self._refuse(fault)

    def _refuse(self, refusal: IngestRefusal) -> None:
        """Answer what no application has seen. What was asked before is answered first, and this not at all."""
        self._admission.refused(refusal, self.peer)
        if self._unanswered:
            self._stop_parsing()
            return
        body = b'{"error":"%b"}' % refusal.code.encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[refusal.status] + head + body)
        self._part = _BODY
        self.close_gently()

    # Answering.

    async def _serve(self, scope: Scope, _receive: Receive, send: Send) -> None:
        exchange: ServedExchange = scope["extensions"][EXTENSION]
        self._exchanges[exchange] = True
        try:
            await self._application(scope, exchange.receive, send)
        finally:
            del self._exchanges[exchange]
            self._admission.bodies.end(exchange)
            # It and the exchange hold each other: nothing of a request is to wait for the garbage collector.
            scope.pop("extensions", None)

    def client_of(self, headers: list[Header]) -> str:
        """Whom a request with these headers comes from."""
        return client_of(self.peer, headers, self._limits.trusted_proxies) if self._trusted else self.peer

    def proved(self, headers: list[Header], tenant: str) -> None:
        """A verified hook of ``tenant`` came on it, with these headers."""
        now = self.loop.time()
        if self._trusted:
            self._admission.senders.proved(self.client_of(headers), now)
        elif now > self._proved_again_at:
            self._proved_again_at = now + PROVED_AGAIN_S
            self._admission.senders.proved(self.peer, now)
            if not self.lost:
                self._admission.places.proved(self, tenant)

    @override
    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._unanswered -= 1
        self._answers.flush()
        if self.lost or self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self._since = self.loop.time()
            self._admission.places.waiting(self, self._since)

    def close_gently(self) -> None:
        """Close; where the other end may still be sending, throw that away for a moment first."""
        if self._part is _NOTHING or self._given_up or self.lost or self.transport.is_closing():
            self.transport.close()
            return
        self._linger_bytes = LINGER_TIMES * self._limits.body_bytes_max
        self._linger_until = self.loop.time() + self._limits.linger_s
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _throw_away(self, count: int) -> None:
        self._linger_bytes -= count
        if self._linger_bytes < 0:
            self.transport.abort()

    # What the listener asks for.

    def give_way(self, cut: Cut = "place") -> None:
        """End what waits for the other end: a body that is coming is answered first."""
        if self._linger_until is None and self._part is _BODY and self._exchange is not None:
            self._admission.places.working(self)
            self._exchange.stop_reading(cut)
            self._given_up = True
        elif not self._unanswered:
            self.transport.abort()

    def tick(self, now: float) -> None:
        """Keep to the times."""
        limits = self._limits
        if self._linger_until is not None:
            late = now > self._linger_until
        elif self._stalled_at is not None:
            late = now > self._stalled_at + limits.answer_s
        elif self._unanswered:
            if self._part is _BODY and self._exchange is not None:
                self._keep_to_body_times(self._exchange, now)
            return
        else:
            waits = limits.keepalive_s if self._asked and self._part is _NOTHING else limits.head_deadline_s
            late = now > self._since + waits
        if late:
            self.transport.abort()

    def _keep_to_body_times(self, exchange: ServedExchange, now: float) -> None:
        if now > exchange.head_at + self._limits.body_deadline_s:
            exchange.stop_reading("deadline")
        elif not self._body_bytes and now > exchange.head_at + self._limits.first_byte_s:
            exchange.stop_reading("first_byte")

    @property
    def idle(self) -> bool:
        """Whether nothing has been asked that is not answered."""
        return not self._unanswered and self._part is _NOTHING

    def last_answer(self) -> None:
        """The answer under way, if there is one, closes the connection."""
        if self._unanswered:
            self.cycle.keep_alive = False

    @override
    def shutdown(self) -> None:
        if self.idle:
            self.transport.close()
        else:
            self.last_answer()
