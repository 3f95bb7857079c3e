"""A TCP relay between two sides, which can be cut: connections reset, or nothing let through."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

from tests.torture.ports import number, reserved_port

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""
_ENDED = (OSError, EOFError, asyncio.IncompleteReadError)

Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Wire:
    """Listens on a port of its own and passes on to whatever ``dial`` connects to."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._reserved = reserved_port()
        self._server: asyncio.Server | None = None
        self._joined: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_hole = False
        self._refuses = False
        self.cuts: list[tuple[float, float]] = []
        """From when to when nothing, or not everything, came through; on the loop's clock."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return number(self._reserved)

    @property
    def url(self) -> str:
        """The same for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Begin."""
        self._server = await asyncio.start_server(self._joined_by, "127.0.0.1", self.port, reuse_address=True)

    async def close(self) -> None:
        """For good."""
        if self._server is not None:
            self._server.close()
        self._reset()
        for task in list(self._joined):
            task.cancel()
        await asyncio.gather(*self._joined, return_exceptions=True)
        self._reserved.close()

    async def cut(self, seconds: float, *, hole: bool) -> None:
        """For so long nothing comes through. A ``hole`` swallows it without a word; else there is a reset.

        What was swallowed never arrives: the connections are reset in the end as well.
        """
        began = asyncio.get_running_loop().time()
        self._is_hole, self._refuses = hole, not hole
        if not hole:
            self._reset()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._reset()
            self._is_hole = self._refuses = False
            self.cuts.append((began, asyncio.get_running_loop().time()))

    def _reset(self) -> None:
        for writer in list(self._writers):
            end(writer)

    async def _joined_by(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._joined.add(task)
        try:
            if not self._refuses:
                await self._join(reader, writer)
        except asyncio.CancelledError:
            pass  # closing: whoever cancels waits for nothing more from here
        finally:
            end(writer)
            self._joined.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._dial()
        except OSError:
            return
        self._writers |= {writer, far_writer}
        pass_there, pass_back = self.ways()
        there = asyncio.create_task(pass_there(reader, far_writer))
        back = asyncio.create_task(pass_back(far_reader, writer))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= {writer, far_writer}
            end(far_writer)
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)

    def ways(self) -> tuple[Way, Way]:
        """What passes on what the near side says, and what the far side says, over one connection."""
        return self.passed, self.passed

    async def passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Everything, as it comes."""
        with suppress(*_ENDED):
            while chunk := await reader.read(_CHUNK):
                await self.say(writer, chunk)

    async def say(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        """Pass this on, unless it falls into the hole."""
        if not self._is_hole:
            writer.write(chunk)
            await writer.drain()


def end(writer: asyncio.StreamWriter) -> None:
    """Reset the connection, so that what is still on its way is dropped."""
    with suppress(OSError, RuntimeError):
        there = writer.get_extra_info("socket")
        if there is not None and there.family == socket.AF_INET:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
