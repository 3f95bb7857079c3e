"""``python -m tests.torture``: so many trials, a line each, a table at the end, exit status 1 on any fault."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.torture.choices import End, Trouble, choices
from tests.torture.report import HEAD, complaints, line, table
from tests.torture.trial import Report, Trial


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 if every promise was kept in every trial."""
    return asyncio.run(_run(_parsed(arguments)))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--trials", type=int, default=50, help="how many (50)")
    parser.add_argument("--seed", type=int, help="of the first trial; the next ones count up (default: the clock)")
    parser.add_argument("--lives", type=int, default=8, help="at most so many lives over one spool (8)")
    parser.add_argument("--jobs", type=int, default=1, help="so many trials at the same time (1)")
    parser.add_argument("--end", choices=list(End), type=End, help="all lives end like this")
    parser.add_argument("--trouble", choices=list(Trouble), type=Trouble, help="in all lives this happens")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial after so long")
    parser.add_argument("--folder", type=Path, help="where spools are put (a temporary folder)")
    return parser.parse_args(arguments)


async def _run(asked: argparse.Namespace) -> int:
    first = asked.seed if asked.seed is not None else int(time.time()) % 1_000_000
    seeds = iter(range(first, first + asked.trials))
    reports: list[Report] = []
    broken: list[int] = []
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=asked.folder))
    began = time.monotonic()
    _say(HEAD)

    async def work() -> None:
        for seed in seeds:
            if time.monotonic() - began > asked.seconds:
                return
            where = folder / str(seed)
            where.mkdir()
            chosen = choices(seed, lives=asked.lives, end=asked.end, trouble=asked.trouble)
            try:
                report = await Trial(chosen, where).run()
            except TimeoutError:
                broken.append(seed)
                _say(f"{seed:>6}  FAILED: it did not come to an end; see {where}")
                continue
            reports.append(report)
            _say(line(report))
            if report.verdict.good:
                shutil.rmtree(where)
            else:
                _say("\n".join([*complaints(report.verdict), f"    spool and log: {where}"]))

    await asyncio.gather(*(work() for _ in range(asked.jobs)))
    _say("\n" + table(reports, engine="sqlite"))
    good = bool(reports) and not broken and all(report.verdict.good for report in reports)
    if good:
        shutil.rmtree(folder)
    return 0 if good else 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
