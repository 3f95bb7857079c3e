"""What those get who have not shown who they are: an early refusal, little room, an end; and a line in the log."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import IngestRefusal
from app.ingest.refusals import LINES_AT_ONCE_MAX
from tests.journey.relay_world import World, comment, post, read_answer, signature, until_closed, world

WRONG = "Sentry-Hook-Signature: " + "0" * 64
GOOD = f"Sentry-Hook-Signature: {signature(comment())}"
CHUNKED = "Transfer-Encoding: chunked"


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """A head without a body."""
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: r", *lines, "")).encode()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """A relay that waits long for bodies."""
    async with world(tmp_path, BODY_DEADLINE_S="60", BODY_START_S="60") as running:
        yield running


@pytest.mark.parametrize("length", [CHUNKED, "Content-Length: 5000"])
@pytest.mark.parametrize(
    ("path", "lines", "method", "status", "reason"),
    [
        ("/sentry/nobody", [WRONG], "POST", 404, "no_such_tenant"),
        ("/sentry/acme/legacy/wrong", [], "POST", 404, "no_such_legacy_key"),
        ("/sentry/a/b/c", [WRONG], "POST", 404, "misdirected_hook"),
        ("/sentry/acme", [WRONG], "PUT", 405, "only_post"),
        ("/sentry/acme", [], "POST", 401, "missing_header"),
        ("/sentry/acme", ["Sentry-Hook-Signature: 0123"], "POST", 401, "malformed_signature"),
        ("/sentry/acme", [GOOD, GOOD], "POST", 401, "two_signatures"),
        ("/sentry/globex", [WRONG], "POST", 401, "no_secret_configured"),
        ("/sentry", ["Sentry-Hook-Signature: "], "POST", 401, "malformed_signature"),
    ],
)
async def test_what_the_head_says_is_refused_before_the_body(
    here: World, path: str, lines: list[str], method: str, status: int, reason: str, length: str
) -> None:
    """Not a byte of it has been sent when the answer is there."""
    answer = await here.send(head(path, *lines, length, method=method))
    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    line = await here.refusal()
    assert (line["reason"], line["peer"], line["client"]) == (reason, "127.0.0.1", None)


async def test_a_length_over_the_limit_is_refused_before_the_body(here: World) -> None:
    """Without reading what was announced."""
    answer = await here.send(head("/sentry/acme", WRONG, "Content-Length: 10000001"))
    assert answer is not None
    assert answer.status == 413


async def test_a_sender_that_is_not_done_reads_its_refusal(here: World) -> None:
    """It sends megabytes before it looks; the connection is not reset under it."""
    answer = await here.send(head("/sentry/nobody", WRONG, "Content-Length: 9000000") + b"x" * 9_000_000)
    assert answer is not None
    assert (answer.status, answer.json) == (404, {"error": "unknown_tenant"})


async def test_a_trailer_is_no_header(here: World) -> None:
    """A signature that comes after the body has proved nothing."""
    body = comment()
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    answer = await here.send(head("/sentry/acme", CHUNKED) + chunk + f"{GOOD}\r\n\r\n".encode())
    assert answer is not None
    assert (answer.status, (await here.refusal())["reason"]) == (401, "missing_header")
    signed = await here.send(head("/sentry/acme", GOOD, CHUNKED) + chunk + b"X-Other: 1\r\n\r\n")
    assert signed is not None
    assert signed.status == 202


@pytest.mark.parametrize(
    "large",
    [
        head("/sentry/acme", GOOD, "X: " + "x" * 40_000),
        head("/sentry/acme", GOOD, *["a:"] * 10_000),
        head("/sentry/acme?" + "x" * 40_000, GOOD),
        b"POST /sentry/" + b"a" * 400_000,
        b"POST /sentry/acme HTTP/1.1\r\nX: " + b"x" * 400_000,
        b"\r\n" * 200_000,
    ],
    ids=["header", "headers", "query", "endless URL", "endless header", "endless lines"],
)
async def test_a_large_head_is_431_and_closed(here: World, large: bytes) -> None:
    """Whatever it is that is large, and however it comes."""
    answer = await here.send(large)
    assert answer is not None
    assert (answer.status, answer.json) == (431, {"error": "head_too_large"})
    assert (await here.refusal())["peer"] == "127.0.0.1"
    assert (await here.post("/sentry/acme", comment())).status == 202


@pytest.mark.parametrize(
    "around",
    [b"1\r\nx\r\n0\r\nX: " + b"x" * 400_000, b"1;x=" + b"x" * 400_000],
    ids=["trailer", "chunk extension"],
)
async def test_what_comes_around_a_body_is_bounded_too(here: World, around: bytes) -> None:
    """Trailers and chunk extensions belong to the head's bytes."""
    answer = await here.send(head("/sentry/acme", GOOD, CHUNKED) + around)
    assert answer is not None
    assert (answer.status, answer.json) == (431, {"error": "head_too_large"})


