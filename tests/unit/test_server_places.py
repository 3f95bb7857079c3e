"""Who holds a place, and who leaves when there are too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.places import GRACE_S, Places, Rank


def places(count: int, *, rank: Rank = Rank.UNPROVEN) -> Places[str]:
    """Eight places, of which ``count`` are held, one more second for each that came earlier."""
    held: Places[str] = Places(8)
    for number in range(count):
        held.enter(f"{rank.name}-{number}", rank, float(number))
    return held


def test_the_one_that_has_waited_longest_leaves() -> None:
    """Never the newcomer, however many come."""
    held = places(7)
    assert held.crowded
    assert held.who_leaves("UNPROVEN-6") == "UNPROVEN-0"
    held.leave("UNPROVEN-0")
    assert not held.crowded


def test_strangers_never_have_the_last_places() -> None:
    """A quarter is for those who have delivered a hook, or whose address has."""
    held = places(6)
    assert not held.crowded
    held.enter("known", Rank.KNOWN, 6.0)
    held.enter("proven", Rank.KNOWN, 6.0)
    assert not held.crowded
    held.enter("stranger", Rank.UNPROVEN, 7.0)
    assert held.who_leaves("stranger") == "UNPROVEN-0"


def test_who_has_a_request_in_progress_stays() -> None:
    """If everybody has one, nobody leaves."""
    held = places(7)
    for number in range(6):
        held.working(f"UNPROVEN-{number}")
    assert held.who_leaves("UNPROVEN-6") is None
    held.waiting("UNPROVEN-3", 9.0)
    assert held.who_leaves("UNPROVEN-6") == "UNPROVEN-3"


def test_an_answer_begins_the_waiting_anew() -> None:
    """Who asks is not who waits."""
    held = places(7)
    held.working("UNPROVEN-0")
    held.waiting("UNPROVEN-0", 8.0)
    assert held.who_leaves("UNPROVEN-6") == "UNPROVEN-1"


def test_a_proven_connection_has_a_grace_and_no_more() -> None:
    """An idle one that delivered a hook outlasts strangers, and a newcomer outlasts one that has long been idle."""
    held: Places[str] = Places(2)
    held.enter("proven", Rank.UNPROVEN, 0.0)
    held.proved("proven", "acme")
    assert held.rank("proven") is Rank.PROVEN
    held.enter("stranger", Rank.KNOWN, 10.0)
    held.enter("newcomer", Rank.KNOWN, 20.0)
    assert held.who_leaves("newcomer") == "stranger"
    held.leave("stranger")
    late = GRACE_S[Rank.PROVEN] + 1
    held.waiting("newcomer", late)
    held.enter("stranger", Rank.KNOWN, late)
    assert held.who_leaves("stranger") == "proven"


def test_one_tenant_does_not_hold_all_proven_places() -> None:
    """Beyond a quarter its connections are as they were; once one is closed there is room for another."""
    held = places(4)
    for number in range(4):
        held.proved(f"UNPROVEN-{number}", "acme")
    ranks = [held.rank(f"UNPROVEN-{number}") for number in range(4)]
    assert ranks == [Rank.PROVEN, Rank.PROVEN, Rank.UNPROVEN, Rank.UNPROVEN]
    held.leave("UNPROVEN-0")
    held.proved("UNPROVEN-2", "acme")
    assert held.rank("UNPROVEN-2") is Rank.PROVEN


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "work", "wait", "prove"]), st.integers(0, 12))))
def test_whatever_happens_somebody_else_can_leave_while_anybody_waits(steps: list[tuple[str, int]]) -> None:
    """The newcomer is let in unless every other connection has a request in progress."""
    held: Places[int] = Places(4)
    inside: dict[int, bool] = {}
    for now, (step, who) in enumerate(steps):
        if step == "enter" and who not in inside:
            held.enter(who, Rank(who % 2), float(now))
            inside[who] = True
            leaves = held.who_leaves(who)
            assert leaves != who
            others = [other for other, waits in inside.items() if waits and other != who]
            if len(inside) > held.places_max and others and held._counts[0] <= held.unproven_max:  # noqa: SLF001
                assert leaves in others
        elif who in inside:
            match step:
                case "leave":
                    held.leave(who)
                    del inside[who]
                case "work":
                    held.working(who)
                    inside[who] = False
                case "wait":
                    held.waiting(who, float(now))
                    inside[who] = True
                case "prove":
                    held.proved(who, "acme")
    assert len(held) == len(inside)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_places_are_places_all_the_same(count: int) -> None:
    """However small the limit, a stranger gets in."""
    held: Places[str] = Places(count)
    held.enter("stranger", Rank.UNPROVEN, 0.0)
    assert not held.crowded
