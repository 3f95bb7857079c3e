"""What looking costs who sends: accepting while ``/metrics`` and ``/readyz`` are asked for, ten thousand streams."""

import http.client
import statistics
import threading
import time

from tests.bench import load
from tests.bench.accept import BODY_BYTES, serving

CONNECTIONS = 4
ACCEPT_P99_MAX_MS = 100.0
CALL_MAX_MS = 250.0
EVERY_S = {"/metrics": 1.0, "/readyz": 0.2}
PATIENCE_S = 60


def measure(rounds: int, seconds: float) -> list[str]:
    """Medians over the rounds: without anybody who looks, and with; of the calls, the slowest."""
    quiet, looked = [], []
    calls: list[float] = []
    with serving("pages") as port:
        for _ in range(rounds):
            quiet.append(_accepting(port, seconds))
            over = threading.Event()
            askers = [threading.Thread(target=_ask, args=(port, path, over, calls)) for path in EVERY_S]
            for asker in askers:
                asker.start()
            looked.append(_accepting(port, seconds))
            over.set()
            for asker in askers:
                asker.join()
    p99, worst = (statistics.median(figure(seen) for seen in looked) for figure in (_p99, _worst))
    good = p99 < ACCEPT_P99_MAX_MS and max(calls) < CALL_MAX_MS
    lines = [f"{'10,000 streams, ms':24}{'accept p99':>12}{'worst':>8}{'slowest page':>14}"]
    before = statistics.median(map(_p99, quiet)), statistics.median(map(_worst, quiet))
    lines.append(f"{'nobody looks':24}{before[0]:>12.1f}{before[1]:>8.1f}")
    words = "reached" if good else "MISSED"
    lines.append(f"{'/metrics and /readyz':24}{p99:>12.1f}{worst:>8.1f}{max(calls):>14.1f}  {words}")
    return lines


def _accepting(port: int, seconds: float) -> load.Load:
    path = "/sentry/tenant-77"
    return load.run(port, path=path, connections=CONNECTIONS, seconds=seconds, body_bytes=BODY_BYTES)


def _p99(seen: load.Load) -> float:
    return seen.quantile(0.99)


def _worst(seen: load.Load) -> float:
    return seen.quantile(1.0)


def _ask(port: int, path: str, over: threading.Event, calls: list[float]) -> None:
    while not over.wait(EVERY_S[path]):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
        calls.append((time.perf_counter() - began) * 1000)
