"""What a noisy tenant costs the others: one whose Splunk hangs, one that floods; beside the same without it."""

import asyncio
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.delivering import Seen, Tenants, fill, hooks, silent_log, spool, supervisor, tenants
from tests.bench.stand_in import stand_in

OTHERS = 100
HOOKS_A_SECOND = 100
"""Of the others, all together: one each a second."""
WARM_S = 2.0
P99_MAX_S = 1.0
RATIO_MAX = 2.0
NOISY = "tenant-0"
HEC_TIMEOUT_S = "3"
"""So that a hang, the pause after it and its probes all fall into a run."""


@dataclass(frozen=True)
class Lateness:
    """Seconds from accepted to Splunk's answer, of the others."""

    p50_s: float
    p99_s: float
    count: int
    noisy: int
    """Delivered meanwhile, of the noisy one."""


def measure(rounds: int, seconds: float, waiting: int) -> list[str]:
    """Quiet, hanging and flooding in turn; medians, and the median of each round's own ratio to the quiet one."""
    seen: dict[str, list[Lateness]] = {"quiet": [], "hanging": [], "flooding": []}
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name, silent_log():
        full, empty = Path(name) / "full", Path(name) / "empty"
        uvloop.run(_filled(full, waiting))
        uvloop.run(_filled(empty, 0))
        for number in range(rounds):
            for way, from_, hanging in (("quiet", empty, ()), ("hanging", full, (NOISY,)), ("flooding", full, ())):
                folder = Path(name) / f"{way}-{number}"
                shutil.copytree(from_, folder)
                with stand_in(*hanging) as url:
                    seen[way].append(uvloop.run(_late(folder, tenants(url, OTHERS + 1), seconds)))
                shutil.rmtree(folder)
    return _table(seen, waiting)


def _table(seen: dict[str, list[Lateness]], waiting: int) -> list[str]:
    lines = [
        f"{f'delay of {OTHERS} tenants beside one with {waiting} hooks':56}{'p50 s':>8}{'p99 s':>8}{'of quiet':>10}"
    ]
    for way, figures in seen.items():
        p50, p99 = (statistics.median(getattr(each, name) for each in figures) for name in ("p50_s", "p99_s"))
        ratio = statistics.median(each.p99_s / quiet.p99_s for each, quiet in zip(figures, seen["quiet"], strict=True))
        good = p99 < P99_MAX_S and ratio <= RATIO_MAX
        words = f"{way}: {sum(each.count for each in figures)} delivered, of the noisy one {figures[-1].noisy}"
        lines.append(f"{words:56}{p50:>8.2f}{p99:>8.2f}{ratio:>10.2f}  {'reached' if good else 'MISSED'}")
    return lines


async def _filled(folder: Path, waiting: int) -> None:
    """A spool in which so many hooks of the noisy one wait."""
    async with spool(folder) as into:
        await fill(into, hooks("issue.created.typical"), NOISY, waiting)


async def _late(folder: Path, known: Tenants, seconds: float) -> Lateness:
    make = hooks("issue.created.typical")
    seen = Seen()
    async with (
        spool(folder) as into,
        supervisor(into, known, seen, RELAY_HEC_TIMEOUT_S=HEC_TIMEOUT_S),
    ):
        loop = asyncio.get_running_loop()
        begun, sent = loop.time(), 0
        accepting: set[asyncio.Future[object]] = set()
        while (now := loop.time()) < begun + WARM_S + seconds:
            if seen.delays_s is None and now > begun + WARM_S:
                seen.delays_s = []
            while sent < (now - begun) * HOOKS_A_SECOND:
                sent += 1
                task = asyncio.ensure_future(into.accept(make(f"tenant-{1 + sent % OTHERS}"), ("main",)))
                accepting.add(task)  # type: ignore[arg-type] # of whatever: only waited for
                task.add_done_callback(accepting.discard)
            await asyncio.sleep(0.01)
        await asyncio.gather(*accepting)
        noisy = seen.delivered_count - seen.others_count
        async with asyncio.timeout(60):
            while seen.others_count < sent:
                await asyncio.sleep(0.05)
        ordered = sorted(seen.delays_s or [])
        return Lateness(
            p50_s=ordered[len(ordered) // 2], p99_s=ordered[int(len(ordered) * 0.99)], count=len(ordered), noisy=noisy
        )
