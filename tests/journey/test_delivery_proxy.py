"""By way of a proxy: a real one in miniature, before a stand-in Splunk, plain and under TLS."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.model import Secret
from app.sandbox.splunk import HecToken, StandInSplunk
from app.splunk.answers import Answer, Fault, Outcome, judge
from app.splunk.client import HecClients
from app.tenants.model import Destination, Proxy, Tls
from app.tenants.registry import Registry
from tests.journey.check_world import ran, splunk, tenants_file
from tests.journey.delivery_world import Part, world
from tests.journey.test_delivery_tls import LIMITS, TOKEN, Papers, papers, server_context, splunk_of

__all__ = ["papers"]

CREDENTIALS = Secret("env:PROXY", b"relay:pass:word")


@dataclass
class MiniProxy:
    """Opens ways (``CONNECT``) and passes plain requests on; ``refuse`` is a status that it answers instead."""

    url: str = ""
    refuse: int = 0
    credentials: bytes = b""
    asked: list[str] = field(default_factory=list)
    """First line of each request."""
    seen: bytes = b""
    """Everything that it could read."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the relay."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.seen += head
            method, target, _ = head.split(b" ", 2)
            self.asked.append(f"{method.decode()} {target.decode()}")
            wanted = b"Proxy-Authorization: Basic " + base64.b64encode(self.credentials)
            status = self.refuse or (407 if self.credentials and wanted.lower() not in head.lower() else 0)
            if status:
                writer.write(b"HTTP/1.1 %d no, dear hec-secret\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
            else:
                await self._pass_on(method, target.decode(), head, reader, writer)
        writer.close()

    async def _pass_on(
        self, method: bytes, target: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, _, port = (target if method == b"CONNECT" else urlsplit(target).netloc).rpartition(":")
        there, away = await asyncio.open_connection(host, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            away.write(head.replace(target.encode(), urlsplit(target).path.encode(), 1))
        await asyncio.gather(self._copy(reader, away), self._copy(there, writer))

    @staticmethod
    async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await source.read(65_536):
                to.write(part)
                await to.drain()
        to.close()


@asynccontextmanager
async def proxy_of(papers: Papers | None = None, **is_such: object) -> AsyncIterator[MiniProxy]:
    """A proxy, under TLS where it has papers."""
    made = MiniProxy(**is_such)  # type: ignore[arg-type]
    context = None if papers is None else server_context(papers, wants_client=False)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.url = f"{'http' if papers is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


async def post(url: str, proxy: Proxy | None, tls: Tls | None = None, unused: tuple[str, ...] = ()) -> Answer:
    """One post."""
    to = Destination(
        tenant="acme", name="main", url=url, hec_token=TOKEN, hec_token_ref="env:HEC", tls=tls or Tls(), proxy=proxy
    )
    client = HecClients(LIMITS, unused_proxies=unused).open(to)
    try:
        return await client.post(b'{"event":{"a":1}}', hec_token=TOKEN, gzip_level=0)
    finally:
        await client.close()


async def test_through_a_tunnel_the_proxy_sees_nothing(papers: Papers) -> None:
    """Its CONNECT names the address; hec_token and hooks pass under Splunk's own certificate, checked by name."""
    tls = Tls(ca_file=papers.file("ca.pem"), server_name="SplunkServerDefaultCert")
    async with splunk_of(papers) as splunk, proxy_of(credentials=CREDENTIALS.value) as proxy:
        answer = await post(splunk.url, Proxy(url=proxy.url, credentials=CREDENTIALS), tls)
        assert answer.code == 0
        assert proxy.asked == [f"CONNECT {urlsplit(splunk.url).netloc}"]
        assert b"hec-secret" not in proxy.seen
        assert splunk.requests[0].headers["authorization"] == "Splunk hec-secret"
        assert "proxy-authorization" not in splunk.requests[0].headers
        stranger = await post(
            splunk.url, Proxy(url=proxy.url, credentials=CREDENTIALS), Tls(pin_sha256=frozenset({"0" * 64}))
        )
        assert stranger.fault is Fault.TLS_FAILED
        assert f"by way of the proxy {proxy.url}" in stranger.detail
        assert splunk.request_count == 1


async def test_a_proxy_under_tls_is_checked_by_its_own_authority(papers: Papers) -> None:
    """The credentials for it go to nobody else. Its certificate here is for another name, so it is refused."""
    async with splunk_of(papers) as splunk, proxy_of(papers, credentials=CREDENTIALS.value) as proxy:
        known = Proxy(url=proxy.url, credentials=CREDENTIALS, ca_file=papers.file("ca.pem"))
        answer = await post(splunk.url, known, Tls(verify=False))
        assert answer.fault is Fault.TLS_FAILED
        assert proxy.seen == b""
        broken = Proxy(url=proxy.url, ca_file=Secret("file:p.pem", b"nothing"))
        assert "the proxy's CA file cannot be used" in (await post(splunk.url, broken, Tls(verify=False))).detail


async def test_a_plain_address_is_asked_for_by_its_whole_url() -> None:
    """As HTTP has it for proxies without a tunnel."""
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, proxy_of() as proxy:
        assert (await post(splunk.url, Proxy(url=proxy.url))).code == 0
        assert proxy.asked == [f"POST {splunk.url}/services/collector/event"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(407, "credentials"), (403, "let the relay through"), (502, "cannot reach"), (418, "answers with HTTP 418")],
)
async def test_a_proxy_that_opens_no_way_is_told_from_a_splunk_that_is_down(
    papers: Papers, status: int, words: str
) -> None:
    """Nothing was sent, so nothing is in doubt; what the proxy says besides its status is not repeated."""
    async with splunk_of(papers) as splunk, proxy_of(refuse=status) as proxy:
        answer = await post(splunk.url, Proxy(url=proxy.url), Tls(verify=False))
        assert answer.fault is Fault.PROXY_FAILED
        verdict = judge(answer, 1)
        assert (verdict.outcome, verdict.ambiguous, verdict.act.value) == (
            Outcome.UNREACHABLE,
            False,
            "tenant configuration",
        )
        assert words in verdict.words
        assert proxy.url in verdict.words
        assert "hec-secret" not in verdict.words
        assert splunk.request_count == 0


async def test_credentials_that_are_wrong_are_no_ones_business_but_the_proxys(papers: Papers) -> None:
    """407 from the tunnel, and from a proxy that passes plain requests on."""
    wrong = Secret("env:PROXY", b"relay:other")
    async with splunk_of(papers) as splunk, proxy_of(credentials=CREDENTIALS.value) as proxy:
        tunnel = await post(splunk.url, Proxy(url=proxy.url, credentials=wrong), Tls(verify=False))
        plain = await post(splunk.url.replace("https:", "http:"), Proxy(url=proxy.url, credentials=wrong))
        for answer in (tunnel, plain):
            verdict = judge(answer, 1)
            assert "credentials" in verdict.words
            assert "other" not in verdict.words.replace("wants other credentials", "")


async def test_no_connection_says_by_which_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy its address; without one, that the environment names some which are not used."""
    dead = Proxy(url="http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert "by way of the proxy http://127.0.0.1:9" in (await post("http://splunk.invalid", dead)).detail
    answer = await post("http://127.0.0.1:9", None, unused=("HTTPS_PROXY",))
    assert answer.fault is Fault.CONNECT_FAILED
    assert "HTTPS_PROXY of the environment is not used" in answer.detail
    assert "HTTPS_PROXY" not in (await post("http://127.0.0.1:9", None)).detail


async def test_the_tenants_file_names_the_proxy_and_hooks_arrive(tmp_path: Path) -> None:
    """Credentials by reference; a changed one is taken over, and what waited meanwhile arrives."""
    password = tmp_path / "proxy-password"
    password.write_text("relay:old")
    async with StandInSplunk([HecToken("hec-secret")]) as splunk, proxy_of(credentials=b"relay:new") as proxy:
        keys = {"proxy": {"url": proxy.url, "credentials": "file:proxy-password"}}
        async with world(tmp_path, [Part("acme", splunk.url, "hec-secret", more=keys)]) as here:
            await here.accept(3)
            here.run()
            watching = asyncio.create_task(here.registry.watch(poll_s=0.02))
            async with asyncio.timeout(30):
                while not here.supervisor.states():
                    await asyncio.sleep(0.01)
            password.write_text("relay:new")
            await here.until_settled()
            watching.cancel()
            assert splunk.indexed_count == 3


async def test_a_proxy_of_the_environment_is_said_wherever_somebody_looks(tmp_path: Path) -> None:
    """In the warnings of the start, of readiness and of the check; not where every destination has its own."""
    environ = {"SENTRY": "sentry-secret-of-acme", "SHARED": "x" * 16, "https_proxy": "http://proxy.example:3128"}
    parts = [Part("acme", "https://splunk.example", "hec-secret")]
    async with world(tmp_path, parts):
        direct = Registry.load(tmp_path / "tenants.yaml", environ=environ).snapshot.warnings
    parts[0].more = {"proxy": "http://proxy.example:3128"}
    (tmp_path / "own").mkdir()
    async with world(tmp_path / "own", parts):
        own = Registry.load(tmp_path / "own" / "tenants.yaml", environ=environ).snapshot.warnings
    assert any("https_proxy of the environment is not used: acme/main is reached directly" in each for each in direct)
    assert not any("environment" in each for each in own)


async def test_relay_check_goes_by_the_same_way(tmp_path: Path, papers: Papers) -> None:
    """Dns and tcp are the proxy's; through it tls, health and hec_token as ever."""
    async with splunk() as plain, splunk_of(papers) as under_tls, proxy_of() as proxy:
        for url, more in (
            (plain.url, ""),
            (under_tls.url, f", tls: {{pin_sha256: ['{papers.fingerprint}']}}"),
        ):
            keys = f"url: '{url}', hec_token: env:HEC, proxy: '{proxy.url}'{more}"
            _, output = await ran(tenants_file(tmp_path, acme=keys), "--no-send")
            assert f"by way of the proxy {proxy.url}" in output
            assert ("ok       acme/main tls:" in output) == (url is under_tls.url)
        assert proxy.asked[-1] == f"CONNECT {urlsplit(under_tls.url).netloc}"
