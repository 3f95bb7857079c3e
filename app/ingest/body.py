"""Reading a body off the wire, bounded in bytes whatever Content-Length says. Its time is bounded by the server."""

from app.asgi import Header, Message, Receive
from app.errors import BodyTooLarge


class BodyEndedError(Exception):
    """The body ended before its end, after so many bytes. It never leaves ``ingest``."""

    def __init__(self, bytes_read: int) -> None:
        super().__init__(bytes_read)
        self.bytes_read = bytes_read


def announced(headers: list[Header]) -> int:
    """Content-Length in bytes; 0 without one."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return 0


async def read_body(receive: Receive, *, bytes_max: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: it has more than ``bytes_max`` bytes.
        BodyEndedError: it ended early, because the sender hung up or the server stopped reading.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > bytes_max:
            raise BodyTooLarge("body_over_limit", bytes_max=bytes_max)
        return body
    return await _read_on(receive, message, bytes_max)


async def _read_on(receive: Receive, message: Message, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise BodyEndedError(size)
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge("body_over_limit", bytes_max=bytes_max)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
