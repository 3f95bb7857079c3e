"""Walking through a table of which parts cannot be read."""

import sqlite3
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.spool.sqlite.salvage.walk import Fetch, Gap, is_damage, walk


def damage() -> sqlite3.DatabaseError:
    """What SQLite raises at a page that is none."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def table(keys: Iterable[int], *bad: range) -> Fetch:
    """A table with these keys: reading one that lies in a bad range raises."""
    ordered = sorted(keys)

    def fetch(after: int, limit: int) -> Iterator[tuple[int]]:
        for key in [key for key in ordered if key > after][:limit]:
            if any(key in part for part in bad):
                raise damage()
            yield (key,)

    return fetch


def keys_of(fetch: Fetch, *, after: int = 0, limit: int = 10**6, last: int = 10**6) -> list[int]:
    """Those that are read."""
    return [key for (key,) in walk(fetch, after=after, limit=limit, last=last).rows]


def test_a_whole_table_is_read_in_pages() -> None:
    """As it lies there."""
    fetch = table(range(1, 100))
    assert keys_of(fetch) == list(range(1, 100))
    assert keys_of(fetch, limit=10) == list(range(1, 11))
    assert keys_of(fetch, after=10, limit=10) == list(range(11, 21))
    assert keys_of(fetch, after=10, last=12) == [11, 12]
    assert walk(fetch, after=99, limit=9).reached is None


@pytest.mark.parametrize(
    ("bad", "gaps"),
    [
        ([range(1, 2)], [Gap(1, 1)]),
        ([range(10, 11)], [Gap(10, 10)]),
        ([range(10, 40)], [Gap(10, 39)]),
        ([range(10, 40), range(50, 51), range(60, 95)], [Gap(10, 39), Gap(50, 50), Gap(60, 94)]),
        ([range(10, 14), range(15, 30)], [Gap(10, 13), Gap(15, 29)]),
    ],
)
def test_what_cannot_be_read_is_stepped_over_exactly(bad: list[range], gaps: list[Gap]) -> None:
    """And nothing beside it."""
    walked = walk(table(range(1, 100), *bad), after=0, limit=1000)
    assert [key for (key,) in walked.rows] == [key for key in range(1, 100) if not any(key in part for part in bad)]
    assert walked.gaps == gaps


def test_heavy_rows_make_short_pages() -> None:
    """So that a page of large payloads fits into the memory."""
    walked = walk(table(range(1, 100)), after=0, limit=10, weigh=lambda row: 4 if row[0] > 2 else 1)
    assert [key for (key,) in walked.rows] == [1, 2, 3, 4]


def test_an_end_that_cannot_be_read_is_a_gap_to_the_end() -> None:
    """However far that is."""
    walked = walk(table(range(1, 100), range(90, 100)), after=0, limit=1000, last=10_000)
    assert walked.gaps == [Gap(90, 99)]
    assert walked.reached == 99
    nothing = walk(table([5], range(1, 2**62)), after=0, limit=9)
    assert (nothing.rows, nothing.gaps) == ([], [Gap(1, 5)])


def test_another_error_is_raised() -> None:
    """A disk that is full says nothing of the table."""

    def fetch(_after: int, _limit: int) -> Iterator[tuple[int]]:
        raise sqlite3.OperationalError("unable to open database file")

    with pytest.raises(sqlite3.OperationalError):
        walk(fetch, after=0, limit=9)
    assert not is_damage(ValueError())


@given(
    keys=st.sets(st.integers(1, 3_000), max_size=200),
    bad=st.lists(st.tuples(st.integers(1, 3_000), st.integers(1, 40)), max_size=4),
    limit=st.integers(1, 50),
)
def test_page_by_page_no_key_is_read_twice_or_passed_over_unsaid(
    keys: set[int], bad: list[tuple[int, int]], limit: int
) -> None:
    """Every key is read or lies in a gap, never both; and what is bad is never read."""
    parts = [range(first, first + length) for first, length in bad]
    fetch = table(keys, *parts)
    seen: list[int] = []
    gaps: list[Gap] = []
    after: int | None = 0
    while after is not None:
        walked = walk(fetch, after=after, limit=limit)
        seen += [key for (key,) in walked.rows]
        gaps += walked.gaps
        after = walked.reached
    assert sorted(set(seen)) == seen
    for key in keys:
        assert (key in seen) != any(key in gap for gap in gaps)
        if any(key in part for part in parts):
            assert key not in seen
