"""Balancers before a stand-in Splunk."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


@asynccontextmanager
async def renewing_front(port: int) -> AsyncIterator[str]:
    """A balancer before one Splunk that gives another cookie with every answer; its address."""
    cookies = count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                outer.write(await whole(reader))
                head, _, body = (await whole(inner)).partition(b"\r\n")
                writer.write(b"%s\r\nSet-Cookie: lb=%d; Path=/\r\n%s" % (head, next(cookies), body))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            outer.close()
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await asyncio.sleep(0)


async def whole(reader: asyncio.StreamReader) -> bytes:
    """One message with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head + await reader.readexactly(int(length[1]) if length else 0)
