"""How fast hooks are accepted, beside the least that it can cost, in one run."""

import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load

SERVERS = ("bare", "row", "floor", "relay")
CONNECTIONS = (1, 16, 64)
BODY_BYTES = 10_000


@dataclass(frozen=True)
class Figure:
    """One measurement."""

    rate: float
    p50_ms: float
    p99_ms: float
    refused: int


@contextmanager
def serving(name: str) -> Iterator[int]:
    """One server as a process of its own, on the disk that the project is on; its port."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.servers", name, folder], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()


def measure(rounds: int, seconds: float) -> dict[tuple[str, int], list[Figure]]:
    """Every server at every number of connections, in turn, ``rounds`` times."""
    figures: dict[tuple[str, int], list[Figure]] = defaultdict(list)
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for name in SERVERS:
                with serving(name) as port:
                    path = "/sentry/tenant-77"
                    load.run(port, path=path, connections=connections, seconds=0.5, body_bytes=BODY_BYTES)
                    seen = load.run(port, path=path, connections=connections, seconds=seconds, body_bytes=BODY_BYTES)
                figure = Figure(seen.rate, seen.quantile(0.5), seen.quantile(0.99), seen.refused)
                figures[name, connections].append(figure)
    return figures


def table(figures: dict[tuple[str, int], list[Figure]]) -> list[str]:
    """Medians over the rounds; the ratios are medians of each round's own ratio, so that drift cancels out."""
    lines = [f"{'':12}{'connections':>12}{'hooks/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'of floor':>10}{'p99 / floor':>13}"]
    for connections in CONNECTIONS:
        floor = figures["floor", connections]
        for name in SERVERS:
            mine = figures[name, connections]
            share = statistics.median(each.rate / low.rate for each, low in zip(mine, floor, strict=True))
            late = statistics.median(each.p99_ms / low.p99_ms for each, low in zip(mine, floor, strict=True))
            rate, p50, p99 = (
                statistics.median(getattr(each, field) for each in mine) for field in ("rate", "p50_ms", "p99_ms")
            )
            lines.append(f"{name:12}{connections:>12}{rate:>10.0f}{p50:>9.2f}{p99:>9.2f}{share:>10.2f}{late:>13.2f}")
        if refused := sum(each.refused for name in SERVERS for each in figures[name, connections]):
            lines.append(f"{refused} requests were refused: the figures above are not those of accepting")
    return lines


def verdict(figures: dict[tuple[str, int], list[Figure]]) -> list[str]:
    """The aims, and whether this run reached them."""
    words = []
    for connections in CONNECTIONS[1:]:
        pairs = list(zip(figures["relay", connections], figures["floor", connections], strict=True))
        share = statistics.median(mine.rate / low.rate for mine, low in pairs)
        late = statistics.median(mine.p99_ms / low.p99_ms for mine, low in pairs)
        for what, value, good in (("rate of the floor", share, share >= 0.8), ("p99 of the floor", late, late <= 1.5)):
            words.append(f"{connections} connections: {value:.2f} of {what}: {'reached' if good else 'MISSED'}")
    return words
