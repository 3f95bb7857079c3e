"""Three relays on one PostgreSQL behind nginx, as ``deploy/compose/replicas.yaml`` has them: any of them may go."""

import contextlib
import http.client
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.renders import DEPLOY
from tests.postgres_server import PostgresServer
from tests.system.running import IMAGE, SETTINGS, Answer, Relay, Splunk, hook
from tests.torture.ports import number, reserved_port

NGINX = shutil.which("nginx")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(IMAGE), reason="these are this checkout's own processes"),
    pytest.mark.skipif(NGINX is None, reason="NO NGINX: the replicas are not tried (Debian: apt-get install nginx)"),
]
ATTEMPT_S = 15


class Replica(Relay):
    """One of the three: the same tenants file and secrets, another port."""

    def __init__(self, folder: Path, splunk: Splunk, spool_url: str) -> None:
        folder.mkdir()
        super().__init__(folder, splunk)
        self._spool_url = spool_url

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.begin("serve", settings={"RELAY_PORT": str(self.port), "RELAY_SPOOL_URL": self._spool_url, **SETTINGS})


class Nginx:
    """nginx with the configuration of the compose file, its names and paths those of this machine."""

    def __init__(self, folder: Path, relays: list[Replica]) -> None:
        folder.mkdir()
        folder.chmod(0o755)
        self._reserved = reserved_port()
        self.port = number(self._reserved)
        self._certificate = folder / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        names = ["-addext", "subjectAltName=DNS:localhost"]
        key = folder / "key.pem"
        subprocess.run(
            [*made, *names, "-keyout", str(key), "-out", str(self._certificate)], check=True, capture_output=True
        )
        said = (DEPLOY / "compose" / "nginx.conf").read_text("utf-8")
        said = said.replace("/tmp/", f"{folder}/").replace("/dev/stderr", "stderr")  # noqa: S108 - nginx's own
        for place, relay in enumerate(relays, start=1):
            said = said.replace(f"relay-{place}:8080", f"127.0.0.1:{relay.port}")
        said = said.replace("listen 8443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        said = re.sub(r"(ssl_certificate) \S+;", rf"\1 {self._certificate};", said)
        said = re.sub(r"(ssl_certificate_key) \S+;", rf"\1 {key};", said)
        (folder / "nginx.conf").write_text(said, "utf-8")
        command = [str(NGINX), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        self._running = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def post(self, number: int, path: str = "/sentry/acme") -> Answer:
        """One hook, as Sentry sends it: over TLS, the certificate verified, on a connection of its own."""
        body, headers = hook(number)
        trust = ssl.create_default_context(cafile=str(self._certificate))
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=ATTEMPT_S, context=trust)
        with contextlib.closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    def wait(self) -> None:
        """Until it answers."""
        ends = time.monotonic() + ATTEMPT_S
        while True:
            with contextlib.suppress(OSError):
                self.post(0, "/elsewhere")
                return
            assert time.monotonic() < ends
            time.sleep(0.05)

    def remove(self) -> None:
        """End it."""
        self._running.send_signal(signal.SIGQUIT)
        self._running.wait(ATTEMPT_S)
        self._reserved.close()


@pytest.fixture
def relays(splunk: Splunk, tmp_path: Path) -> Iterator[list[Replica]]:
    """Three that run."""
    with PostgresServer(log_in_memory=True) as database:
        relays = [Replica(tmp_path / f"relay-{place}", splunk, database.url) for place in (1, 2, 3)]
        try:
            for relay in relays:
                relay.start()
            yield relays
        finally:
            for relay in relays:
                relay.remove()


@pytest.fixture
def nginx(relays: list[Replica], tmp_path: Path) -> Iterator[Nginx]:
    """Nginx before them."""
    nginx = Nginx(tmp_path / "nginx", relays)
    try:
        nginx.wait()
        yield nginx
    finally:
        nginx.remove()


def test_any_relay_may_go(nginx: Nginx, relays: list[Replica], splunk: Splunk) -> None:
    """One is killed, another stopped in order, while hooks come in: every hook is answered 202 and arrives."""
    delivery_ids = set()
    for count in range(60):
        if count == 20:
            relays[0].stop(signal.SIGKILL)
        if count == 40:
            assert relays[1].stop() == 128 + signal.SIGTERM
        answer = nginx.post(9400 + count)
        assert answer.status == 202, f"hook {count}: {answer}"
        delivery_ids.add(answer.json()["delivery"])
    assert len(delivery_ids) == 60
    splunk.wait_for(delivery_ids)


def test_only_hooks_pass(nginx: Nginx) -> None:
    """What is for operators is not for the outside."""
    assert {nginx.post(1, path).status for path in ("/metrics", "/readyz", "/admin")} == {404}
