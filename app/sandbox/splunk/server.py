"""The stand-in Splunk on a real port: the one part with a clock, sockets and tasks. It decides nothing."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import h11

from app.sandbox.splunk.acks import Channel
from app.sandbox.splunk.answers import Answer, page
from app.sandbox.splunk.faults import Fault
from app.sandbox.splunk.front import Front
from app.sandbox.splunk.model import Endpoint, HecToken, Indexed, Remember, RequestSeen
from app.sandbox.splunk.plan import Ending, Plan, planned
from app.sandbox.splunk.protocol import (
    BODY_BYTES_MAX,
    EVENT_BYTES_MAX,
    Admission,
    Head,
    Outcome,
    Rules,
    admitted,
    claimed_token,
    endpoint_of,
    received,
    unpacked_bytes,
)
from app.sandbox.splunk.scripts import INTAKE, Scripts
from app.sandbox.splunk.store import Store
from app.sandbox.splunk.wire import Wire

IDLE_CLOSE_S = 7200.0
"""``keepAliveIdleTimeout`` (inputs.conf.spec)."""
BUSY_IDLE_CLOSE_S = 12.0
"""``busyKeepAliveIdleTimeout``: how soon a loaded Splunk closes an idle connection (inputs.conf.spec)."""
_READ_LIMIT_BYTES = 262_144
_LONG_BODY_BYTES = 4 * 1024 * 1024
"""A longer body is read in a thread, so that other connections are served meanwhile."""
_TLS_GOODBYE_S = 1.0
_ACCEPTING_TURNS = 3
"""Of the loop, from an accepted connection to the first step of its task."""
_BACKLOG = 1024


class StandInSplunk:
    """A Splunk with nothing behind its HTTP Event Collector but a list.

    Stopped and started again (on the same port, if told) it keeps what it indexed and forgets its ack ids, as
    a restarted Splunk does. All methods belong to the event loop that started it.

    ``existing_indexes``: what else is sent to an allowed index is answered 200 and stored nowhere, as Splunk
    does without a ``lastChanceIndex``; ``None``: every index exists. ``indexers`` stand behind a round-robin
    front, each with its own ack memory; ``sticky_cookie`` names a cookie that binds a client to one of them.
    ``ack_delay_s`` passes between storing and the ack's ``true`` (``inf``: it never comes). ``idle_close_s``
    and ``ack_delay_s`` may be set while it runs.
    """

    def __init__(  # noqa: PLR0913 - knobs by keyword, each with its default
        self,
        tokens: Iterable[HecToken],
        *,
        existing_indexes: Collection[str] | None = None,
        cloud: bool = False,
        body_bytes_max: int = BODY_BYTES_MAX,
        event_bytes_max: int = EVENT_BYTES_MAX,
        idle_close_s: float = IDLE_CLOSE_S,
        tls: ssl.SSLContext | None = None,
        indexers: int = 1,
        sticky_cookie: str | None = None,
        ack_delay_s: float = 0.0,
        ack_idle_s: float = 600.0,
        remember: Remember = "full",
    ) -> None:
        self.url = ""
        """``http://127.0.0.1:NNNN`` once started."""
        self.port = 0
        self.idle_close_s = idle_close_s
        self.ack_delay_s = ack_delay_s
        self.connections = 0
        """How many connections were ever opened."""
        self._tokens = {token.value: token for token in tokens}
        self._existing = existing_indexes
        self._rules = Rules(cloud=cloud, body_bytes_max=body_bytes_max, event_bytes_max=event_bytes_max)
        self._tls = tls
        self._ack_idle_s = ack_idle_s
        self._front = Front(indexers, sticky_cookie)
        self._store = Store(remember)
        self._scripts = Scripts()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- running

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes any free one.

        Raises:
            OSError: the port cannot be had.
        """
        for indexer in range(len(self._front.acks)):
            self._front.restart(indexer)
        goodbye_s = None if self._tls is None else _TLS_GOODBYE_S
        self._server = await asyncio.start_server(
            self._connected,
            host,
            port,
            ssl=self._tls,
            ssl_shutdown_timeout=goodbye_s,
            limit=_READ_LIMIT_BYTES,
            backlog=_BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http{'s' if self._tls else ''}://{shown}:{self.port}"

    async def stop(self) -> None:
        """Close the port and every connection at once, answered or not."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for _ in range(_ACCEPTING_TURNS):  # what is accepted and not begun begins: cancelled now it would stay open
            await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets aborted transports close their sockets
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        """Started on any free port of 127.0.0.1."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stopped."""
        await self.stop()

    # --- what it is told

    def script(self, *faults: Fault, token: str | None = None, endpoint: Endpoint = "event") -> None:
        """Spoil the next requests, one fault each, then serve normally again.

        For requests to the event endpoints (``/raw`` included) unless ``endpoint`` says otherwise; with
        ``token`` only for those that name this hec_token. A hec_token's own script goes first.
        """
        self._scripts.script(faults, token, endpoint)

    def always(self, fault: Fault | None, token: str | None = None, endpoint: Endpoint = "event") -> None:
        """Spoil every request that no script has a fault for, until set to ``None``."""
        self._scripts.always(fault, token, endpoint)

    def set_token(self, token: HecToken) -> None:
        """Add a hec_token, or change the one with this value."""
        self._tokens = {**self._tokens, token.value: token}

    def remove_token(self, value: str) -> None:
        """From now on this hec_token is unknown."""
        self._tokens = {known: token for known, token in self._tokens.items() if known != value}

    def set_health(self, code: int) -> None:
        """The code that ``/health`` answers: 17 (healthy), 18 (queues full), 19, 20 or 23."""
        self._rules = replace(self._rules, health=code)

    def set_existing_indexes(self, names: Collection[str] | None) -> None:
        """As ``existing_indexes``; ``None``: every index exists."""
        self._existing = names

    def restart_indexer(self, indexer: int = 0) -> None:
        """One indexer forgets its ack ids; a sticky cookie that names it no longer holds."""
        self._front.restart(indexer)

    # --- what it remembers

    @property
    def indexed(self) -> list[Indexed]:
        """Everything that was indexed, in order. Empty where only counts are remembered."""
        return self._store.indexed

    @property
    def indexed_count(self) -> int:
        """How many hec_events were indexed."""
        return self._store.indexed_count

    @property
    def requests(self) -> list[RequestSeen]:
        """Every request, in order of being decided. Empty where only counts are remembered."""
        return self._store.requests

    @property
    def request_count(self) -> int:
        """How many requests were read to their end."""
        return self._store.request_count

    @property
    def faults_left(self) -> int:
        """Scripted faults that were not used up yet."""
        return self._scripts.left

    @property
    def acks_waiting(self) -> int:
        """Ack ids that were issued and not told ``true``, over all indexers."""
        return sum(memory.waiting for memory in self._front.acks)

    @property
    def open_connections(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    @property
    def on_indexed(self) -> Callable[[Indexed], None] | None:
        """Called with each hec_event as it is indexed, before its request is answered."""
        return self._store.on_indexed

    @on_indexed.setter
    def on_indexed(self, callback: Callable[[Indexed], None] | None) -> None:
        self._store.on_indexed = callback

    @property
    def on_request(self) -> Callable[[RequestSeen], None] | None:
        """Called with each request once it is decided, before it is answered."""
        return self._store.on_request

    @on_request.setter
    def on_request(self, callback: Callable[[RequestSeen], None] | None) -> None:
        self._store.on_request = callback

    async def wait_for(self, n: int, timeout_s: float = 10) -> list[Indexed]:
        """Everything that was indexed, once it is at least ``n``.

        Raises:
            TimeoutError: it was not in time; the text says what came.
        """
        return await self._store.wait_for(n, timeout_s)

    # --- serving

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self.connections
        self.connections += 1
        task = asyncio.create_task(self._serve(Wire(reader, writer), connection))
        self._tasks.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            context = {"message": "the stand-in Splunk broke down", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(context)

    async def _serve(self, wire: Wire, connection: int) -> None:
        try:
            while (head := await wire.next_head(self.idle_close_s)) is not None:
                if not await self._exchange(wire, head, connection):
                    break
            await wire.close()
        except h11.RemoteProtocolError:
            with suppress(OSError):
                await wire.refuse()
                await wire.close()
        except OSError:
            # The client has gone; whatever its request did has been done. (TLS faults are OSErrors too.)
            pass
        finally:
            wire.abort()

    async def _exchange(self, wire: Wire, head: Head, connection: int) -> bool:
        """One request; whether the connection lives on."""
        at = asyncio.get_running_loop().time()
        endpoint, token = endpoint_of(head), claimed_token(head)
        fault = None if endpoint is None else self._scripts.next(token, endpoint)
        indexer, cookie = self._front.indexer_for(head.headers.get("cookie", ""))
        seen = RequestSeen(
            number=-1,
            connection=connection,
            method=head.method,
            path=head.path,
            headers=head.headers if self._store.remember == "full" else {},
            token=token,
            at=at,
            indexer=indexer,
            fault=fault,
        )
        if fault is not None and fault.kind == "stall":
            seen.number = self._store.request_count
            self._store.add(seen)
            await wire.unread(fault.s)
            return False
        body, seen.wire_bytes = await wire.body(self._rules.body_bytes_max)
        admission, outcome = await self._outcome(head, body, seen.wire_bytes)
        plan = self._settled(admission, outcome, seen)
        if cookie is not None:
            plan = replace(plan, answer=plan.answer.with_header("Set-Cookie", cookie))
        return await _play(wire, plan)

    async def _outcome(self, head: Head, body: bytes, wire_bytes: int) -> tuple[Admission | None, Outcome]:
        admission = admitted(head, self._tokens, self._rules)
        if isinstance(admission, Answer):
            return None, Outcome(answer=admission)
        if wire_bytes > self._rules.body_bytes_max:
            return admission, Outcome(answer=page(413))
        if unpacked_bytes(head, body) > _LONG_BODY_BYTES:
            return admission, await asyncio.to_thread(received, admission, head, body, self._rules)
        return admission, received(admission, head, body, self._rules)

    def _settled(self, admission: Admission | None, outcome: Outcome, seen: RequestSeen) -> Plan:
        """Let the request take its effect and remember it, in one step that nothing interrupts."""
        plan = planned(outcome, seen.fault)
        seen.number = self._store.request_count
        seen.objects, seen.body_bytes = outcome.objects, len(outcome.body)
        if self._store.remember == "full":
            seen.body = outcome.body
        if admission is not None and plan.takes_effect:
            before = self._store.indexed_count
            self._index(admission.token, plan, seen)
            seen.indexed = self._store.indexed_count - before
            plan = replace(plan, answer=self._acknowledged(admission, outcome, plan, seen.indexer))
        if plan.ending is Ending.ANSWER:
            _note_answer(seen, plan.answer)
        self._store.add(seen)
        return plan

    def _index(self, token: HecToken, plan: Plan, seen: RequestSeen) -> None:
        for envelope in plan.taken:
            index = token.default_index if envelope.index is None else envelope.index
            if self._existing is None or index in self._existing:
                self._store.index(envelope, index, seen)

    def _acknowledged(self, admission: Admission, outcome: Outcome, plan: Plan, indexer: int) -> Answer:
        """The answer with what the indexer's ack memory has to add to it."""
        if not admission.channel:
            return plan.answer
        acks = self._front.acks[indexer]
        channel = Channel(admission.token.value, admission.channel)
        now = asyncio.get_running_loop().time()
        if outcome.asked is not None:
            told = acks.poll(channel, outcome.asked, now=now, idle_s=self._ack_idle_s)
            return Answer(200, {"acks": told}) if plan.answer is outcome.answer else plan.answer
        # The taken prefix of a refused batch has an id of its own too (seen with code 13).
        if admission.endpoint not in INTAKE or not (plan.taken or outcome.is_success):
            return plan.answer
        ack_id = acks.issue(channel, now=now, delay_s=self.ack_delay_s, idle_s=self._ack_idle_s)
        tells = plan.answer.status == 200 or "invalid-event-number" in plan.answer.said  # noqa: PLR2004 - plainly HTTP's
        return plan.answer.saying(ackId=ack_id) if plan.answer.said and tells else plan.answer


def _note_answer(seen: RequestSeen, answer: Answer) -> None:
    number = answer.said.get("invalid-event-number")
    seen.status, seen.code = answer.status, answer.code
    seen.text = str(answer.said.get("text", ""))
    seen.invalid_event_number = number if isinstance(number, int) else None


async def _play(wire: Wire, plan: Plan) -> bool:
    """Let the client see what the plan shows it; whether the connection lives on."""
    if plan.ending is Ending.HANG:
        await wire.until_gone(plan.wait_s)
        return False
    if plan.wait_s:
        await asyncio.sleep(plan.wait_s)
    if plan.ending is Ending.ANSWER:
        return await wire.answer(plan.answer)
    if plan.ending is Ending.HALF_ANSWER:
        await wire.half_answer(plan.answer)
    if plan.ending is Ending.RESET:
        wire.abort(reset=True)
    return False
