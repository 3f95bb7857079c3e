"""``python -m tests.torture``: so many trials an engine, a line each, one table, exit status 1 on any fault."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.torture import power_cut
from tests.torture.choices import REPLICAS, End, Engine, Trouble, choices
from tests.torture.database import Database
from tests.torture.report import HEAD, complaints, line, table
from tests.torture.site import schema_of
from tests.torture.tally import Tally
from tests.torture.trial import Report, Trial

_BOTH = "both"
_RECORDED_S = 6.0


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 if every promise was kept in every trial."""
    return asyncio.run(_Torture(_parsed(arguments)).run())


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--engine", choices=[*Engine, _BOTH], default=_BOTH, help="where the spool is (both)")
    parser.add_argument("--trials", type=int, default=10, help="how many an engine (10)")
    parser.add_argument(
        "--seed",
        type=int,
        help="of the first trial; the next ones count up (default: that of the record, or the clock)",
    )
    parser.add_argument("--lives", type=int, default=8, help="at most so many lives over one spool (8)")
    parser.add_argument("--jobs", type=int, default=1, help="so many trials at the same time (1)")
    parser.add_argument("--end", choices=list(End), type=End, help="all lives end like this")
    parser.add_argument("--trouble", choices=list(Trouble), type=Trouble, help="in all lives this happens")
    parser.add_argument("--replicas", type=int, choices=[1, len(REPLICAS)], help="on PostgreSQL (by the seed)")
    parser.add_argument("--cuts", type=int, default=1_000, help="power cuts over a SQLite spool (1000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no trial after so long")
    parser.add_argument("--record", type=Path, help="add each trial to this file, and leave out those that it has")
    parser.add_argument("--folder", type=Path, help="where spools are put (a temporary folder)")
    return parser.parse_args(arguments)


class _Torture:
    """What was asked for, and what came of it so far."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._began = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="torture-", dir=asked.folder))
        self._engines = [each for each in Engine if asked.engine in (each, _BOTH)]
        self._tallies = {engine: Tally(engine.value) for engine in self._engines}
        self._good = True

    async def run(self) -> int:
        """Everything; the exit status."""
        asked = self._asked
        known = self._known()
        first = asked.seed
        if first is None:
            first = min((seed for _, seed in known), default=int(time.time()) % 1_000_000)
        trials = iter(
            (engine, seed)
            for seed in range(first, first + asked.trials)
            for engine in self._engines
            if (engine, seed) not in known
        )
        _say(HEAD)
        with ExitStack() as servers:
            await asyncio.gather(*(self._work(trials, number, servers) for number in range(asked.jobs)))
        if Engine.SQLITE in self._engines and asked.cuts:
            await self._cut_power(first)
        _say("\n" + table(list(self._tallies.values())))
        done = sum(tally.trials for tally in self._tallies.values()) or asked.cuts
        good = bool(done) and self._good and not any(tally.failed for tally in self._tallies.values())
        if good:
            shutil.rmtree(self._folder)
        return 0 if good else 1

    def _known(self) -> set[tuple[Engine, int]]:
        """Trials of an earlier run: their numbers are added to this one's."""
        known = set()
        path = self._asked.record
        for text in path.read_text().splitlines() if path is not None and path.exists() else ():
            found = json.loads(text)
            tally = Tally.of_json(found["tally"])
            if tally.engine in self._tallies:
                self._tallies[Engine(tally.engine)].add(tally)
                known.add((Engine(tally.engine), found["seed"]))
        return known

    async def _work(self, trials: Iterator[tuple[Engine, int]], job: int, servers: ExitStack) -> None:
        database: Database | None = None
        for engine, seed in trials:
            if time.monotonic() - self._began > self._asked.seconds:
                return
            if engine is Engine.POSTGRES and database is None:
                database = Database(self._folder / f"server-{job}")
                await asyncio.to_thread(servers.enter_context, database)
            await self._try(engine, seed, database)

    async def _try(self, engine: Engine, seed: int, database: Database | None) -> None:
        asked = self._asked
        where = self._folder / f"{engine}-{seed}"
        where.mkdir()
        chosen = choices(
            seed, lives=asked.lives, engine=engine, end=asked.end, trouble=asked.trouble, replicas=asked.replicas
        )
        try:
            report = await Trial(chosen, where, database=database).run()
        except Exception as error:  # noqa: BLE001 - one broken trial is told and the others go on
            self._good = False
            _say(f"{seed:>6} {engine:<9} FAILED: {error!r}; see {where}")
            return
        self._tallies[engine].add(report.tally)
        self._keep(report)
        _say(line(report))
        if report.verdict.good:
            shutil.rmtree(where)
            if engine is Engine.POSTGRES and database is not None:
                await database.drop_schema(schema_of(seed))
        else:
            _say("\n".join([*complaints(report.verdict), f"    spool and log: {where}"]))

    def _keep(self, report: Report) -> None:
        if self._asked.record is not None:
            with self._asked.record.open("a") as file:
                file.write(json.dumps({"seed": report.choices.seed, "tally": report.tally.as_json()}) + "\n")

    async def _cut_power(self, seed: int) -> None:
        where = self._folder / "power"
        where.mkdir()
        cuts = await power_cut.torture(seed, where, seconds=_RECORDED_S, cuts=self._asked.cuts)
        self._good = self._good and cuts.good
        _say("\n" + power_cut.said(cuts))
        if not cuts.good:
            _say(f"    spool and log: {where}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
