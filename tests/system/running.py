"""A relay that really runs: a container of ``RELAY_TEST_IMAGE``, or else a process of the installed command."""

import contextlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.torture.ports import number, reserved_port

IMAGE = os.environ.get("RELAY_TEST_IMAGE", "")
ENGINE = os.environ.get("RELAY_TEST_ENGINE", "docker")
SECRET = "d1" * 32
HEC_TOKEN = "5f0d2c1e-7a3b-4c8d-9e6f-a1b2c3d4e5f6"
READY_DEADLINE_S = 180.0
STOP_DEADLINE_S = 180.0
NEVER_BEGUN = 1000
"""No exit status of any process."""

SETTINGS = {
    "RELAY_HOST": "127.0.0.1",
    "RELAY_LOG_FORMAT": "json",
    # Short, so that a test that stops the relay or its Splunk need not wait for what a day at work may.
    "RELAY_DRAIN_DELAY_S": "0.2",
    "RELAY_DRAIN_DEADLINE_S": "2",
    "RELAY_HEC_CONNECT_TIMEOUT_S": "1",
    "RELAY_HEC_TIMEOUT_S": "2",
    "RELAY_LEASE_S": "5",
    "RELAY_RETRY_BASE_S": "0.1",
    "RELAY_RETRY_MAX_S": "0.5",
}

TENANTS = """\
tenants:
  acme:
    sentry:
      client_secrets: ["file:sentry_secret"]
    splunk:
      - name: main
        url: http://127.0.0.1:{port}
        hec_token: file:hec_token
        index: sentry
"""


@dataclass(frozen=True)
class Answer:
    """What an HTTP request got."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def wait_until(true: Callable[[], object], what: Callable[[], str], *, deadline_s: float = READY_DEADLINE_S) -> None:
    """Wait for a condition of another process; ``AssertionError`` with ``what`` is the matter if it never holds."""
    deadline = time.monotonic() + deadline_s
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


class Life(Protocol):
    """How one ``relay`` command is begun and ended, whatever it runs in."""

    def start(self, *arguments: str, settings: Mapping[str, str]) -> None:
        """Begin; what was begun before has ended."""

    def ended(self) -> int | None:
        """The exit status as a shell shows it, ``None`` while it runs; ``NEVER_BEGUN`` before the first start."""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""

    def said(self) -> str:
        """What it has written since the first start."""

    def remove(self) -> None:
        """End it if need be, and leave nothing behind."""


class Server:
    """A ``relay`` command that serves HTTP on a port of its own, from start to start."""

    def __init__(self, folder: Path, name: str, sign_of_life: str) -> None:
        self._reserved = reserved_port()
        self.port = number(self._reserved)
        self.life: Life = Container(folder, name) if IMAGE else Spawned(folder, name)
        self._sign_of_life = sign_of_life

    def begin(self, *arguments: str, settings: Mapping[str, str]) -> None:
        """Start it and wait for its sign of life."""
        self.life.start(*arguments, settings=settings)
        wait_until(self._is_ready, lambda: f"it is not ready in time:\n{self.life.said()}")

    def start(self) -> None:
        """Start it and wait until it is there."""
        raise NotImplementedError

    def ensure(self) -> None:
        """Start it unless it runs."""
        if self.life.ended() is not None:
            self.start()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal; the exit status as a shell shows it."""
        self.life.send(number)
        wait_until(
            lambda: self.life.ended() is not None,
            lambda: f"it does not stop:\n{self.life.said()}",
            deadline_s=STOP_DEADLINE_S,
        )
        status = self.life.ended()
        assert status is not None
        return status

    def remove(self) -> None:
        """End it for good."""
        self.life.remove()
        self._reserved.close()

    def get(self, path: str) -> Answer:
        """One GET."""
        return self.ask("GET", path, b"", {})

    def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One request, as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())

    def _is_ready(self) -> bool:
        assert self.life.ended() is None, f"it ended with {self.life.ended()}:\n{self.life.said()}"
        try:
            return self.get(self._sign_of_life).status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


