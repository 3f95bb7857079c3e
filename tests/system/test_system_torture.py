"""A short form of the torture (``docs/torture.md``): the relay dies in every way, and keeps what it promised."""

import signal
import sys
from pathlib import Path

import pytest

from tests.system.running import IMAGE
from tests.torture.choices import Choices, End, Life, Trouble
from tests.torture.relay import RelayProcess
from tests.torture.report import complaints
from tests.torture.traffic import Traffic
from tests.torture.trial import Plot, Report, Trial

pytestmark = pytest.mark.skipif(bool(IMAGE), reason="it is this checkout's own process that is tortured")


async def tortured(folder: Path, *lives: Life, plot: Plot | None = None) -> Report:
    """A trial of these lives; every promise was kept in it."""
    chosen = Choices(seed=7, lives=lives, posters=4, pause_s=0.03, claimed_in=len(lives) // 2)
    report = await Trial(chosen, folder, plot=plot).run()
    assert report.verdict.good, "\n".join(complaints(report.verdict))
    return report


async def test_what_was_accepted_is_never_lost_however_the_relay_ends(tmp_path: Path) -> None:
    """Killed at every kind of instant while Splunk misbehaves: each accepted hook arrives or is a dead letter."""
    ends = (End.TAKEN, End.POSTING, End.ACCEPTED, End.TERM, End.STARTING, End.ATTEMPTED, End.DRAINING)
    lives = [Life(end=end, end_after_s=0.3, then_s=0.0) for end in ends]
    frozen = Life(end=End.RANDOM, end_after_s=0.8, then_s=0.0, trouble=Trouble.FREEZE, trouble_s=0.4)
    report = await tortured(tmp_path, *lives, frozen)
    assert report.kills >= 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of a running process")
async def test_a_full_disk_refuses_hooks_and_loses_none(tmp_path: Path) -> None:
    """While nothing can be written hooks get a 500, afterwards a 202 again, and the earlier ones arrive."""

    async def plot(relay: RelayProcess, traffic: Traffic) -> None:
        for last, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
            await relay.start()
            assert await relay.listening()
            await traffic.answer("202")
            with relay.full_disk(0.0):
                await traffic.answer("500")
            await traffic.answer("202")
            with relay.full_disk(1.0):
                relay.send(last)
                assert await relay.ended() == status

    await tortured(tmp_path, plot=plot)
