"""Pauses: why, since when, for how long; and the breaker of a destination, which probes."""

import asyncio

import pytest

from app.delivery.destination.breaker import Breaker, BreakerState
from app.delivery.destination.destination_breaker import DestinationBreaker
from app.delivery.destination.pause import Pause, wait_s
from app.splunk.answers import Outcome, Rest, Scope, Verdict
from app.splunk.codes import Act
from tests.unit.delivery_parts import LIMITS, STREAM, Parts

DOWN = Verdict(outcome=Outcome.UNREACHABLE, words="no connection", rest=Rest.LATER, scope=Scope.DESTINATION)
REFUSED = Verdict(outcome=Outcome.HEC_TOKEN_REFUSED, words="unknown", scope=Scope.HEC_TOKEN, act=Act.TENANT)


def paused(openings: int) -> Pause:
    """A pause after so many faults in a row."""
    return Pause(Breaker(BreakerState.OPEN, openings, 0.0))


@pytest.mark.parametrize(
    ("openings", "verdict", "retry_after", "seconds"),
    [
        (0, DOWN, "", 0.5),
        (1, DOWN, "", 1.0),
        (5, DOWN, "", 16.0),
        (9, DOWN, "", 30.0),
        (9, REFUSED, "", 45.0),
        (0, DOWN, "20", 20.5),
        (9, DOWN, "20", 30.0),
        (0, DOWN, "9999", 300.5),
        (0, DOWN, "soon", 0.5),
    ],
    ids=[
        "first",
        "second",
        "sixth",
        "bounded",
        "a hec_token's bound",
        "asked for",
        "backoff longer",
        "cut",
        "nonsense",
    ],
)
def test_a_pause_lasts_as_long_as_backoff_or_splunk_says(
    openings: int, verdict: Verdict, retry_after: str, seconds: float
) -> None:
    """With a jitter of a half: doubling from ``retry_base_s``, or ``Retry-After`` where that is longer."""
    asked = Verdict(outcome=verdict.outcome, words="", scope=verdict.scope, retry_after=retry_after)
    assert wait_s(paused(openings), asked, limits=LIMITS, jitter=0.5, at=1000.0) == seconds


def test_a_pause_remembers_its_first_fault_and_says_the_last() -> None:
    """Since when: the first in a row. Why and who: the latest. A success ends it whole."""
    first = Pause().begun(DOWN, now=10.0, at=100.0, wait_s=5.0)
    again = first.half_opened(15.0).begun(REFUSED, now=15.0, at=105.0, wait_s=9.0)
    assert (again.since, again.words, again.act, again.scope) == (100.0, "unknown", Act.TENANT, Scope.HEC_TOKEN)
    assert (again.state, again.left_s(20.0), again.breaker.openings) == (BreakerState.OPEN, 4.0, 2)
    assert again.ended() is again  # a success while it is open is of a post that began before
    assert again.half_opened(24.0).ended() == Pause()


class Probing:
    """A breaker whose probes come at once and answer as the test says."""

    def __init__(self, *answers: Verdict | None) -> None:
        self.parts = Parts()
        self.answers = list(answers)
        self.seen: list[tuple[BreakerState, int]] = []
        """State and openings at each probe."""
        self.resumed = 0
        self.fails_meanwhile = False
        self.breaker = DestinationBreaker(STREAM, self.parts.context, probe=self._probe, on_resume=self._on_resume)

    async def _probe(self) -> Verdict | None:
        self.seen.append((self.breaker.state, self.breaker.pause.breaker.openings))
        if self.fails_meanwhile:
            self.fails_meanwhile = False
            self.breaker.record_fault(DOWN)  # a post that was under way
        return self.answers.pop(0)

    def _on_resume(self) -> None:
        self.resumed += 1

    async def rest(self) -> None:
        """Until no probe is under way or due: every wait here is none."""
        for _ in range(20):
            await asyncio.sleep(0)
        await self.parts.done()


async def test_a_probe_then_a_hec_event_then_all() -> None:
    """A bad probe opens it again, a good one lets one hec_event through, whose success ends the pause."""
    here = Probing(DOWN, None)
    here.breaker.record_fault(DOWN)
    states = [here.breaker.state]
    await here.rest()
    states.append(here.breaker.state)
    assert here.seen == [(BreakerState.OPEN, 1), (BreakerState.OPEN, 2)]
    here.breaker.record_success()
    states.append(here.breaker.state)
    assert states == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert (here.resumed, here.breaker.left_s()) == (2, 0.0)


async def test_a_fault_while_a_probe_is_under_way_makes_its_answer_old() -> None:
    """A post that began before fails meanwhile: another probe has to find it well. It is no new opening."""
    here = Probing(None, None)
    here.fails_meanwhile = True
    here.breaker.record_fault(DOWN)
    await here.rest()
    assert here.seen == [(BreakerState.OPEN, 1)] * 2
    assert (here.breaker.state, here.resumed) == (BreakerState.HALF_OPEN, 1)


@pytest.mark.parametrize(("verdict", "asked"), [(DOWN, 0), (REFUSED, 2)])
async def test_a_refused_hec_token_is_read_again_at_once_and_before_each_probe(verdict: Verdict, asked: int) -> None:
    """Its secret may have been rotated; another destination's fault asks for nothing."""
    here = Probing(None)
    here.breaker.record_fault(verdict)
    await here.rest()
    assert here.breaker.state is BreakerState.HALF_OPEN
    assert here.parts.directory.refreshed == asked


async def test_a_closed_breaker_probes_no_more() -> None:
    """Its sender has ended, with a probe due."""
    here = Probing(None)
    here.breaker.record_fault(DOWN)
    here.breaker.close()
    await here.rest()
    assert (here.seen, here.resumed) == ([], 0)