class Splunk(Server):
    """The stand-in Splunk, which prints each hec_event that it indexes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "splunk", "/services/collector/health")

    def start(self) -> None:
        """Start it, with one hec_token that may write to one index."""
        self.begin("splunk", "--port", str(self.port), "--token", f"{HEC_TOKEN}:sentry", "--show", settings={})

    def wait_for(self, delivery_ids: set[str], *, deadline_s: float = 180.0) -> list[dict[str, Any]]:
        """Every hec_event so far, as soon as all of these are among them; ``AssertionError`` if they never are."""
        deadline = time.monotonic() + deadline_s
        while missing := delivery_ids - {each["fields"]["relay_delivery_id"] for each in self.indexed()}:
            assert time.monotonic() < deadline, (
                f"{len(missing)} of {len(delivery_ids)} never arrived: {sorted(missing)[:3]}\n{self.life.said()}"
            )
            time.sleep(0.1)
        return self.indexed()

    def indexed(self) -> list[dict[str, Any]]:
        """Every hec_event since the first start."""
        whole_lines = self.life.said().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in whole_lines if line.startswith("{")]


class Relay(Server):
    """The relay with one tenant, ``acme``, its spool kept from start to start."""

    def __init__(
        self, folder: Path, splunk: Splunk, *, sign_of_life: str = "/readyz", settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder, "relay", sign_of_life)
        self._settings = {"RELAY_PORT": str(self.port), **SETTINGS, **(settings or {})}
        _write(folder / "tenants.yaml", TENANTS.format(port=splunk.port))
        _write(folder / "sentry_secret", SECRET)
        _write(folder / "hec_token", HEC_TOKEN)

    def start(self) -> None:
        """Start it and wait for its sign of life: that it is ready, unless another was given."""
        self.begin("serve", settings=self._settings)

    def post(self, body: bytes, headers: Mapping[str, str], path: str = "/sentry/acme") -> Answer:
        """One POST, as given."""
        return self.ask("POST", path, body, headers)


class Spawned:
    """The installed ``relay``, or the package's own ``__main__`` where no script is installed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._log = folder / f"{name}.log"

    def start(self, *arguments: str, settings: Mapping[str, str]) -> None:
        """Start the process with the folder's tenants file and spool."""
        script = Path(sys.executable).with_name("relay")
        command = [str(script)] if script.exists() else [sys.executable, "-m", "app"]
        own = {
            "PYTHONUNBUFFERED": "1",
            "RELAY_TENANTS_FILE": str(self._folder / "tenants.yaml"),
            "RELAY_SPOOL_URL": f"sqlite:///{self._folder / 'spool.db'}",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [*command, *arguments],
                env={**inherited, **own, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def ended(self) -> int | None:
        """128 and the signal's number where a signal ended it, as in a shell."""
        status = NEVER_BEGUN if self._running is None else self._running.poll()
        return status if status is None or status >= 0 else 128 - status

    def send(self, number: signal.Signals) -> None:
        """To this very process."""
        assert self._running is not None
        self._running.send_signal(number)

    def said(self) -> str:
        """The log of every start."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def remove(self) -> None:
        """Kill it if it still runs."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(STOP_DEADLINE_S)


class Container:
    """The image as it should be run: read-only, without capabilities, one volume, little memory."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = f"relay-test-{name}-{uuid.uuid4().hex[:12]}"
        self._folder = folder
        self._said_before = ""
        self._begun = False
        folder.chmod(0o755)

    def start(self, *arguments: str, settings: Mapping[str, str]) -> None:
        """Run a new container on the volume of the one before."""
        self._said_before = self.said()
        engine("rm", "--force", self.name, check=False)
        told = [part for name, value in settings.items() for part in ("--env", f"{name}={value}")]
        mounts = ("-v", f"{self._folder}:/etc/relay:ro", "-v", f"{self.name}:/var/lib/relay")
        hardened = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108 - inside the container
        limits = ("--network", "host", "--memory", "256m")
        engine("run", "--detach", "--name", self.name, *hardened, *limits, *told, *mounts, IMAGE, *arguments)
        self._begun = True

    def ended(self) -> int | None:
        """The exit status that the engine keeps."""
        if not self._begun:
            return NEVER_BEGUN
        state = engine("inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", self.name)
        running, status = state.split()
        return None if running == "true" else int(status)

    def send(self, number: signal.Signals) -> None:
        """To the container's first process."""
        engine("kill", "--signal", number.name, self.name)

    def said(self) -> str:
        """What the engine kept of each."""
        return self._said_before + (engine("logs", self.name) if self._begun else "")

    def remove(self) -> None:
        """The container and its volume."""
        engine("rm", "--force", self.name, check=False)
        engine("volume", "rm", self.name, check=False)


def engine(*arguments: str, check: bool = True) -> str:
    """What docker or podman prints."""
    ended = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0 or not check, f"{ENGINE} {arguments[0]}: {ended.stderr}"
    return ended.stdout + (ended.stderr if arguments[0] == "logs" else "")


def hook(number: int, resource: str = "issue") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a signed hook, as Sentry would send them; another number is another hook."""
    project = {"id": "7", "slug": "checkout", "name": "Checkout"}
    issue = {"id": str(number), "title": f"Fault № {number}", "level": "error", "project": project}
    body = json.dumps(
        {
            "action": "created",
            "installation": {"uuid": "0b6f2c3a-1111-4222-8333-944445555666"},
            "data": {"issue": issue | {"firstSeen": "2025-11-10T20:56:00.679000+00:00"}},
            "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
        }
    ).encode()
    return body, {
        "Content-Type": "application/json",
        "Request-ID": uuid.uuid4().hex,
        "Sentry-Hook-Resource": resource,
        "Sentry-Hook-Timestamp": str(int(time.time())),
        "Sentry-Hook-Signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest(),
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o644)
