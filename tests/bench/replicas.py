"""Three replicas, each a process of its own, empty a backlog on one PostgreSQL; what others send meanwhile is in time.

``python -m tests.bench.replicas`` is the stand-in Splunk of it: it remembers which delivery_id came when, how often.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from app.sandbox.splunk import HecToken, StandInSplunk
from app.spool.postgres.spool import PostgresSpool
from tests.bench.delivering import Hooks, hooks
from tests.contract.engines import LIMITS, PostgresPlace, make_place
from tests.postgres_server import PostgresServer

REPLICAS = 3
OTHERS = 20
"""Tenants without a backlog, which send all the while."""
HOOKS_A_SECOND = 100
"""Of the others, all together: as the noisy-neighbour figures have it."""
WARM_S = 2.0
P99_MAX_S = 1.0
DEADLINE_S = 40.0
"""For one backlog: what is not delivered by then is missing, and said so."""
_WIDE = LIMITS | {"hooks_max": 10**9, "bytes_max": 10**12}
_TENANT = """\
  tenant-{number}:
    sentry: {{client_secrets: [env:BENCH_SECRET]}}
    splunk: [{{name: main, url: "{url}", hec_token: "env:BENCH_HEC_{number}", index: sentry}}]
"""


@dataclass
class Run:
    """What one backlog's delivering showed."""

    backlog: int
    tenants: int
    """That share the backlog."""
    accepted: dict[str, float] = field(default_factory=dict)
    """delivery_id to Unix seconds when it was received."""
    others: dict[str, float] = field(default_factory=dict)
    """The same of the others, received while the backlog lasted."""
    came: dict[str, list[float]] = field(default_factory=dict)
    """delivery_id to when Splunk got it, each time."""
    ended: int = 0
    """Deliveries in the history that were delivered."""
    again: int = 0
    """Of those, how many were posted more than once."""
    seconds: float = 0.0
    in_time: bool = False

    @property
    def missing(self) -> int:
        """Accepted, and not at Splunk."""
        return len(self.accepted.keys() - self.came.keys())

    @property
    def doubled(self) -> int:
        """hec_events beyond the first of their delivery_id."""
        return sum(len(each) - 1 for each in self.came.values())

    @property
    def delays_s(self) -> list[float]:
        """Of the others, from received to indexed; what never came counts as the deadline."""
        return sorted(self.came.get(each, [at + DEADLINE_S])[0] - at for each, at in self.others.items())


def measure(backlog: int = 50_000) -> list[str]:
    """The lines of the report."""
    lines: list[str] = []
    with PostgresServer() as server:
        for tenants in (100, 1):
            lines += _report(uvloop.run(_run(server.url, backlog, tenants)))
    return lines


def _report(run: Run) -> list[str]:
    delays = run.delays_s
    p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
    good = p99 < P99_MAX_S
    once = run.in_time and not run.missing and not run.doubled and not run.again and run.ended == len(run.accepted)
    whose = "1 tenant" if run.tenants == 1 else f"{run.tenants} tenants"
    rate = f"{run.seconds:.1f} s, {run.backlog / run.seconds:.0f} hooks/s"
    found = f"{run.missing} missing, {run.doubled} doubled, {run.again} posted again, {run.ended} settled"
    late = f"p50 {p50:.2f} s, p99 {p99:.2f} s"
    return [
        f"{REPLICAS} replicas, a process each, deliver {run.backlog} hooks of {whose}: {rate}",
        f"  of {len(run.accepted)}: {found}: {'reached' if once else 'MISSED'}",
        f"  delay of {len(delays)} hooks of {OTHERS} others meanwhile: {late}: {'reached' if good else 'MISSED'}",
    ]


async def _run(url: str, backlog: int, tenants: int) -> Run:
    run = Run(backlog, tenants)
    make = hooks("issue.created.typical")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        async with make_place(url) as place, _splunk(tenants + OTHERS) as splunk:
            async with await PostgresSpool.open(place.url, **_WIDE) as spool:
                await _fill(spool, make, run)
                with _replicas(Path(name), place.url, splunk.url, tenants + OTHERS) as listening:
                    await listening()
                    await _deliver(spool, make, run, splunk)
            run.came = await splunk.end()
            await _settled(place, run)
    return run


async def _fill(spool: PostgresSpool, make: Hooks, run: Run) -> None:
    """Accept the backlog, its tenants in turn."""
    for begin in range(0, run.backlog, 1_000):
        some = [make(f"tenant-{n % run.tenants}") for n in range(begin, min(begin + 1_000, run.backlog))]
        await asyncio.gather(*(spool.accept(each, ["main"]) for each in some))
        run.accepted.update((each.delivery_id, each.received_at) for each in some)


