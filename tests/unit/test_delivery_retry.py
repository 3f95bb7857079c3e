"""When to try again, and the breaker that remembers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backoff import delay, retry_after_s
from app.delivery.destination.breaker import Breaker, BreakerState, half_opened, left_s, opened, succeeded

NOW = 1_790_000_000.0


@given(attempt=st.integers(0, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_is_jittered_over_a_doubling_ceiling(attempt: int, jitter: float) -> None:
    """Never negative, never above the cap, never above base times two to the attempts."""
    found = delay(attempt, jitter=jitter, base_s=1, cap_s=60)
    assert 0 <= found <= min(60, 2.0 ** min(max(attempt, 1) - 1, 50))


def test_a_delay_doubles_up_to_its_cap() -> None:
    """With full jitter at its upper end."""
    assert [delay(n, jitter=1, base_s=1, cap_s=10) for n in (1, 2, 3, 4, 5, 99)] == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("999999999999999999999", 60),
        ("Mon, 21 Sep 2026 14:13:30 GMT", 10),
        ("Mon, 21 Sep 2026 14:13:00 GMT", 0),
        ("Mon, 21 Sep 2099 14:13:00 GMT", 60),
        ("Mon, 21 Sep 2026 16:13:30 +0200", 10),
        ("Monday, 21-Sep-26 14:13:30 GMT", 10),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 99 Sep 2026 14:13:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_capped(header: str, wanted: float | None) -> None:
    """Seconds and dates; nonsense says nothing."""
    assert retry_after_s(header, now=NOW, cap_s=60) == wanted


@given(st.text(max_size=40))
def test_no_retry_after_header_raises(header: str) -> None:
    """It is written by whoever answers."""
    found = retry_after_s(header, now=NOW, cap_s=60)
    assert found is None or 0 <= found <= 60


def test_a_breaker_opens_tries_and_closes() -> None:
    """Each opening in a row is counted; a success forgets them."""
    first = opened(Breaker(), now=0, wait_s=5)
    assert (first.state, first.openings, left_s(first, now=2)) == (BreakerState.OPEN, 1, 3)
    assert half_opened(first, now=4.9) == first
    trial = half_opened(first, now=5)
    assert trial.state is BreakerState.HALF_OPEN
    again = opened(trial, now=5, wait_s=10)
    assert (again.state, again.openings) == (BreakerState.OPEN, 2)
    assert succeeded(half_opened(again, now=15)) == Breaker()


def test_answers_to_posts_that_began_before_the_breaker_opened_do_not_move_it() -> None:
    """A late fault is no second opening, though it may ask for a longer wait; a late success closes nothing."""
    first = opened(Breaker(), now=0, wait_s=5)
    assert opened(first, now=1, wait_s=1) == first
    assert opened(first, now=1, wait_s=60) == Breaker(BreakerState.OPEN, 1, 61)
    assert succeeded(first) == first
    assert left_s(Breaker(), now=0) == 0