async def test_chunks_of_one_byte_are_a_body(here: World) -> None:
    """Clumsy, and allowed."""
    body = comment().ljust(20_000)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    lines = (f"Sentry-Hook-Signature: {signature(body)}", CHUNKED)
    answer = await here.send(head("/sentry/acme", *lines) + chunks + b"0\r\n\r\n")
    assert answer is not None
    assert answer.status == 202


async def test_chunks_that_are_none_are_400(here: World) -> None:
    """The sender gets an answer, and the log a reason."""
    answer = await here.send(head("/sentry/acme", GOOD, CHUNKED) + b"zz\r\n")
    assert answer is not None
    assert (answer.status, (await here.refusal())["reason"]) == (400, "malformed_body")


async def test_what_is_not_http_is_400_and_logged_once(here: World) -> None:
    """By the relay itself, with who it was."""
    answer = await here.send(b"\x16\x03\x01 hello\r\n\r\n")
    assert answer is not None
    assert (answer.status, answer.json) == (400, {"error": "bad_request"})
    line = await here.refusal()
    assert (line["reason"], line["peer"]) == ("not_http", "127.0.0.1")
    assert not here.logged("library.logged")


async def test_requests_without_end_on_one_connection_are_answered_up_to_a_number(here: World) -> None:
    """Then it is closed; others are served."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(head("/version", method="GET") * 1_000)
    answers = (await until_closed(reader)).count(b"HTTP/1.1 200")
    assert 1 <= answers <= 18
    assert (await here.refusal())["reason"] == "too_many_pipelined"
    writer.close()


async def test_the_first_byte_of_a_body_is_due_soon(tmp_path: Path) -> None:
    """A body that has begun has longer."""
    async with world(tmp_path, BODY_START_S="0.2", BODY_DEADLINE_S="60") as here:
        silent = await here.send(head("/sentry/acme", WRONG, "Content-Length: 50"))
        assert silent is not None
        assert (silent.status, (await here.refusal())["reason"]) == (408, "first_byte_deadline")
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        raw = post("/sentry/acme", comment())
        writer.write(raw[:-10])
        await writer.drain()
        assert await here.send(head("/sentry/acme", WRONG, CHUNKED)) is not None
        writer.write(raw[-10:])
        answer = await read_answer(reader)
        assert answer is not None
        assert answer.status == 202
        writer.close()


@pytest.mark.parametrize(
    ("raw", "more"),
    [
        (head("/livez", method="GET"), b"\r\n"),
        (head("/livez", method="GET"), b"G"),
        (head("/livez", CHUNKED, method="GET"), b"1\r\nx\r\n"),
        (head("/nothing", CHUNKED), b"1\r\nx\r\n"),
        (head("/sentry/nobody", WRONG, CHUNKED), b"1\r\nx\r\n"),
        (b"POST /sentry/acme HTTP/1.1\r\nX: ", b"x"),
    ],
    ids=["line ends", "half a head", "chunks nobody reads", "chunks at no path", "chunks refused", "slow head"],
)
async def test_no_connection_stays_open_for_ever(tmp_path: Path, raw: bytes, more: bytes) -> None:
    """Whatever bytes come, now and then."""
    async with world(tmp_path, HEAD_DEADLINE_S="0.3") as here, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        writer.write(raw)
        closed = asyncio.create_task(until_closed(reader))
        while not closed.done():
            writer.write(more)
            await asyncio.wait([closed], timeout=0.1)
        writer.close()


async def test_an_idle_connection_is_kept_as_long_as_it_is_said(tmp_path: Path) -> None:
    """And then closed."""
    async with world(tmp_path, KEEPALIVE_S="1", HEAD_DEADLINE_S="0.2") as here, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        for number in range(3):
            writer.write(post("/sentry/acme", comment(number)))
            answer = await read_answer(reader)
            assert answer is not None
            assert answer.status == 202
            await asyncio.sleep(0.5)  # less than it is kept for, more than a head may take
        assert await until_closed(reader) == b""
        writer.close()


async def test_what_is_refused_says_who_asked(tmp_path: Path) -> None:
    """The peer, and whom a trusted proxy asks for."""
    async with world(tmp_path, TRUSTED_PROXIES="127.0.0.0/8") as here:
        await here.send(head("/sentry/nobody", WRONG, "X-Forwarded-For: 6.6.6.6, 203.0.113.9"))
        line = await here.refusal()
        assert (line["peer"], line["client"]) == ("127.0.0.1", "203.0.113.9")


async def test_what_anybody_says_of_itself_is_not_believed(here: World) -> None:
    """Without a trusted proxy the peer is who asks."""
    await here.send(head("/sentry/nobody", WRONG, "X-Forwarded-For: 203.0.113.9"))
    line = await here.refusal()
    assert (line["peer"], line["client"]) == ("127.0.0.1", None)


async def test_a_flood_of_refusals_fills_no_log(here: World) -> None:
    """A few lines, and in the end how many were left out; every one is counted and some are kept for the operator."""
    for _ in range(3 * LINES_AT_ONCE_MAX):
        answer = await here.post("/sentry/acme", b"{}", secret="another")
        assert answer.status == 401
    ingest = here.relay._ingest  # noqa: SLF001 - no page shows it yet
    assert ingest is not None
    [(kind, total)] = ingest.refusals.totals()
    assert (kind.reason, kind.tenant, total.count) == ("no_secret_matches", "acme", 3 * LINES_AT_ONCE_MAX)
    ingest.close()
    written = len(here.logged("request.refused"))
    [omitted] = here.logged("refusals.omitted")
    assert omitted["left_out"] + written == 3 * LINES_AT_ONCE_MAX
    assert written < 2 * LINES_AT_ONCE_MAX
    assert await count_of(here, "bad_signature") == 3 * LINES_AT_ONCE_MAX


async def count_of(here: World, code: str) -> float:
    """How many refusals of that code the metrics show."""
    answer = await here.send(head("/metrics", method="GET"))
    assert answer is not None
    name = f'relay_requests_refused_total{{code="{code}"}} '
    return float(next(line for line in answer.body.decode().splitlines() if line.startswith(name)).split()[-1])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/hooks/sentry/acme", "/sentry/acme"),
        ("//sentry/acme", "/sentry/acme"),
        ("/Sentry/acme", "/sentry/acme"),
        ("/webhook", "/sentry/TENANT"),
        ("/", "/sentry/TENANT"),
        ("/sentry/acme/x", "/sentry/acme"),
        ("/hooks/sentry/acme/", "/sentry/acme"),
    ],
)
async def test_a_hook_at_a_wrong_path_is_seen(here: World, path: str, expected: str) -> None:
    """Refused, logged with the path it should have, and counted."""
    answer = await here.post(path, comment(), headers={"Sentry-Hook-Resource": "comment"})
    assert (answer.status, answer.json) == (404, {"error": "not_found"})
    line = await here.refusal()
    assert (line["reason"], line["expected"]) == ("misdirected_hook", expected)
    assert expected in line["hint"]
    assert await count_of(here, "not_found") == 1


async def test_a_legacy_hook_at_a_wrong_path_is_seen_without_its_key(here: World) -> None:
    """It bears no header of Sentry's; its path says what it is."""
    answer = await here.post("/hooks/sentry/acme/legacy/the-key-of-acme", b"{}", secret=None)
    assert answer.status == 404
    assert (await here.refusal())["expected"] == "/sentry/acme/legacy/…"
    assert "the-key-of-acme" not in str(here.logs)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/metrics", "/livez/"])
async def test_head_is_answered_like_get_without_a_body(here: World, path: str) -> None:
    """Balancers look with it."""
    got = await here.send(head(path, method="GET"))
    with socket.create_connection(("127.0.0.1", here.port)) as plain:
        plain.settimeout(60)
        await asyncio.to_thread(plain.sendall, head(path, "Connection: close", method="HEAD"))
        raw = await asyncio.to_thread(plain.makefile("rb").read)
    assert got is not None
    assert got.status == 200
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version", "/metrics"])
async def test_a_wrong_method_is_told_the_right_ones(here: World, path: str) -> None:
    """405 without Allow is half an answer."""
    answer = await here.send(head(path, "Content-Length: 0"))
    assert answer is not None
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_every_refusal_has_a_status_that_is_not_a_success() -> None:
    """Sentry takes 2xx and 3xx for delivered."""
    kinds = IngestRefusal.__subclasses__()
    assert kinds
    assert all(400 <= kind.status < 600 for kind in kinds)
