"""A relay to be attacked: a process of its own, one tenant whose Splunk does not answer, and a look at its memory."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.attack.honest import SECRET, Seen

ROOT = Path(__file__).parents[2]
TENANTS = """\
tenants:
  acme:
    sentry: {client_secrets: [env:SECRET_OF_ACME, env:SECOND_OF_ACME]}
    splunk: [{name: main, url: "http://127.0.0.1:1", hec_token: env:SECRET_OF_ACME}]
shared_integrations:
  - client_secrets: [env:SHARED_SECRET]
"""
LOOK_S = 0.05
PATIENCE_S = 60.0


@dataclass
class Site:
    """A relay that runs."""

    port: int
    pid: int
    log: Path
    rss_bytes: int = 0
    """The most memory that it was seen to have since it was last asked."""
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look at its memory until it is over."""
        while not self._over.wait(LOOK_S):
            with Path(f"/proc/{self.pid}/statm").open() as file:
                self.rss_bytes = max(self.rss_bytes, int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


@contextmanager
def site(folder: Path, **settings: str) -> Iterator[Site]:
    """A relay, ended with the block."""
    (folder / "tenants.yaml").write_text(TENANTS)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    own = {
        "PYTHONPATH": str(ROOT),
        "SECRET_OF_ACME": SECRET,
        "SECOND_OF_ACME": "e2" * 32,
        "SHARED_SECRET": "f3" * 32,
        "RELAY_PORT": "0",
        "RELAY_TENANTS_FILE": str(folder / "tenants.yaml"),
        "RELAY_SPOOL_URL": f"sqlite:///{folder / 'spool.db'}",
        "RELAY_DRAIN_DELAY_S": "0",
        "RELAY_DRAIN_DEADLINE_S": "0",
    }
    log = folder / "relay.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            env={**kept, **own, **{f"RELAY_{name}": text for name, text in settings.items()}},
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    running = Site(_port(process, log), process.pid, log)
    watcher = threading.Thread(target=running.watch, daemon=True)
    watcher.start()
    try:
        yield running
    finally:
        running._over.set()  # noqa: SLF001 - its own module's
        watcher.join()
        process.terminate()
        process.wait(PATIENCE_S)


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    waiting = threading.Event()
    for _ in range(int(PATIENCE_S / LOOK_S)):
        for text in log.read_text(errors="replace").splitlines():
            if '"relay.listening"' in text:
                return int(json.loads(text)["port"])
        assert process.poll() is None, log.read_text(errors="replace")
        waiting.wait(LOOK_S)
    raise AssertionError("it does not listen")


@dataclass
class Outcome:
    """What an attack cost, and what it did."""

    name: str
    sent_bytes: int
    seen: Seen
    rss_bytes: int


WARM_S = 0.5


def attacked(running: Site, name: str, seconds: float) -> Outcome:
    """One attack and honest hooks beside it, each a process of its own. The attack begins a little earlier."""
    running.rss_bytes = 0
    attack = _python("tests.attack.attacks", name, str(running.port), str(seconds + WARM_S))
    threading.Event().wait(WARM_S)
    honest = _python("tests.attack.honest", str(running.port), str(seconds))
    said, _ = honest.communicate(timeout=seconds + PATIENCE_S)
    sent, _ = attack.communicate(timeout=PATIENCE_S)
    return Outcome(name, int(sent), Seen(**json.loads(said)), running.rss_bytes)


def _python(module: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
