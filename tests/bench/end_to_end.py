"""The whole relay as it is run: hooks accepted, delivered and settled; CPU, memory and time to start."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import load
from tests.bench.stand_in import stand_in

TENANTS = """
tenants:
  bench:
    sentry: {{client_secrets: [env:BENCH_SECRET]}}
    splunk:
      - {{name: main, url: "{url}", hec_token: env:BENCH_HEC_TOKEN, index: sentry}}
"""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Running:
    """A relay process."""

    process: subprocess.Popen[str]
    port: int
    started_s: float
    lines: list[str] = field(default_factory=list)

    def cpu_s(self) -> float:
        """Seconds of processor used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """Resident, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1000
        return 0.0

    def books(self) -> dict[str, float]:
        """The relay's own counts over all tenants."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as page:
            text = page.read().decode()
        counts: dict[str, float] = {}
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if line.startswith(("relay_deliveries_", "relay_hooks_accepted")):
                key = name.split("{")[0].removesuffix("_total")
                counts[key] = counts.get(key, 0.0) + float(value)
        return counts


@contextmanager
def relay(folder: Path, splunk_url: str, **changes: str) -> Iterator[Running]:
    """The relay as ``relay serve`` runs it; timed from the start of the process to its first answer."""
    (folder / "tenants.yaml").write_text(TENANTS.format(url=splunk_url))
    environ = os.environ | {
        "RELAY_TENANTS_FILE": str(folder / "tenants.yaml"),
        "RELAY_SPOOL_URL": f"sqlite:///{folder / 'spool.db'}",
        "RELAY_PORT": "0",
        "RELAY_LOG_LEVEL": "info",
        "RELAY_DRAIN_DELAY_S": "0",
        "BENCH_SECRET": load.SECRET.decode(),
        "BENCH_HEC_TOKEN": "tenant-0",
    }
    log = (folder / "log").open("w+")
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "app", "serve"], stdout=log, env=environ | changes, text=True)
    try:
        port = _port(folder / "log", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as ready:
            assert ready.status == 200
        yield Running(process, port, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def _port(log: Path, process: subprocess.Popen[str]) -> int:
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if '"relay.listening"' in line:
                return int(json.loads(line)["port"])
        time.sleep(0.005)
    raise RuntimeError("the relay did not start")


def measure(seconds: float, waiting: int) -> list[str]:
    """The figures, a line each."""
    words: list[str] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name, stand_in() as url:
        folder = Path(name)
        with relay(folder, url) as running:
            words.append(f"from start to ready: {running.started_s:.2f} s")
            words.append(f"resident idle: {running.memory_mb():.0f} MB")
            cpu, began = running.cpu_s(), time.perf_counter()
            seen = load.run(running.port, path="/sentry/bench", connections=16, seconds=seconds, body_bytes=10_000)
            during = running.books()["relay_deliveries_delivered"]
            _until_settled(running)
            took = time.perf_counter() - began
            hooks = len(seen.seconds)
            words += [
                f"accepted while delivering: {seen.rate:.0f} hooks/s, p99 {seen.quantile(0.99):.1f} ms",
                f"delivered and settled meanwhile: {during / seen.duration_s:.0f} hooks/s",
                f"accepted, delivered and settled, all of it: {hooks / took:.0f} hooks/s",
                f"processor per hook, all in: {(running.cpu_s() - cpu) / hooks * 1e6:.0f} us",
                f"resident after: {running.memory_mb():.0f} MB",
            ]
    words += _full(waiting)
    return words


def _until_settled(running: Running) -> None:
    for _ in range(600):
        if running.books()["relay_deliveries_waiting"] == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("deliveries still wait after a minute")


def _full(waiting: int) -> list[str]:
    """Memory with so many hooks waiting for a Splunk that is down, and what a restart on them takes."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        with relay(folder, "http://127.0.0.1:9") as running:
            while (count := running.books().get("relay_deliveries_waiting", 0)) < waiting:
                load.run(running.port, path="/sentry/bench", connections=64, seconds=5, body_bytes=2_000)
            words = [f"resident with {count:.0f} hooks waiting: {running.memory_mb():.0f} MB"]
        with relay(folder, "http://127.0.0.1:9") as running:
            words.append(f"from start to ready on them: {running.started_s:.2f} s, {running.memory_mb():.0f} MB")
    return words
