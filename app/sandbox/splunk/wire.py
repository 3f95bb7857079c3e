"""One connection, spoken by h11: what a web framework would hide is what a sender has to be tested against."""

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from email.utils import formatdate
from typing import cast
from urllib.parse import parse_qsl, unquote

import h11

from app.sandbox.splunk.answers import Answer, page
from app.sandbox.splunk.protocol import Head

_HEAD_BYTES_MAX = 65_536
_CHUNK_BYTES = 262_144
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Wire:
    """A connection with its h11 state. Every method may raise ``ConnectionError`` when the client is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sansio = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES_MAX)
        self._is_old = False
        self._is_head_request = False

    async def next_head(self, idle_s: float) -> Head | None:
        """The next request's head; ``None`` if the client hung up or said nothing for ``idle_s``.

        Raises:
            h11.RemoteProtocolError: what came is no HTTP.
        """
        if self._sansio.our_state is h11.DONE:
            self._sansio.start_next_cycle()
        try:
            async with asyncio.timeout(idle_s):
                event = await self._next_event()
        except TimeoutError:
            return None
        if not isinstance(event, h11.Request):
            return None
        headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in event.headers}
        # forceHttp10=auto: a client without a User-Agent is answered in HTTP/1.0 (inputs.conf.spec).
        self._is_old = "user-agent" not in headers
        self._is_head_request = event.method == b"HEAD"
        path, _, query = event.target.decode("latin-1").partition("?")
        return Head(
            method=event.method.decode("latin-1"),
            path=unquote(path),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
        )

    async def body(self, bytes_max: int) -> tuple[bytes, int]:
        """The body and its length. What exceeds ``bytes_max`` is read and thrown away, so that an answer arrives.

        Raises:
            h11.RemoteProtocolError: the client broke off.
        """
        if self._sansio.they_are_waiting_for_100_continue:
            await self._write(self._sansio.send(h11.InformationalResponse(status_code=100, headers=[])))
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next_event(), h11.Data):
            size += len(event.data)
            if size <= bytes_max:
                parts.append(bytes(event.data))
            else:
                parts.clear()
        return b"".join(parts), size

    async def answer(self, answer: Answer) -> bool:
        """Send an answer; whether the connection lives on."""
        await self._write(self._as_bytes(answer))
        return self._sansio.our_state is h11.DONE

    async def half_answer(self, answer: Answer) -> None:
        """Send the head of an answer and half of its body."""
        whole = self._as_bytes(answer)
        await self._write(whole[: len(whole) - len(answer.body) // 2 - 1])

    async def refuse(self) -> None:
        """Answer what was no HTTP, if an answer is still due."""
        if self._sansio.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._write(self._as_bytes(Answer(400, page(400).content, close=True)))

    async def until_gone(self, wait_s: float | None) -> None:
        """Until the client hangs up, or for ``wait_s``. What it still sends is thrown away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while await self._reader.read(_CHUNK_BYTES):
                    pass

    async def unread(self, wait_s: float | None) -> None:
        """For ``wait_s`` (``None``: for ever) nothing is read any more, so that the client's writing halts."""
        cast("asyncio.ReadTransport", self._writer.transport).pause_reading()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await asyncio.Event().wait()

    async def close(self) -> None:
        """Close in good order."""
        self._writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            await self._writer.wait_closed()

    def abort(self, *, reset: bool = False) -> None:
        """Close at once; with ``reset`` by a TCP reset."""
        # Asked only for a reset: a TLS transport that is closed already has no answer to it.
        plain: socket.socket | None = self._writer.get_extra_info("socket") if reset else None
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._sansio.next_event()) is h11.NEED_DATA:
            self._sansio.receive_data(await self._reader.read(_CHUNK_BYTES))
        return cast("h11.Event | type[h11.PAUSED]", event)

    def _as_bytes(self, answer: Answer) -> bytes:
        body = b"" if self._is_head_request else answer.body
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Server", "Splunkd"),
            ("Content-Type", answer.content_type),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close" if answer.close or self._is_old else "keep-alive"),
            *answer.headers,
        ]
        response = h11.Response(status_code=answer.status, headers=headers)
        head = self._sansio.send(response) or b""
        if self._is_old:
            head = head.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        content = self._sansio.send(h11.Data(body)) or b""
        return head + content + (self._sansio.send(h11.EndOfMessage()) or b"")

    async def _write(self, wire_bytes: bytes | None) -> None:
        self._writer.write(wire_bytes or b"")
        await self._writer.drain()
