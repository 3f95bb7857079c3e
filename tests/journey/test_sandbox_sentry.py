"""The stand-in Sentry posts to real servers that behave well and badly."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from app.sandbox.sentry import CONNECTION_FAILED, TIMED_OUT, StandInSentry, hook_request, large_error, sample

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 17\r\n\r\n{"delivery":"id"}'
REQUEST = hook_request(sample("issue.created"), b"secret", seed=1, now=1_750_000_000.0)


@asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[str]:
    """A real server on a real port; ``talk`` is the whole conversation of one connection."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/sentry/acme"


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request that says its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(int(length.partition(b":")[2]))


def answering(answer: bytes, seen: list[tuple[bytes, bytes]] | None = None) -> Talk:
    """Read one request, give this answer."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if seen is not None:
            seen.append(request)
        writer.write(answer)
        await writer.drain()

    return talk


async def test_the_answer_comes_back_whole() -> None:
    """Status, headers and body are the server's, and what arrived are the very bytes that were signed."""
    seen: list[tuple[bytes, bytes]] = []
    sentry = StandInSentry(patience_s=30)
    began = time.monotonic()
    async with server(answering(ACCEPTED, seen)) as url:
        answer = await sentry.post(url, REQUEST)
    assert 0 < answer.seconds < time.monotonic() - began
    assert (answer.status, answer.body, answer.header("content-length")) == (202, b'{"delivery":"id"}', "17")
    [(head, body)] = seen
    assert head.startswith(b"POST /sentry/acme HTTP/1.1\r\n")
    assert body == REQUEST.body
    for name, value in REQUEST.headers.items():
        assert f"\r\n{name}: {value}\r\n".encode() in head


async def test_a_redirect_is_not_followed() -> None:
    """A 307 is an answer like any other, and nothing is asked of the place it names."""
    seen: list[tuple[bytes, bytes]] = []
    redirect = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /sentry/acme/\r\nContent-Length: 0\r\n\r\n"
    sentry = StandInSentry(patience_s=30)
    async with server(answering(redirect, seen)) as url:
        answer = await sentry.post(url, REQUEST)
    assert answer.status == 307
    assert len(seen) == 1


async def test_a_silent_server_is_given_up_after_the_patience() -> None:
    """No answer in time is a time-out; it is not tried again."""
    calls = 0

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await reader.read()

    async with server(silent) as url:
        answer = await StandInSentry(patience_s=0.1, wall_clock_s=60).post(url, REQUEST)
        assert (answer.status, calls) == (TIMED_OUT, 1)
        assert 0.1 <= answer.seconds < 30


async def test_a_dripping_server_is_given_up_at_the_wall_clock() -> None:
    """Bytes that keep coming outlive the patience of each read, but not the limit on the whole send."""

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 202 Accepted\r\nX-Slow: ")
        with suppress(ConnectionError):  # the other side may hang up in either way
            while not reader.at_eof():
                writer.write(b".")
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.02)

    async with server(dripping) as url:
        answer = await StandInSentry(patience_s=0.7, wall_clock_s=1.0).post(url, REQUEST)
    assert answer.status == TIMED_OUT
    assert 1.0 <= answer.seconds < 30


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 202 Acc", b"SSH-2.0-not-http\r\n"])
async def test_half_an_answer_is_a_failed_connection(answer: bytes) -> None:
    """A server that hangs up early, or speaks something else, has not answered."""
    async with server(answering(answer)) as url:
        assert (await StandInSentry(patience_s=30).post(url, REQUEST)).status == CONNECTION_FAILED


async def test_nobody_listening_is_a_failed_connection() -> None:
    """A refused connection is an answer with a fault in words, not an exception."""
    async with server(answering(b"")) as url:
        gone = url
    answer = await StandInSentry().post(gone, REQUEST)
    assert answer.status == CONNECTION_FAILED
    assert answer.fault


async def test_a_refusal_before_the_body_is_read_still_counts() -> None:
    """A server that refuses a large body from its head alone and hangs up is heard."""

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.write_eof()
        await reader.read()

    large = hook_request(large_error(2_000_000), b"secret", seed=1, now=1.0)
    async with server(refusing) as url:
        assert (await StandInSentry(patience_s=30).post(url, large)).status == 413


async def test_many_post_at_once_and_are_counted() -> None:
    """The books of the stand-in name every post by its answer."""
    sentry = StandInSentry(patience_s=30)
    async with server(answering(ACCEPTED)) as url:
        await asyncio.gather(*(sentry.post(url, REQUEST) for _ in range(40)))
    await sentry.post(url, REQUEST)
    assert sentry.posts == 41
    assert sentry.answers == {202: 40, CONNECTION_FAILED: 1}
