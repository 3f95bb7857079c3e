"""Whose body stops when there are too many bytes."""

from hypothesis import given
from hypothesis import strategies as st

from app.server.bodies import Bodies
from app.server.places import Rank


def test_bytes_count_as_they_come() -> None:
    """And are given back at the end, whichever way that comes."""
    bodies: Bodies[str] = Bodies(100)
    assert bodies.grow("a", Rank.KNOWN, 40) == []
    assert bodies.grow("b", Rank.KNOWN, 60) == []
    assert bodies.held == 100
    bodies.end("a")
    bodies.end("a")
    assert bodies.held == 60


def test_the_body_that_has_been_coming_longest_stops() -> None:
    """Not the one that has just begun, and never one that is here in full."""
    bodies: Bodies[str] = Bodies(100)
    for name in ("first", "second", "third"):
        bodies.grow(name, Rank.KNOWN, 30)
    bodies.complete("first")
    assert bodies.grow("fourth", Rank.KNOWN, 30) == ["second"]
    assert bodies.held == 90


def test_strangers_stop_before_others_and_have_half_at_most() -> None:
    """However late they came."""
    bodies: Bodies[str] = Bodies(100)
    bodies.grow("proven", Rank.PROVEN, 50)
    bodies.grow("stranger", Rank.UNPROVEN, 30)
    assert bodies.grow("proven", Rank.PROVEN, 30) == ["stranger"]
    bodies.end("proven")
    bodies.grow("one", Rank.UNPROVEN, 40)
    assert bodies.grow("two", Rank.UNPROVEN, 20) == ["one"]


def test_where_nobody_can_stop_the_newcomer_does() -> None:
    """All others are here in full."""
    bodies: Bodies[str] = Bodies(100)
    bodies.grow("full", Rank.UNPROVEN, 45)
    bodies.complete("full")
    assert bodies.grow("new", Rank.UNPROVEN, 10) == ["new"]
    assert bodies.grow("known", Rank.KNOWN, 60) == ["known"]
    assert bodies.held == 45


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Rank), st.integers(1, 60), st.booleans())))
def test_whatever_comes_there_is_never_too_much(steps: list[tuple[int, Rank, int, bool]]) -> None:
    """Over the limits at no time, and what is held adds up."""
    bodies: Bodies[int] = Bodies(100)
    ranks: dict[int, Rank] = {}
    held: dict[int, int] = {}
    done: set[int] = set()
    for request, rank, count, whole in steps:
        if request in done:
            continue
        held[request] = held.get(request, 0) + count
        ranks.setdefault(request, rank)
        for stopped in bodies.grow(request, rank, count):
            assert stopped not in done
            del held[stopped], ranks[stopped]
        if whole and request in held:
            bodies.complete(request)
            done.add(request)
        assert bodies.held == sum(held.values()) <= 100
        assert sum(size for name, size in held.items() if ranks[name] is Rank.UNPROVEN) <= 50
