"""The wire to Splunk: every trouble on it is a plain answer, told apart by whether anything was sent."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.model import Secret
from app.sandbox.splunk import Fault as Spoil
from app.sandbox.splunk import HecToken, StandInSplunk
from app.splunk.answers import Answer, Fault, HecBody, judge_probe
from app.splunk.client import ANSWER_BYTES_MAX, HecClient, HecClients, WireLimits
from app.tenants.model import Ack, Destination, Tls
from tests.journey.delivery_world import until

TOKEN = Secret("env:HEC", b"hec-secret")
LIMITS = WireLimits(connect_timeout_s=10, timeout_s=30, keepalive_s=8, connection_age_max_s=180, connections_max=4)
IMPATIENT = replace(LIMITS, timeout_s=0.5)
BODY = b'{"event":{"a":1},"index":"main"}'


def destination(url: str, tls: Tls | None = None) -> Destination:
    """A destination at this address."""
    return Destination(tenant="acme", name="main", url=url, hec_token=TOKEN, hec_token_ref="env:HEC", tls=tls or Tls())


@asynccontextmanager
async def client(url: str, tls: Tls | None = None, limits: WireLimits = LIMITS) -> AsyncIterator[HecClient]:
    """A client, closed in the end."""
    made = HecClients(limits).open(destination(url, tls))
    try:
        yield made
    finally:
        await made.close()


async def post(to: HecClient, body: bytes = BODY, *, gzip_level: int = 1) -> Answer:
    """Post under the hec_token."""
    return await to.post(body, hec_token=TOKEN, gzip_level=gzip_level)


@asynccontextmanager
async def server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that does what no HTTP server should; its address."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await asyncio.sleep(0)


async def test_a_post_carries_everything_splunk_wants_to_see() -> None:
    """hec_token, channel, User-Agent, types; small bodies go plain, larger ones gzipped; the connection is kept."""
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, client(splunk.url) as wire:
        assert replace(await post(wire), channel="") == Answer(
            status=200, body=HecBody(0, "Success"), content_type="application/json; charset=UTF-8"
        )
        long = BODY[:-1] + b',"source":"' + b"x" * 100_000 + b'"}'
        assert (await post(wire, long)).code == 0
        assert (await post(wire, long, gzip_level=0)).code == 0
        small, zipped, plain = (each.headers for each in splunk.requests)
        assert small["authorization"] == "Splunk hec-secret"
        assert small["content-type"] == "application/json"
        assert "content-encoding" not in small
        assert "content-encoding" not in plain
        assert zipped["content-encoding"] == "gzip"
        assert splunk.requests[1].wire_bytes < 1_000
        assert len({each["x-splunk-request-channel"] for each in (small, zipped, plain)}) == 1
        assert splunk.connections == 1


@pytest.mark.parametrize("ack", [None, Ack()])
async def test_a_channel_that_splunk_does_not_accept_is_given_up(ack: Ack | None) -> None:
    """Code 11: what follows goes through another."""
    async with StandInSplunk([HecToken("hec-secret", use_ack=ack is not None)]) as splunk:
        splunk.script(Spoil.code(11))
        wire = HecClients(LIMITS).open(replace(destination(splunk.url), ack=ack))
        try:
            assert [(await post(wire)).code for _ in range(3)] == [11, 0, 0]
        finally:
            await wire.close()
        refused, *rest = (each.headers["x-splunk-request-channel"] for each in splunk.requests)
        assert refused not in rest
        assert len(set(rest)) == 1


async def test_a_probe_indexes_nothing_and_tells_whether_the_hec_token_is_taken() -> None:
    """The empty post draws code 5 under a good hec_token, 403 under a bad one."""
    async with StandInSplunk([HecToken("hec-secret", use_ack=True)]) as splunk, client(splunk.url) as wire:
        assert judge_probe(await wire.probe(hec_token=TOKEN)) is None
        refused = await wire.probe(hec_token=Secret("env:OLD", b"old"))
        assert (refused.status, refused.code) == (403, 4)
        assert splunk.indexed_count == 0


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (Spoil.hang(stored=True), Fault.READ_TIMEOUT),
        (Spoil.cut(stored=True), Fault.RESET_AFTER_SENT),
        (Spoil.cut(stored=True, reset=True), Fault.RESET_AFTER_SENT),
        (Spoil.cut(stored=True, partial_answer=True), Fault.RESET_AFTER_SENT),
    ],
)
async def test_what_breaks_after_sending_is_told_as_such(spoil: Spoil, fault: Fault) -> None:
    """Splunk may have it: also if half an answer came."""
    async with StandInSplunk([HecToken("hec-secret")]) as splunk:
        splunk.script(spoil)
        async with client(splunk.url, limits=IMPATIENT) as wire:
            assert (await post(wire)).fault is fault
        async with client(splunk.url) as wire:
            assert (await post(wire)).code == 0


async def test_no_connection_is_told_as_such() -> None:
    """Refused, unknown, or no answer while connecting: nothing was sent."""
    async with client("http://127.0.0.1:9") as wire:
        answer = await post(wire)
        assert answer.fault is Fault.CONNECT_FAILED
        assert answer.detail
    async with client("http://no-such-host.invalid") as wire:
        assert (await post(wire)).fault is Fault.CONNECT_FAILED


async def test_a_connection_kept_for_too_long_by_us_and_closed_by_them_costs_nothing() -> None:
    """Splunk closed the idle connection: the next post goes over a new one."""
    async with StandInSplunk([HecToken("hec-secret")], idle_close_s=0.4) as splunk, client(splunk.url) as wire:
        assert (await post(wire)).code == 0
        await until(lambda: not splunk.open_connections)
        assert (await post(wire)).code == 0
        assert splunk.connections == 2


async def test_connections_are_renewed_at_their_age() -> None:
    """So that balancers and changes of DNS are followed."""
    limits = replace(LIMITS, connection_age_max_s=0.05)
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, client(splunk.url, limits=limits) as wire:
        for _ in range(3):
            assert (await post(wire)).code == 0
            await asyncio.sleep(0.06)
        assert splunk.connections == 3


async def test_closing_that_is_cut_off_is_ended_by_the_next() -> None:
    """Two pools of connections, an old one with a post under way and a new one: both are closed in the end."""
    opened: list[bool] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(opened)
        opened.append(True)
        try:
            await reader.readuntil(b"\r\n\r\n")
            if number:
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"text":"","code": 0}')
            while await reader.read(1000):
                pass
        finally:
            opened[number] = False

    limits = replace(LIMITS, connection_age_max_s=0.01)
    async with server(serve) as url, client(url, limits=limits) as made:
        hanging = asyncio.create_task(post(made))
        await until(lambda: len(opened) == 1)
        await asyncio.sleep(0.02)  # the age of a connection
        assert (await post(made)).status == 200
        closing = asyncio.create_task(made.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await made.close()
        await until(lambda: opened == [False, False])
        await hanging


async def test_an_answer_that_trickles_is_cut_at_the_deadline() -> None:
    """The time is for the whole exchange, not for each read."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with server(trickle) as url, client(url, limits=IMPATIENT) as wire:
        assert (await post(wire)).fault is Fault.READ_TIMEOUT


