"""``relay check`` against a stand-in Splunk on a real port: it finds what is wrong and says what to do."""

import asyncio
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from app.sandbox.splunk import Fault
from tests.journey.check_world import SECRETS, ran, run, splunk, tenants_file


async def test_all_is_well(tmp_path: Path) -> None:
    """One line per step, exit status 0, nothing indexed where nothing is to be, no secret shown."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC, index: sentry")
        status, output = await ran(path, "--no-send")
        lines = output.splitlines()
        assert [line.split(":")[0] for line in lines] == [
            "ok       settings",
            "ok       tenants",
            "ok       secrets",
            "warning  tenants",
            "ok       acme/main dns",
            "ok       acme/main tcp",
            "ok       acme/main health",
            "ok       acme/main hec_token",
            "skipped  acme/main hec_event",
            "0 faults, 1 warning",
        ]
        assert status == 0
        assert not stand_in.indexed
    assert not any(value in output for value in SECRETS.values())


async def test_a_hec_token_that_splunk_does_not_know(tmp_path: Path) -> None:
    """The reference, not the value; and where to look."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:WRONG")
        status, output = await ran(path)
    assert status == 1
    assert (
        "failed   acme/main hec_token: env:WRONG: Splunk (or one indexer of it) does not know the hec_token" in output
    )
    assert "Settings > Data inputs > HTTP Event Collector" in output
    assert SECRETS["WRONG"] not in output


async def test_a_busy_splunk_and_a_web_page_in_its_place(tmp_path: Path) -> None:
    """Health that is not well is a warning; what decides is whether hec_events would pass."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC")
        stand_in.set_health(18)
        status, output = await ran(path)
        assert status == 0
        assert "warning  acme/main health: HTTP 503, code 18" in output

        stand_in.always(Fault.ok_html())
        stand_in.always(Fault.ok_html(), endpoint="health")
        status, output = await ran(path)
    assert status == 1
    assert "warning  acme/main health: this is not how HEC answers" in output
    assert "failed   acme/main hec_token: env:HEC: a success that is not HEC's own" in output


async def test_a_splunk_that_hangs_does_not_hold_the_command_up(tmp_path: Path) -> None:
    """Each request has its time."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC")
        stand_in.always(Fault.hang(stored=False))
        stand_in.always(Fault.hang(stored=False), endpoint="health")
        async with asyncio.timeout(60):
            status, output = await ran(path, RELAY_HEC_TIMEOUT_S="0.2")
    assert status == 1
    assert "health: no whole answer within 0.2 s" in output
    assert "hec_token: env:HEC: no answer in time" in output


async def test_an_address_where_nobody_is(tmp_path: Path) -> None:
    """A name that does not resolve, and a port that nobody listens on; the other tenants are asked all the same."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with splunk() as stand_in:
            path = tenants_file(
                tmp_path,
                lost="url: 'http://splunk.invalid:8088', hec_token: env:HEC",
                shut=f"url: 'http://127.0.0.1:{port}', hec_token: env:HEC",
                acme=f"url: '{stand_in.url}', hec_token: env:HEC",
            )
            status, output = await ran(path)
            one = await ran(path, "--tenant", "acme")
    assert status == 1
    assert "failed   lost/main dns: splunk.invalid does not resolve" in output
    assert f"failed   shut/main tcp: 127.0.0.1 port {port} cannot be reached: Connect" in output
    assert "ok       acme/main hec_token" in output
    assert output.endswith("2 faults, 3 warnings\n")
    assert one.status == 0
    assert "lost/main dns" not in one.output


async def test_json_holds_the_same(tmp_path: Path) -> None:
    """For scripts: one object, steps in order, the same exit status."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:WRONG")
        status, output = await ran(path, "--json")
    report = json.loads(output)
    assert status == 1
    assert (report["fine"], report["failed"], report["warnings"]) == (False, 1, 1)
    steps = {(step["tenant"], step["destination"], step["step"]): step for step in report["steps"]}
    assert steps["acme", "main", "hec_token"]["state"] == "failed"
    assert steps["acme", "main", "hec_token"]["advice"]
    assert steps["", "", "settings"]["state"] == "ok"


