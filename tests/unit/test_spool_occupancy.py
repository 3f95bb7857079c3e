"""Who may have how much of the spool."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spool.shares import EVICTED_MAX, NOTHING, Held, Occupancy, may_be_shares, parked_budget, payers, who_goes

LIMIT = Held(100, 10_000)


def fill(own: dict[str, Held] | None = None) -> Occupancy:
    """A spool in which these hold that much."""
    held = own or {}
    total = NOTHING
    for each in held.values():
        total = total.plus(each)
    return Occupancy(LIMIT, total, held)


def stored(occupancy: Occupancy, tenant: str, count: int, *, share: float = 0.5, size: int = 10) -> int:
    """How many of so many hooks are stored."""
    return [occupancy.refusal(tenant, size, share) for _ in range(count)].count("")


def test_who_is_alone_has_all_of_it() -> None:
    """There is nobody to leave room for."""
    occupancy = fill()
    assert stored(occupancy, "acme", 200, share=1.0) == 100
    assert occupancy.refusal("acme", 10, 1.0) == "spool_full"


def test_who_fills_the_spool_is_refused_and_the_others_are_not() -> None:
    """Half of it, and the last tenth only for those who hold less than is left: by hooks and by bytes."""
    for size, most in ((10, 100), (1_000, 10)):
        occupancy = fill()
        assert stored(occupancy, "acme", 200, size=size) == most // 2
        assert occupancy.refusal("acme", size, 0.5) == "share_full"
        assert stored(occupancy, "globex", most // 2 - most // 10, size=size) == most // 2 - most // 10
        assert occupancy.refusal("globex", size, 0.5) == "share_full"
        assert occupancy.refusal("initech", size, 0.5) == ""
        assert occupancy.refusal("acme", size, 0.5)


def test_a_tenants_own_share_is_more_or_less_than_half() -> None:
    """As its tenants file says."""
    assert stored(fill(), "acme", 200, share=0.8) == 80
    assert stored(fill(), "acme", 200, share=0.2) == 20


def test_one_hook_is_always_stored_where_there_is_room() -> None:
    """A share that is smaller than a hook is no reason."""
    assert fill().refusal("acme", 9_000, 0.1) == ""
    assert fill().refusal("acme", 10_001, 0.1) == "spool_full"


@given(st.lists(st.sampled_from("abcdef"), max_size=300))
def test_the_last_place_is_never_taken_by_somebody_who_holds_much(order: list[str]) -> None:
    """Whatever the order: nobody holds over half, and whoever holds nothing is refused by a full spool only."""
    occupancy, held = fill(), dict.fromkeys("abcdef", 0)
    for tenant in order:
        why = occupancy.refusal(tenant, 1, 0.5)
        if not why:
            held[tenant] += 1
        elif why == "share_full":
            assert held[tenant] >= min(50, 100 - occupancy.total.hooks)
    assert max(held.values()) <= 50
    assert sum(held.values()) == occupancy.total.hooks <= 100


@given(st.integers(0, 120), st.lists(st.integers(0, 300), max_size=40), st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_where_nobody_can_meet_a_share_nobody_looks(before: int, sizes: list[int], share: float) -> None:
    """The quick way refuses nothing that the exact one refuses."""
    total = Held(before, before * 50)
    if not may_be_shares(total, sizes, share, LIMIT):
        occupancy = Occupancy(LIMIT, total, {"acme": total})
        assert not any(occupancy.refusal("acme", size, share) for size in sizes)


def test_parked_hooks_have_their_budget_and_never_more_than_a_tenth() -> None:
    """However large the budget is."""
    assert parked_budget(Held(5, 500), LIMIT) == Held(5, 500)
    assert parked_budget(Held(1_000, 10**9), LIMIT) == Held(10, 1_000)


def test_the_oldest_parked_go_and_some_more_than_have_to() -> None:
    """Down to nine tenths, so that the next come in without anybody going; never more than there has to at once."""
    oldest = [(seq, 10) for seq in range(10_000)]
    seqs, left = who_goes(oldest, Held(100, 1_000), Held(1, 10), Held(100, 10**9))
    assert (seqs, left) == (list(range(11)), Held(89, 890))
    seqs, left = who_goes(oldest, Held(9_999, 99_990), Held(2, 20), Held(10_000, 10**9))
    assert (len(seqs), left.hooks) == (EVICTED_MAX, 9_499)
    seqs, left = who_goes(oldest, Held(9_999, 99_990), Held(900, 9_000), Held(10_000, 10**9))
    assert (len(seqs), left.hooks) == (899, 9_100)


@pytest.mark.parametrize(
    ("sizes", "most", "pay"),
    [
        ({"acme": 100, "globex": 10}, 110, {}),
        ({"acme": 100, "globex": 10}, 60, {"acme": 50}),
        ({"acme": 100, "globex": 90, "initech": 5}, 105, {"acme": 50, "globex": 40}),
        ({"acme": 7}, 0, {"acme": 7}),
        ({}, 0, {}),
    ],
)
def test_the_largest_pays_first(sizes: dict[str, int], most: int, pay: dict[str, int]) -> None:
    """Who has no more than an equal part pays nothing."""
    assert payers(sizes, most) == pay


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100)), st.integers(0, 300))
def test_what_is_left_fits_and_nobody_pays_for_a_larger_one(sizes: dict[str, int], most: int) -> None:
    """All together have no more than there may be; whoever paid has as much left as anybody."""
    pay = payers(sizes, most)
    left = {name: size - pay.get(name, 0) for name, size in sizes.items()}
    assert sum(left.values()) <= most
    for name in pay:
        assert left[name] >= max(left.values())