async def test_an_answer_without_end_is_read_no_further_than_its_bound() -> None:
    """Whoever answers cannot fill the memory; such a 200 is no success."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b" " * 8192)
            await writer.drain()
            sent += 8192

    async with server(flood) as url, client(url) as wire:
        answer = await post(wire)
        assert (answer.status, answer.body, answer.fault) == (200, None, None)
        assert sent < ANSWER_BYTES_MAX + 8_000_000


@pytest.mark.parametrize("nonsense", [b"", b"\0\0\0\0\r\n\r\n", b"HTTP/9.9 abc\r\n\r\n", b"SSH-2.0-x\r\n"])
async def test_an_answer_that_is_no_http_is_a_fault_after_sending(nonsense: bytes) -> None:
    """Who speaks something else may still be a broken balancer before Splunk."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(nonsense)
        await writer.drain()

    async with server(speak) as url, client(url) as wire:
        assert (await post(wire)).fault is Fault.RESET_AFTER_SENT


async def test_a_redirect_is_not_followed() -> None:
    """The hec_token goes to nobody but the address in the tenants file."""
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, StandInSplunk([]) as other:
        splunk.script(Spoil.redirect(other.url + "/services/collector/event", status=307))
        async with client(splunk.url) as wire:
            assert (await post(wire)).status == 307
            assert other.connections == 0


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets to see hec_tokens because a variable was set for something else."""
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, StandInSplunk([]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with client(splunk.url) as wire:
            assert (await post(wire)).code == 0
            assert proxy.connections == 0


@pytest.mark.parametrize("value", [b"two\r\nX-Evil: 1", b"\0", b"new\nline"])
async def test_a_hec_token_that_cannot_stand_in_a_header_is_not_shown(value: bytes) -> None:
    """Nothing is sent, and no text repeats it."""
    async with StandInSplunk([]) as splunk, client(splunk.url) as wire:
        answer = await wire.post(BODY, hec_token=Secret("env:HEC", value), gzip_level=0)
        assert answer.fault is Fault.UNSENDABLE
        assert "Evil" not in repr(answer) + repr(wire)
        assert splunk.request_count == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for ``splunk.example`` that nobody signed but itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate of this test")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=splunk.example", "-addext", "subjectAltName=DNS:splunk.example"]
    subprocess.run([openssl, *made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def tls_splunk(certificate: tuple[Path, Path]) -> AsyncIterator[StandInSplunk]:
    """A Splunk under that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with StandInSplunk([HecToken("hec-secret")], tls=context) as splunk:
        yield splunk


