"""Two relays behind a real nginx or haproxy, five milliseconds away: configurations, processes, hooks."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.attack.honest import SECRET, Seen
from tests.system.latency import FAR, PATIENCE_S, Place

ROOT = Path(__file__).parents[2]
PORTS = (8081, 8082)
PROXY_PORT = 8443
TENANTS = """\
tenants:
  acme:
    sentry: {client_secrets: [env:SECRET_OF_ACME]}
    splunk: [{name: main, url: "http://127.0.0.1:1", hec_token: env:SECRET_OF_ACME}]
"""
NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream relay {{
        server {far}:{ports[0]} max_fails=0;
        server {far}:{ports[1]} max_fails=0;
        keepalive 32;
        keepalive_timeout {idle_s}s;
    }}
    server {{
        listen 127.0.0.1:{port};
        location /sentry {{
            proxy_pass http://relay;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout 1s;
        }}
    }}
}}
"""
HAPROXY = """\
global
    maxconn 1000
    stats socket {folder}/haproxy.sock
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    option redispatch
frontend sentry
    bind 127.0.0.1:{port}
    default_backend relay
backend relay
    option httpchk HEAD /readyz
    http-reuse safe
    default-server check inter 200ms fall 1 rise 1 pool-purge-delay {idle_s}s
    server one {far}:{ports[0]}
    server two {far}:{ports[1]}
"""


def proxy_missing(name: str) -> str:
    """In words, if that proxy is not installed; else empty."""
    if _binary(name):
        return ""
    return f"{name} IS NOT INSTALLED (apt-get install {name}): that no hook is lost behind it is not tested here"


def _binary(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def proxy(name: str, place: Place, folder: Path, *, idle_s: int = 60) -> Iterator[None]:
    """Nginx or haproxy before both relays. It closes connections that are idle for ``idle_s``."""
    text = (NGINX if name == "nginx" else HAPROXY).format(
        folder=folder, far=FAR, ports=PORTS, port=PROXY_PORT, idle_s=idle_s
    )
    file = folder / f"{name}.conf"
    file.write_text(text)
    options = ["-c", str(file), "-p", str(folder)] if name == "nginx" else ["-f", str(file)]
    with (folder / f"{name}.out").open("wb") as out:
        command = place.command(str(_binary(name)), *options)
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: _answers(place, "127.0.0.1", PROXY_PORT), f"{name} does not listen")
        yield
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def sees_both(name: str, folder: Path) -> bool:
    """Whether the proxy would send hooks to either relay: nginx tries, haproxy looks first."""
    if name == "nginx":
        return True
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(folder / "haproxy.sock"))
        asked.sendall(b"show stat\n")
        said = asked.makefile().read()
    return all(",UP," in line for line in said.split("\n") if line.startswith(("relay,one,", "relay,two,")))


@dataclass
class FarRelay:
    """One relay at the far place, started again and again on the same spool."""

    place: Place
    folder: Path
    port: int
    settings: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "tenants.yaml").write_text(TENANTS)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
        own = {
            "PYTHONPATH": str(ROOT),
            "SECRET_OF_ACME": SECRET,
            "RELAY_HOST": FAR,
            "RELAY_PORT": str(self.port),
            "RELAY_DRAIN_DEADLINE_S": "1",
        }
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(
                self.place.command(sys.executable, "-m", "app", "serve"),
                env={**kept, **own, **{f"RELAY_{name}": text for name, text in self.settings.items()}},
                cwd=self.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        until(lambda: _answers(self.place, FAR, self.port), f"no relay on {self.port}")

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """For good."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)


@contextmanager
def relays(place: Place, folder: Path, **settings: str) -> Iterator[list[FarRelay]]:
    """Two of them."""
    both = [FarRelay(place, folder / str(port), port, settings) for port in PORTS]
    with ExitStack() as stack:
        for relay in both:
            stack.callback(relay.kill)
            relay.start()
        yield both


@contextmanager
def hooks(place: Place, module: str, *arguments: float) -> Iterator["subprocess.Popen[str]"]:
    """Honest hooks through the proxy, by ``tests.attack.honest`` or its like; ``seen`` says what they got."""
    process = subprocess.Popen(
        place.command(sys.executable, "-m", module, str(PROXY_PORT), *map(str, arguments)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def seen(process: "subprocess.Popen[str]") -> Seen:
    """What the hooks got, once they are done."""
    said, _ = process.communicate(timeout=600)
    return Seen(**json.loads(said))


def _answers(place: Place, host: str, port: int) -> bool:
    look = f"import socket; socket.create_connection(({host!r}, {port}), 5)"
    return subprocess.run(place.command(sys.executable, "-c", look), capture_output=True, check=False).returncode == 0


def until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait for that."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.05)
