"""The stand-in Splunk conforms: connections, HTTP versions, TLS."""

import asyncio
import gzip
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from app.sandbox.splunk import BUSY_IDLE_CLOSE_S, IDLE_CLOSE_S, Fault, HecToken, StandInSplunk
from tests.journey.stand_in_splunk_calls import EVENT, calls_to

TOKENS = [HecToken("good")]
BODY = b'{"event":"a"}'


def request(body: bytes = BODY, *more: str) -> bytes:
    """A whole request as bytes, without a User-Agent."""
    lines = [
        f"POST {EVENT} HTTP/1.1",
        "Host: splunk",
        "Authorization: Splunk good",
        f"Content-Length: {len(body)}",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def spoken(splunk: StandInSplunk, sent: bytes) -> bytes:
    """Everything that comes back until the stand-in hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", splunk.port)
    writer.write(sent)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_without_a_user_agent_the_answer_is_http_1_0() -> None:
    """[spec] inputs.conf forceHttp10=auto: HTTP/1.0, and the connection is closed."""
    async with StandInSplunk(TOKENS) as splunk:
        answer = await spoken(splunk, request() * 2)

        assert answer.startswith(b"HTTP/1.0 200 ")
        assert b"connection: close" in answer.lower()
        assert answer.endswith(b'{"text":"Success","code":0}')
        assert splunk.request_count == 1


async def test_with_a_user_agent_connections_are_kept() -> None:
    """[spec] inputs.conf forceHttp10=auto."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answers = [await calls.post(BODY) for _ in range(3)]

        assert [each.http_version for each in answers] == ["HTTP/1.1"] * 3
        assert (splunk.connections, splunk.open_connections) == (1, 1)


async def test_an_idle_connection_is_closed() -> None:
    """[spec] inputs.conf: 7200 s, or 12 s when busy (busyKeepAliveIdleTimeout); settable here."""
    assert (IDLE_CLOSE_S, BUSY_IDLE_CLOSE_S) == (7200, 12)
    async with StandInSplunk(TOKENS, idle_close_s=0.4) as splunk:
        began = asyncio.get_running_loop().time()
        answer = await spoken(splunk, request(BODY, "User-Agent: test"))

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert await spoken(splunk, b"") == b""


async def test_requests_may_be_pipelined() -> None:
    """[spec] RFC 9112: answered in order."""
    async with StandInSplunk(TOKENS, idle_close_s=0.4) as splunk:
        one, two = request(BODY, "User-Agent: test"), request(b"{", "User-Agent: test")
        answer = await spoken(splunk, one + two)

        assert answer.index(b'"code":0') < answer.index(b'"code":6')


async def test_a_chunked_body_is_read() -> None:
    """[spec] RFC 9112."""

    async def parts() -> object:
        yield b'{"event":'
        yield b'"a"}'

    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        headers = {"Authorization": "Splunk good"}
        answer = await calls.client.post(EVENT, content=parts(), headers=headers)  # type: ignore[arg-type]

        assert answer.json()["code"] == 0


async def test_who_waits_to_be_told_to_go_on_is_told() -> None:
    """[spec] RFC 9110, Expect: 100-continue, as curl does for larger bodies."""
    async with StandInSplunk(TOKENS) as splunk:
        reader, writer = await asyncio.open_connection("127.0.0.1", splunk.port)
        whole = request(BODY, "User-Agent: test", "Expect: 100-continue")
        writer.write(whole[: -len(BODY)])
        async with asyncio.timeout(60):
            assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
            writer.write(BODY)
            assert await splunk.wait_for(1)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000]
)
async def test_what_is_no_http_gets_a_400(sent: bytes) -> None:
    """[inferred] A page, and the connection is closed; nothing is remembered."""
    async with StandInSplunk(TOKENS) as splunk:
        answer = await spoken(splunk, sent)

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert splunk.request_count == 0


async def test_a_client_that_breaks_off_leaves_no_trace() -> None:
    """[stand-in] Half a body is no request; the next one is served."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        _, writer = await asyncio.open_connection("127.0.0.1", splunk.port)
        writer.write(request(BODY)[:-5])
        writer.close()
        await writer.wait_closed()
        answer = await calls.post(BODY)

        assert answer.json()["code"] == 0
        assert splunk.request_count == 1


async def test_a_long_body_holds_nobody_up() -> None:
    """[stand-in] It is read beside the loop; others are served meanwhile."""
    long_body = gzip.compress(b'{"event":"%s"}\n' % (b"x" * 90) * 50_000, 1)
    served = 0
    async with StandInSplunk(TOKENS, remember="count") as splunk, calls_to(splunk) as calls:
        long_one = asyncio.create_task(calls.post(long_body, headers={"Content-Encoding": "gzip"}))
        while not long_one.done():
            assert (await calls.post(BODY)).json()["code"] == 0
            served += 1

        assert (await long_one).json()["code"] == 0
        assert splunk.indexed_count == 50_000 + served
    assert served >= 5


async def test_a_stop_ends_what_hangs() -> None:
    """[stand-in] Connections are closed at once, and the port is free again."""
    splunk = StandInSplunk(TOKENS)
    await splunk.start()
    splunk.script(Fault.hang(stored=True))
    async with calls_to(splunk) as calls:
        hanging = asyncio.create_task(calls.post(BODY))
        await splunk.wait_for(1)
        async with asyncio.timeout(60):
            await splunk.stop()
        with pytest.raises(httpx.HTTPError):
            await hanging
        with pytest.raises(httpx.ConnectError):
            await calls.post(BODY)
        await splunk.start(port=splunk.port)
        assert (await calls.post(BODY)).json()["code"] == 0
    await splunk.stop()
    await splunk.stop()

    assert splunk.indexed_count == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key in one file, made for this run."""
    folder = tmp_path_factory.mktemp("tls")
    key, chain, both = folder / "key.pem", folder / "chain.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1"]
    names = ["-subj", "/CN=SplunkServerDefaultCert", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*command, *names, "-keyout", key, "-out", chain], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl program")
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    return both


async def test_tls_is_the_callers(certificate: Path) -> None:
    """[docs] HEC speaks TLS by default, with a certificate that nobody trusts by default."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    async with StandInSplunk(TOKENS, tls=server_side) as splunk:
        assert splunk.url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(base_url=splunk.url, verify=trusting) as client:
            answer = await client.post(EVENT, content=BODY, headers={"Authorization": "Splunk good"})
            splunk.script(Fault.cut(stored=True))
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(EVENT, content=BODY, headers={"Authorization": "Splunk good"})
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
            await httpx.AsyncClient().get(splunk.url)

        assert answer.json()["code"] == 0
        assert splunk.indexed_count == 2