async def test_a_certificate_that_nobody_signed_is_refused_in_words(certificate: tuple[Path, Path]) -> None:
    """Verified by default; the words say what is wrong with it, and nothing was sent."""
    async with tls_splunk(certificate) as splunk, client(splunk.url) as wire:
        answer = await post(wire)
        assert answer.fault is Fault.TLS_FAILED
        assert "self-signed certificate" in answer.detail or "self signed" in answer.detail
        assert splunk.request_count == 0


async def test_a_certificate_authority_and_a_server_name_of_ones_own_are_used(
    certificate: tuple[Path, Path],
) -> None:
    """The CA file alone is not enough under another name; with the name it is."""
    cert = Secret("file:ca.pem", certificate[0].read_bytes())
    async with tls_splunk(certificate) as splunk:
        async with client(splunk.url, Tls(ca_file=cert)) as wire:
            answer = await post(wire)
            assert answer.fault is Fault.TLS_FAILED
            assert "127.0.0.1" in answer.detail
        async with client(splunk.url, Tls(ca_file=cert, server_name="splunk.example")) as wire:
            assert (await post(wire)).code == 0


async def test_verification_is_off_only_when_told(certificate: tuple[Path, Path]) -> None:
    """The loud choice of the tenants file."""
    async with tls_splunk(certificate) as splunk, client(splunk.url, Tls(verify=False)) as wire:
        assert (await post(wire)).code == 0


@pytest.mark.parametrize(
    "content", [b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
async def test_a_ca_file_that_cannot_be_used_is_an_answer(content: bytes) -> None:
    """It keeps the lane paused and says why; nothing is raised."""
    async with client("https://127.0.0.1:9", Tls(ca_file=Secret("file:ca.pem", content))) as wire:
        answer = await post(wire)
        assert answer.fault is Fault.TLS_FAILED
        assert "CA file" in answer.detail