def test_offline_stops_before_the_network(tmp_path: Path) -> None:
    """Also where every name is unknown."""
    path = tenants_file(tmp_path, acme="url: 'https://splunk.invalid', hec_token: env:HEC")
    status, output = run(path, "--offline")
    assert status == 0
    assert output.splitlines()[1:] == [
        f"ok       tenants: {path}: 1 tenant, 1 destination",
        "ok       secrets: 2 references resolved",
        "0 faults, 0 warnings",
    ]


def test_faults_of_settings_and_tenants_are_told_line_by_line(tmp_path: Path) -> None:
    """Each fault is a line of its own, with its place."""
    path = tenants_file(tmp_path, acme="url: 'splunk.example', hec_token: env:NONE, idx: a")
    status, output = run(path)
    assert status == 1
    assert f"failed   tenants: {path}:4:27: tenants.acme.splunk[0].url: must begin with https://" in output
    assert "failed   tenants: " in output
    assert "tenants.acme.splunk[0].idx: is not a key here; the nearest one is index" in output
    assert output.endswith("2 faults, 0 warnings\n")

    status, output = run(path, RELAY_PORT="x", RELAY_PROT="1")
    assert status == 1
    assert "failed   settings: RELAY_PROT is not a setting; the nearest one is RELAY_PORT" in output
    assert "failed   settings: RELAY_PORT is 'x'; it must be a whole number, 0 to 65_535" in output
    assert "tenants" not in output


def test_an_admin_token_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """The relay would not start with it; its value is not shown."""
    path = tenants_file(tmp_path, acme="url: 'https://splunk.invalid', hec_token: env:HEC")
    status, output = run(path, "--offline", RELAY_ADMIN_TOKEN="env:ADMIN", ADMIN="short-1")
    assert status == 1
    assert "failed   settings: RELAY_ADMIN_TOKEN: env:ADMIN: " in output
    assert "short-1" not in output
    assert run(path, "--offline", RELAY_ADMIN_TOKEN="env:ADMIN", ADMIN="long enough to be one").status == 0


def test_wrong_usage_is_told_apart(tmp_path: Path) -> None:
    """Exit status 2 for what only the caller can mend."""
    path = tenants_file(tmp_path, acme="url: 'https://splunk.invalid', hec_token: env:HEC")
    status, output = run(path, "--tenant", "acmee")
    assert status == 2
    assert "the file has no tenant 'acmee'; the nearest one is acme" in output
    assert run(path, "--no-such-option").status == 2