async def _deliver(spool: PostgresSpool, make: Hooks, run: Run, splunk: "_Splunk") -> None:
    """The others send until the backlog is gone; then everything that was accepted has its time to come."""
    loop = asyncio.get_running_loop()
    began, sent, came_before = loop.time(), 0, await splunk.count()
    accepting: set[asyncio.Future[Any]] = set()
    looked_at = began

    async def accept(number: int, *, counts: bool) -> None:
        hook = make(f"tenant-{run.tenants + number % OTHERS}")
        await spool.accept(hook, ["main"])
        run.accepted[hook.delivery_id] = hook.received_at
        if counts:
            run.others[hook.delivery_id] = hook.received_at

    came = came_before
    while came < run.backlog + sent - HOOKS_A_SECOND and loop.time() < began + DEADLINE_S:
        now = loop.time()
        while sent < (now - began) * HOOKS_A_SECOND:
            task = asyncio.ensure_future(accept(sent, counts=now > began + WARM_S))
            accepting.add(task)
            task.add_done_callback(accepting.discard)
            sent += 1
        await asyncio.sleep(0.01)
        if now > looked_at + 0.2:
            came, looked_at = await splunk.count(), now
    run.seconds = loop.time() - began
    await asyncio.gather(*accepting)
    while await splunk.count() < len(run.accepted) and loop.time() < began + DEADLINE_S:
        await asyncio.sleep(0.05)
    while sum(each.waiting for each in (await spool.stats()).streams) and loop.time() < began + DEADLINE_S:
        await asyncio.sleep(0.05)
    run.in_time = loop.time() < began + DEADLINE_S


async def _settled(place: PostgresPlace, run: Run) -> None:
    """What the database has of them: each delivered under one claim, with one post."""
    ((run.ended, run.again),) = await place.run(
        "SELECT count(DISTINCT seq), count(*) FILTER (WHERE attempts <> 1) + count(*) - count(DISTINCT seq) "
        "FROM spool_history WHERE state = 3"
    )


# The processes.


@contextmanager
def _replicas(folder: Path, spool_url: str, splunk_url: str, tenants: int) -> Iterator[Any]:
    """``relay serve --role deliver``, so many times; what it gives waits until all of them listen."""
    text = "".join(_TENANT.format(number=number, url=splunk_url) for number in range(tenants))
    (folder / "tenants.yaml").write_text(f"tenants:\n{text}")
    environ = os.environ | {
        "RELAY_HOST": "127.0.0.1",
        "RELAY_PORT": "0",
        "RELAY_TENANTS_FILE": str(folder / "tenants.yaml"),
        "RELAY_SPOOL_URL": spool_url,
        "RELAY_DRAIN_DELAY_S": "0",
        "BENCH_SECRET": "bench-secret",
        **{f"BENCH_HEC_{number}": f"tenant-{number}" for number in range(tenants)},
    }
    logs = [folder / f"log-{number}" for number in range(REPLICAS)]
    command = [sys.executable, "-m", "app", "serve", "--role", "deliver"]
    running = []
    for each in logs:
        with each.open("wb") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environ))

    async def listening() -> None:
        async with asyncio.timeout(30):
            while not all(b'"relay.listening"' in each.read_bytes()[:100_000] for each in logs):
                if any(each.poll() is not None for each in running):
                    raise RuntimeError(f"a replica ended: {logs[0].read_text()[-2000:]}")
                await asyncio.sleep(0.02)

    try:
        yield listening
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=60)


class _Splunk:
    """The stand-in's process, asked a line at a time."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    async def count(self) -> int:
        """How many hec_events came."""
        return int(await self._ask(b"count\n"))

    async def end(self) -> dict[str, list[float]]:
        """Each delivery_id, and when it came."""
        came: dict[str, list[float]] = json.loads(await self._ask(b"all\n"))
        return came

    async def _ask(self, line: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line)
        return await self._process.stdout.readline()


@asynccontextmanager
async def _splunk(tenants: int) -> AsyncIterator[_Splunk]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.replicas",
        str(tenants),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=100_000_000,
    )
    try:
        assert process.stdout is not None
        yield _Splunk(process, (await process.stdout.readline()).decode().strip())
    finally:
        process.kill()
        await process.wait()


async def main(tenants: int) -> None:
    """Serve until killed; ``count`` and ``all`` on stdin are answered with a line."""
    came: dict[str, list[float]] = {}
    loop = asyncio.get_running_loop()
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    async with StandInSplunk([HecToken(f"tenant-{number}") for number in range(tenants)], remember="count") as splunk:
        splunk.on_indexed = lambda each: came.setdefault(str(each.fields["relay_delivery_id"]), []).append(time.time())
        _say(splunk.url)
        while line := await asked.readline():
            _say(json.dumps(came) if line == b"all\n" else str(splunk.indexed_count))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
