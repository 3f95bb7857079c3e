"""TLS to Splunk: pinned certificates, client certificates, and authorities as Splunk makes them."""

import asyncio
import hashlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from app.health import Health
from app.metrics import Metrics
from app.model import Secret, SpoolLimits
from app.sandbox.splunk import HecToken, StandInSplunk
from app.splunk.answers import Answer, Fault
from app.splunk.client import HecClients, WireLimits
from app.tenants.model import Destination, Tls
from tests.journey.delivery_world import Part, tenants_file, until, world

TOKEN = Secret("env:HEC", b"hec-secret")
LIMITS = WireLimits(connect_timeout_s=10, timeout_s=30, keepalive_s=8, connection_age_max_s=180, connections_max=4)
PLAIN_CA = """
[req]
distinguished_name = dn
x509_extensions = none
[dn]
[none]
basicConstraints = CA:TRUE
"""


@dataclass(frozen=True)
class Papers:
    """An authority as Splunk's own (no key usage, no key identifiers), a server and a client it signed."""

    folder: Path

    def path(self, name: str) -> str:
        """One of the files."""
        return str(self.folder / name)

    def file(self, name: str) -> Secret:
        """One of them as a tenants file's reference gives it."""
        return Secret(f"file:{name}", (self.folder / name).read_bytes())

    @property
    def fingerprint(self) -> str:
        """The server certificate's SHA-256."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert((self.folder / "server.pem").read_text())).hexdigest()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Made by openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificates of these tests")
    folder = tmp_path_factory.mktemp("papers")
    (folder / "ca.cnf").write_text(PLAIN_CA)
    (folder / "server.ext").write_text("subjectAltName=DNS:SplunkServerDefaultCert")
    (folder / "client.ext").write_text("keyUsage=digitalSignature")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], check=True, capture_output=True, cwd=folder)

    for name in ("ca", "other"):
        authority = ["-x509", *key, "-days", "2", "-subj", "/CN=SplunkCommonCA", "-config", "ca.cnf"]
        run("req", *authority, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, subject in (("server", "SplunkServerDefaultCert"), ("client", "relay")):
        run("req", *key, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext"]
        run("x509", "-req", "-in", f"{name}.csr", *signed, "-days", "2", "-out", f"{name}.pem")
    return Papers(folder)


def server_context(papers: Papers, *, wants_client: bool) -> ssl.SSLContext:
    """What a Splunk shows, and whether it asks for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.path("server.pem"), papers.path("server.key"))
    if wants_client:
        context.load_verify_locations(papers.path("ca.pem"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def splunk_of(papers: Papers, *, wants_client: bool = False) -> AsyncIterator[StandInSplunk]:
    """A Splunk under the server certificate."""
    context = server_context(papers, wants_client=wants_client)
    async with StandInSplunk([HecToken("hec-secret")], tls=context) as splunk:
        yield splunk


async def post(url: str, tls: Tls) -> Answer:
    """One post."""
    destination = Destination(tenant="acme", name="main", url=url, hec_token=TOKEN, hec_token_ref="env:HEC", tls=tls)
    wire = HecClients(LIMITS).open(destination)
    try:
        return await wire.post(b'{"event":{"a":1}}', hec_token=TOKEN, gzip_level=0)
    finally:
        await wire.close()


async def test_an_authority_as_splunk_makes_it_is_enough(papers: Papers) -> None:
    """Splunk's own lacks extensions that Python 3.13 asks for; chain and name are checked all the same."""
    ca = papers.file("ca.pem")
    async with splunk_of(papers) as splunk:
        fine = await post(splunk.url, Tls(ca_file=ca, server_name="SplunkServerDefaultCert"))
        other_name = await post(splunk.url, Tls(ca_file=ca, server_name="splunk.example"))
    assert fine.code == 0
    assert other_name.fault is Fault.TLS_FAILED
    assert "mismatch" in other_name.detail


async def test_a_pinned_certificate_needs_no_authority(papers: Papers) -> None:
    """It is known by itself, whatever name it has; another pin refuses it before anything is sent."""
    async with splunk_of(papers) as splunk:
        assert (await post(splunk.url, Tls(pin_sha256=frozenset({"0" * 64, papers.fingerprint})))).code == 0
        before = splunk.request_count
        stranger = await post(splunk.url, Tls(pin_sha256=frozenset({"0" * 64})))
        assert stranger.fault is Fault.TLS_FAILED
        assert papers.fingerprint in stranger.detail
        assert splunk.request_count == before


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_stranger_gets_no_byte_of_http(
    papers: Papers, new_loop: Callable[[], asyncio.AbstractEventLoop], version: ssl.TLSVersion
) -> None:
    """The handshake itself fails, on every loop: not even a hec_token's length is told. The right pin gets through."""
    got = {"wrong": b"", "right": b""}

    async def ask() -> dict[str, Answer]:
        who = "wrong"

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                while part := await reader.read(65_536):
                    got[who] += part
                    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"code":0}')
            writer.close()

        context = server_context(papers, wants_client=False)
        context.maximum_version = version
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        async with server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            answers = {"wrong": await post(url, Tls(pin_sha256=frozenset({"0" * 64})))}
            who = "right"
            answers["right"] = await post(url, Tls(pin_sha256=frozenset({papers.fingerprint})))
        return answers

    with asyncio.Runner(loop_factory=new_loop) as runner:
        answers = runner.run(ask())
    assert answers["wrong"].fault is Fault.TLS_FAILED
    assert papers.fingerprint in answers["wrong"].detail
    assert answers["right"].code == 0
    assert got["right"].startswith(b"POST /services/collector/event HTTP/1.1")
    assert got["wrong"] == b""


async def test_a_pin_beside_an_authority_asks_for_both(papers: Papers) -> None:
    """The right pin does not excuse the wrong name, nor the right chain the wrong pin."""
    ca, pin = papers.file("ca.pem"), frozenset({papers.fingerprint})
    name = "SplunkServerDefaultCert"
    async with splunk_of(papers) as splunk:
        assert (await post(splunk.url, Tls(ca_file=ca, server_name=name, pin_sha256=pin))).code == 0
        assert (await post(splunk.url, Tls(ca_file=ca, pin_sha256=pin))).fault is Fault.TLS_FAILED
        strange = await post(splunk.url, Tls(ca_file=ca, server_name=name, pin_sha256=frozenset({"0" * 64})))
        assert strange.fault is Fault.TLS_FAILED


async def test_a_client_certificate_is_shown_where_splunk_asks_for_one(papers: Papers) -> None:
    """``requireClientCert`` of inputs.conf; without one nothing gets through."""
    pin = frozenset({papers.fingerprint})
    async with splunk_of(papers, wants_client=True) as splunk:
        known = Tls(pin_sha256=pin, client_cert=papers.file("client.pem"), client_key=papers.file("client.key"))
        assert (await post(splunk.url, known)).code == 0
        assert (await post(splunk.url, Tls(pin_sha256=pin))).fault is not None
        assert splunk.request_count == 1


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
    """A handshake as OpenSSL makes it: it fails with an alert, which asyncio's own servers do not send."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going, server_side=True)
    with suppress(ssl.SSLError, ConnectionError):
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                writer.write(going.read())
                coming.write(await reader.read(65_536))
            except ssl.SSLError:
                break
    writer.write(going.read())
    await reader.read()
    writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_that_is_missing_is_told_and_nothing_is_in_doubt(
    papers: Papers, version: ssl.TLSVersion
) -> None:
    """TLS 1.3 tells it after the request went out, which nobody looked at; one such Splunk must not end the relay."""
    context = server_context(papers, wants_client=True)
    context.maximum_version = version
    listening = await asyncio.start_server(lambda reader, writer: refuse(reader, writer, context), "127.0.0.1", 0)
    async with listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        answer = await post(url, Tls(pin_sha256=frozenset({papers.fingerprint})))
    assert answer.fault is Fault.TLS_FAILED
    assert answer.detail.startswith("the other side says: ")


async def test_a_key_that_does_not_belong_to_the_certificate_is_told(papers: Papers) -> None:
    """In words that say which file; nobody is asked for a password."""
    tls = Tls(client_cert=papers.file("client.pem"), client_key=papers.file("server.key"))
    answer = await post("https://127.0.0.1:9", tls)
    assert answer.fault is Fault.TLS_FAILED
    assert "client certificate" in answer.detail


async def test_a_changed_authority_is_followed_like_a_secret(papers: Papers, tmp_path: Path) -> None:
    """The file of authorities is replaced under the same name: what waited arrives. A bad one leaves the last good."""
    (tmp_path / "ca.pem").write_bytes((papers.folder / "other.pem").read_bytes())
    more = {"tls": {"ca_file": "ca.pem", "server_name": "SplunkServerDefaultCert"}}
    async with (
        splunk_of(papers) as splunk,
        world(tmp_path, [Part("acme", splunk.url, "hec-secret", more=more)]) as made,
    ):
        await made.accept(2)
        supervisor = made.run()
        watching = asyncio.create_task(made.registry.watch(poll_s=0.02))
        await until(lambda: any("certificate" in str(each) for each in supervisor.states()))
        (tmp_path / "ca.pem").write_bytes((papers.folder / "ca.pem").read_bytes())
        await made.until_settled()
        (tmp_path / "ca.pem").write_text("an accident")
        await until(lambda: any("file:ca.pem" in words for words in made.registry.snapshot.unresolved))
        await made.accept(2)
        await made.until_settled()
        watching.cancel()
        assert splunk.indexed_count == 4


async def test_a_certificate_that_is_not_checked_is_counted_and_told_as_long_as_it_is_so(
    papers: Papers, tmp_path: Path
) -> None:
    """A metric for each such destination, and a warning in readiness; both go with the next good file."""
    metrics = Metrics("1")
    series = 'relay_destination_tls_unverified{tenant="acme",destination="main"} 1.0'
    async with splunk_of(papers) as splunk:
        unsafe = Part("acme", splunk.url, "hec-secret", more={"tls": {"verify": False}})
        async with world(tmp_path, [unsafe]) as made:
            supervisor = made.run(observer=metrics)
            health = Health(
                spool=made.spool,
                tenants=made.registry,
                delivering=supervisor,
                metrics=metrics,
                trouble=lambda: None,
                bounds=SpoolLimits(10, 1_000, 1_000, 3_600),
                troubles=list,
            )
            assert series in metrics.page(None, now=1).decode()
            assert any("tls.verify is off" in each for each in (await health.readiness()).parts["tenants"].words)
            await made.accept()
            await made.until_settled()
            tenants_file(tmp_path, [Part("acme", splunk.url, "hec-secret")])
            watching = asyncio.create_task(made.registry.watch(poll_s=0.02))
            await until(lambda: series not in metrics.page(None, now=1).decode())
            watching.cancel()
            assert not any("verify" in each for each in (await health.readiness()).parts["tenants"].words)
