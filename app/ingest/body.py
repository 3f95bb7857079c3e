"""Reading a body off the wire: bounded in bytes and in time, whatever Content-Length says."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from app.errors import BodyCut, BodyTooLarge, BodyTooSlow

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
DRAIN_TIMES = 2
"""Of a body that is too large, this many times the limit is read and thrown away, so that a sender that means no
harm is done sending and reads the answer."""


def announced(headers: Sequence[tuple[bytes, bytes]], *, bytes_max: int) -> int:
    """How many bytes of memory a body may come to take: its Content-Length, and without one the most there may be."""
    for name, value in headers:
        if name == b"content-length":
            return min(int(value), bytes_max)
    return bytes_max


async def read_body(receive: Receive, *, bytes_max: int, deadline_s: float) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: it has more than ``bytes_max`` bytes.
        BodyTooSlow: it was not there after ``deadline_s`` seconds.
        BodyCut: the sender hung up before its end.
    """
    try:
        async with asyncio.timeout(deadline_s):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message.get("body", b"")
                if len(body) > bytes_max:
                    raise BodyTooLarge("body_over_limit", bytes_max=bytes_max)
                return body
            return await _read_on(receive, message, bytes_max)
    except TimeoutError:
        raise BodyTooSlow("body_deadline", deadline_s=deadline_s) from None


async def _read_on(receive: Receive, message: MutableMapping[str, Any], bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise BodyCut("sender_hung_up", bytes=size)
        part = message.get("body", b"")
        size += len(part)
        if size <= bytes_max:
            parts.append(part)
        elif size > bytes_max * DRAIN_TIMES:
            break
        else:
            parts.clear()
        if not message.get("more_body"):
            break
        message = await receive()
    if size > bytes_max:
        raise BodyTooLarge("body_over_limit", bytes_max=bytes_max)
    return b"".join(parts)
