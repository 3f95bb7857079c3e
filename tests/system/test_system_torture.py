"""A short form of the torture (``docs/torture.md``): the relay dies in every way, and keeps what it promised."""

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.system.running import IMAGE
from tests.torture.choices import LEASE_S, Choices, End, Engine, Life, Trouble
from tests.torture.database import Database
from tests.torture.report import complaints
from tests.torture.trial import Plot, Report, Trial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(IMAGE), reason="it is this checkout's own process that is tortured"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has LD_PRELOAD and limits of a running process"),
]

EVERYWHERE = (End.POSTING, End.VERIFIED, End.BATCH, End.COMMITTING, End.COMMITTED, End.ANSWERING, End.SETTLING)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A PostgreSQL that may be killed."""
    with Database(tmp_path_factory.mktemp("database")) as database:
        yield database


async def tortured(
    folder: Path,
    lives: Sequence[Life] = (),
    *,
    engine: Engine = Engine.SQLITE,
    database: Database | None = None,
    replicas: int = 1,
    plot: Plot | None = None,
) -> Report:
    """A trial of these lives; every promise was kept in it."""
    chosen = Choices(
        seed=7,
        lives=tuple(lives),
        posters=4,
        pause_s=0.03,
        claimed_in=len(lives) // 2,
        engine=engine,
        replicas=replicas,
    )
    report = await Trial(chosen, folder, database=database, plot=plot).run()
    assert report.verdict.good, "\n".join(complaints(report.verdict))
    return report


def killed_at(*ends: End) -> list[Life]:
    """A short life for each."""
    return [Life(end=end, end_after_s=0.3, then_s=0.0) for end in ends]


def came_to(report: Report, *ends: End) -> list[End]:
    """Those of the exact points at which no life ended: the point was never reached."""
    return [end for end in ends if not report.tally.rows.get(end.value) or not report.tally.rows[end.value].kills]


async def test_what_was_accepted_is_never_lost_however_the_relay_ends(tmp_path: Path) -> None:
    """Killed at every kind of instant while Splunk misbehaves: each accepted hook arrives or is a dead letter."""
    ends = (End.TAKEN, End.ACCEPTED, End.TERM, End.STARTING, End.ATTEMPTED, End.DRAINING)
    frozen = Life(end=End.RANDOM, end_after_s=0.8, then_s=0.0, trouble=Trouble.FREEZE, trouble_s=0.4)
    report = await tortured(tmp_path, [*killed_at(*ends), frozen])
    assert report.kills >= 5


async def test_a_kill_at_any_named_point_loses_nothing_on_sqlite(tmp_path: Path) -> None:
    """Before and after the commit, amid a batch, before the 202 and before settling: exactly there."""
    points = (*EVERYWHERE, End.CHECKPOINTING)
    report = await tortured(tmp_path, killed_at(*points))
    assert report.kills == len(points)
    assert came_to(report, *points) == []


async def test_a_kill_at_any_named_point_loses_nothing_on_postgres(tmp_path: Path, database: Database) -> None:
    """The same, and before and after the commit of what was settled."""
    points = (*EVERYWHERE, End.SETTLE_COMMITTING, End.SETTLED)
    report = await tortured(tmp_path, killed_at(*points), engine=Engine.POSTGRES, database=database)
    assert report.kills == len(points)
    assert came_to(report, *points) == []


async def test_one_of_three_replicas_may_die_or_stop_at_any_time(tmp_path: Path, database: Database) -> None:
    """Killed in each role, stopped for longer than its lease: nothing is lost, nothing doubled without a reason."""
    lives = [Life(end=End.TAKEN, end_after_s=0.5, then_s=0.0, replica=replica) for replica in range(3)]
    stopped = Life(
        end=End.TERM, end_after_s=LEASE_S + 1.5, then_s=0.0, trouble=Trouble.FREEZE, trouble_s=LEASE_S + 0.5, replica=2
    )
    report = await tortured(tmp_path, [*lives, stopped], engine=Engine.POSTGRES, database=database, replicas=3)
    assert report.kills == len(lives)


async def test_a_database_that_is_killed_cut_off_or_full_loses_nothing(tmp_path: Path, database: Database) -> None:
    """SIGKILL of all of PostgreSQL or of one process of it, no network to it, no room on its disk."""
    troubles = (Trouble.SPOOL_KILLED, Trouble.SPOOL_CRASHED, Trouble.CUT_SPOOL, Trouble.DISK_FULL)
    lives = [
        Life(end=End.RANDOM, end_after_s=1.5, then_s=0.0, trouble=each, trouble_after_s=0.3, trouble_s=0.6)
        for each in troubles
    ]
    report = await tortured(tmp_path, lives, engine=Engine.POSTGRES, database=database)
    assert report.counts.answers["500"] > 0


async def test_a_network_that_is_cut_on_either_side_loses_nothing(tmp_path: Path) -> None:
    """Connections to Sentry and to Splunk are reset and refused, or swallow everything: what was accepted arrives."""
    lives = [
        Life(end=End.RANDOM, end_after_s=1.2, then_s=0.0, trouble=each, trouble_after_s=0.3, trouble_s=0.6, hole=hole)
        for each, hole in ((Trouble.CUT_SENTRY, True), (Trouble.CUT_SPLUNK, False), (Trouble.CUT_SPLUNK, True))
    ]
    report = await tortured(tmp_path, lives)
    assert report.counts.answers["no connection"] > 0


async def test_a_clock_that_steps_loses_nothing(tmp_path: Path) -> None:
    """The wall clock is put hours ahead and back while hooks come in: all of them arrive, late by as much at most."""
    lives = [
        Life(end=End.TERM, end_after_s=1.0, then_s=0.0, trouble=Trouble.CLOCK, trouble_s=0.6, clock_s=seconds)
        for seconds in (7200.0, -7200.0)
    ]
    await tortured(tmp_path, lives)


async def test_a_full_disk_refuses_hooks_and_loses_none(tmp_path: Path) -> None:
    """While nothing can be written hooks get a 500, afterwards a 202 again, and the earlier ones arrive."""

    async def plot(trial: Trial) -> None:
        relay, traffic = trial.relay, trial.traffic
        for last, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
            await relay.start()
            assert await relay.listening()
            await traffic.answer("202")
            with relay.no_room():
                await traffic.answer("500")
            await traffic.answer("202")
            with relay.full_disk(1.0):
                relay.send(last)
                assert await relay.ended() == status

    await tortured(tmp_path, plot=plot)