def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    """Plain lines where no terminal is, exit status of the process."""
    path = tenants_file(tmp_path, acme="url: 'https://splunk.invalid', hec_token: env:HEC")
    code = "from app.cli.check.command import check_command; check_command(['--offline'])"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    environ |= {**SECRETS, "RELAY_TENANTS_FILE": str(path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert click.unstyle(done.stdout) == done.stdout
    assert done.stdout.endswith("0 faults, 0 warnings\n")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ca.pem`` and, issued by it, ``leaf.pem`` and ``leaf.key`` for splunk.test."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is needed to make certificates")
    folder = tmp_path_factory.mktemp("authority")
    keys = "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    (folder / "names").write_text(f"subjectAltName=DNS:splunk.test\n{keys}")
    request = ["req", "-newkey", "rsa:2048", "-nodes"]
    issue = ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    for arguments in (
        [*request, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "90", "-subj", "/CN=Authority of a test"],
        [*request, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/O=Test/CN=splunk.test"],
        [*issue, "-days", "60", "-out", "leaf.pem", "-extfile", "names"],
    ):
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def served(folder: Path) -> ssl.SSLContext:
    """What the stand-in shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    return context


async def tls_line(tmp_path: Path, authority: Path, keys: str) -> Any:
    """The tls step of a check whose destination has these keys under ``tls``."""
    async with splunk(tls=served(authority)) as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC, tls: {{{keys}}}")
        status, output = await ran(path, "--json")
    steps = {step["step"]: step for step in json.loads(output)["steps"]}
    assert (status == 0) == ("hec_token" in steps)
    return steps["tls"]


async def test_a_certificate_that_verifies_is_told(tmp_path: Path, authority: Path) -> None:
    """Subject, issuer, expiry; by the CA file and the name that the tenants file says."""
    line = await tls_line(tmp_path, authority, f"ca_file: '{authority}/ca.pem', server_name: splunk.test")
    assert line["state"] == "ok"
    assert line["words"].startswith("Test, splunk.test, issued by Authority of a test, valid until 20")


async def test_a_certificate_of_an_unknown_authority(tmp_path: Path, authority: Path) -> None:
    """What it says is shown all the same, and which key mends it."""
    line = await tls_line(tmp_path, authority, "server_name: splunk.test")
    assert line["state"] == "failed"
    assert "it is the certificate of Test, splunk.test, issued by Authority of a test" in line["words"]
    assert "tls.ca_file" in line["advice"]


async def test_a_certificate_for_another_name(tmp_path: Path, authority: Path) -> None:
    """The name it was made for is what tls.server_name needs."""
    line = await tls_line(tmp_path, authority, f"ca_file: '{authority}/ca.pem', server_name: other.test")
    assert line["state"] == "failed"
    assert line["advice"] == "Set tls.server_name to the name it was made for (splunk.test)."


async def test_a_certificate_that_nobody_verifies(tmp_path: Path, authority: Path) -> None:
    """Turned off is a warning, each time."""
    line = await tls_line(tmp_path, authority, "verify: false")
    assert line["state"] == "warning"


async def test_a_pinned_certificate_and_another_one(tmp_path: Path, authority: Path) -> None:
    """The first is enough by itself; of the second its SHA-256 is shown, and nothing is sent."""
    der = ssl.PEM_cert_to_DER_cert((authority / "leaf.pem").read_text())
    digest = hashlib.sha256(der).hexdigest()
    line = await tls_line(tmp_path, authority, f"pin_sha256: ['{digest}']")
    assert line["state"] == "ok"
    line = await tls_line(tmp_path, authority, f"pin_sha256: ['{'0' * 64}']")
    assert line["state"] == "failed"
    assert digest in line["words"]


async def test_a_client_certificate_with_the_key_of_another(tmp_path: Path, authority: Path) -> None:
    """Told before anything is sent."""
    line = await tls_line(
        tmp_path,
        authority,
        f"ca_file: '{authority}/ca.pem', client_cert: '{authority}/leaf.pem', client_key: '{authority}/ca.key'",
    )
    assert line["state"] == "failed"
    assert f"{authority}/leaf.pem or its key cannot be used" in line["words"]


async def test_each_of_several_addresses_is_asked(tmp_path: Path) -> None:
    """One that is down does not hide the other."""
    async with splunk() as stand_in:
        keys = f"urls: ['http://splunk.invalid:8088', '{stand_in.url}'], hec_token: env:HEC, index: sentry"
        status, output = await ran(tenants_file(tmp_path, acme=keys))
    assert status == 1
    lines = [line for line in output.splitlines() if "acme/main" in line]
    assert "ok       acme/main address: http://splunk.invalid:8088" in lines
    assert "failed   acme/main dns: splunk.invalid does not resolve" in lines
    assert f"ok       acme/main address: {stand_in.url}" in lines
    assert "ok       acme/main hec_event: sentry: Splunk took the test hec_event" in lines


async def test_https_where_nobody_speaks_tls(tmp_path: Path) -> None:
    """HEC with SSL turned off."""
    async with splunk() as stand_in:
        url = stand_in.url.replace("http:", "https:")
        status, output = await ran(tenants_file(tmp_path, acme=f"url: '{url}', hec_token: env:HEC"))
    assert status == 1
    assert "failed   acme/main tls: " in output


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "health: no answer in HTTP"),
        (b"", "health: no answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "health: no answer in HTTP"),
    ],
)
async def test_a_port_where_something_else_listens(tmp_path: Path, greeting: bytes, words: str) -> None:
    """Whatever it says, the command says what it found and goes on."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        keys = f"url: 'http://127.0.0.1:{port}', hec_token: env:HEC"
        status, output = await ran(tenants_file(tmp_path, acme=keys))
        tls = await ran(tenants_file(tmp_path, acme=keys.replace("http:", "https:")))
    assert status == 1
    assert words in output
    assert "failed   acme/main hec_token: env:HEC: " in output
    assert "failed   acme/main tls: " in tls.output


async def test_a_ca_file_that_holds_no_certificate(tmp_path: Path) -> None:
    """It looks like one and is none."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    async with splunk() as stand_in:
        url = stand_in.url.replace("http:", "https:")
        keys = f"url: '{url}', hec_token: env:HEC, tls: {{ca_file: ca.pem}}"
        status, output = await ran(tenants_file(tmp_path, acme=keys))
    assert status == 1
    assert "failed   acme/main tls: ca.pem cannot be used" in output
