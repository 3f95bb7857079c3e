"""One verdict for everybody: the worst that holds, in a sentence, with what to do."""

from dataclasses import replace
from typing import Any

import pytest

from app.model import SpoolLimits, SpoolStats, Stream, StreamCounts
from app.verdict import Level, RefusedHooks, Situation, Trouble, age, judge

MAIN, AUDIT, PARKED = Stream("acme", "main"), Stream("acme", "audit"), Stream("", "")
NOW = 100_000.0


def books(stream: Stream = MAIN, **counts: int) -> StreamCounts:
    """Books that add up."""
    of = {name: counts.get(name, 0) for name in ("delivered", "filtered", "discarded", "adopted", "waiting", "dead")}
    return StreamCounts(stream=stream, accepted=counts.get("accepted", sum(of.values())), **of)


def stats(*streams: StreamCounts, **values: Any) -> SpoolStats:
    """A look at a spool that is nearly empty."""
    return SpoolStats(
        streams=streams, **{"payload_bytes": 10, "hooks": 1, "oldest_waiting_at": None, "dead_bytes": 0} | values
    )


def situation(*streams: StreamCounts, spool: dict[str, Any] | None = None, **values: Any) -> Situation:
    """Nothing is wrong but what is said."""
    limits = SpoolLimits(hooks_max=100, bytes_max=1_000, dead_bytes_max=1_000, dead_age_max_s=3_600)
    plain: dict[str, Any] = {"now": NOW, "limits": limits, "destinations": 2, "stats": stats(*streams, **(spool or {}))}
    return Situation(**plain | values)


def trouble(stream: Stream = MAIN, **values: Any) -> Trouble:
    """A destination whose hec_token Splunk does not know."""
    plain: dict[str, Any] = {"stream": stream, "words": "unknown hec_token", "act": "tenant configuration"}
    return Trouble(**plain | {"since": NOW - 660} | values)


LOST = RefusedHooks(tenant="acme", code="bad_signature", reason="no_secret_matches", count=2, last_at=NOW - 5)

CASES: dict[str, tuple[Situation, Level, str]] = {
    "nothing waits": (situation(books(delivered=9)), Level.ALL_RIGHT, "All is right"),
    "on the way": (situation(books(waiting=1), spool={"oldest_waiting_at": NOW - 3}), Level.ALL_RIGHT, "All is right"),
    "quiet": (situation(quiet=["no hooks from acme for 3 h"]), Level.QUIET, "Quiet: no hooks from acme for 3 h"),
    "dead letters": (
        situation(books(dead=40), books(AUDIT, dead=2)),
        Level.NEEDS_A_PERSON,
        "Needs a person: 42 dead letters",
    ),
    "parked": (
        situation(books(PARKED, waiting=2)),
        Level.NEEDS_A_PERSON,
        "Needs a person: no tenant claims the installation of 2 hooks",
    ),
    "a refused file": (
        situation(tenants_problem="line 3"),
        Level.NEEDS_A_PERSON,
        "Needs a person: the tenants file was refused: line 3",
    ),
    "an unresolved secret": (situation(unresolved=["env:A is gone"]), Level.NEEDS_A_PERSON, "env:A is gone"),
    "filling": (situation(spool={"hooks": 85}), Level.NEEDS_A_PERSON, "the spool is filled to 85%"),
    "dead letters fill their room": (situation(spool={"dead_bytes": 900}), Level.NEEDS_A_PERSON, "90% of their room"),
    "held": (situation(troubles=[trouble(state="held")]), Level.NEEDS_A_PERSON, "unknown hec_token"),
    "late": (
        situation(books(waiting=1), spool={"oldest_waiting_at": NOW - 1_200}),
        Level.LATE,
        "Late: the oldest delivery has waited for 20 min",
    ),
    "late behind a pause is told by the pause": (
        situation(books(waiting=1), spool={"oldest_waiting_at": NOW - 1_200}, troubles=[trouble()]),
        Level.NOT_DELIVERING,
        "Not delivering: 1 of 2 destinations takes nothing",
    ),
    "two lanes of one destination are one destination": (
        situation(troubles=[trouble(index="a"), trouble(index="b"), trouble(AUDIT)]),
        Level.NOT_DELIVERING,
        "Not delivering: 2 of 2 destinations take nothing",
    ),
    "nothing is delivered": (situation(delivering="a worker died"), Level.NOT_DELIVERING, "a worker died"),
    "lost hooks": (situation(refused=[LOST], troubles=[trouble()]), Level.LOSING, "Losing: 2 hooks were refused, 1 of"),
    "not accepting": (situation(accepting="disk_full"), Level.LOSING, "Losing: disk_full"),
    "the spool cannot be read": (situation(stats=None), Level.LOSING, "Losing: the spool cannot be read"),
    "full": (situation(spool={"payload_bytes": 1_000}), Level.LOSING, "Losing: the spool is full"),
    "books": (situation(books(accepted=3)), Level.LOSING, "Losing: the books of acme/main do not add up"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_worst_that_holds_is_the_verdict(name: str) -> None:
    """And its sentence names it."""
    of, level, words = CASES[name]
    verdict = judge(of)
    assert verdict.level is level
    assert words in verdict.words
    assert bool(verdict.todo) is (level is not Level.ALL_RIGHT)
    assert verdict.level is max((item.level for item in verdict.todo), default=Level.ALL_RIGHT)


def test_every_trouble_stays_on_the_list_worst_first() -> None:
    """What is lost before what waits, more before less, each with whose it is and who must act."""
    of = situation(
        books(waiting=37),
        books(AUDIT, waiting=1, dead=5),
        troubles=[trouble(AUDIT, next_in_s=12.0), trouble()],
        refused=[LOST],
    )
    todo = judge(of).todo
    assert [(item.whose, item.state, item.count) for item in todo] == [
        ("acme", "hooks lost", 2),
        ("acme/main", "paused", 37),
        ("acme/audit", "paused", 1),
        ("acme/audit", "dead letters", 5),
    ]
    assert todo[2].next_in_s == 12
    assert todo[1].act == "tenant configuration"
    assert judge(of).detail == "What was accepted is safe on disk. 38 deliveries wait and are tried by themselves."
    one = judge(replace(of, stats=stats(books(waiting=1))))
    assert one.detail.endswith("1 delivery waits and is tried by itself.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (59.6, "60 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (7_200, "2 h"),
        (11_400, "3 h 10 min"),
        (172_800, "2 days"),
    ],
)
def test_an_age_is_said_as_people_say_it(seconds: float, words: str) -> None:
    """In the largest unit that still tells something."""
    assert age(seconds) == words
