"""How much of a disk may be filled with hooks."""

import sqlite3

import pytest

from app.spool.sqlite.room import (
    HELD_BYTES_MAX,
    RESERVE_BYTES_MAX,
    Volume,
    can_shrink,
    grant,
    held_of,
    is_full,
    reserve_of,
    shortage,
)

MB = 1_000_000
GB = 1_000 * MB


def volume(**changes: int) -> Volume:
    """Eighty megabytes (so that the reserve is ten), half of them free, but for these."""
    return Volume(**({"size": 80 * MB, "free": 40 * MB, "pending": 0, "unused": 0, "used": 30 * MB} | changes))


@pytest.mark.parametrize(
    ("size", "reserve", "held"),
    [(80 * MB, 10 * MB, 5 * MB), (0, 0, 0), (10**13, RESERVE_BYTES_MAX, HELD_BYTES_MAX)],
)
def test_the_reserve_is_a_part_of_a_small_disk_and_bounded_on_a_large_one(size: int, reserve: int, held: int) -> None:
    """So that a small one is of use, and of a large one next to nothing is kept."""
    assert (reserve_of(size), held_of(size)) == (reserve, held)


@pytest.mark.parametrize(
    ("changes", "granted"),
    [
        ({}, 15 * MB),  # each byte goes through the log and into the file
        ({"pending": 20 * MB}, 5 * MB),  # the log still has to be moved
        ({"free": 10 * MB}, 0),
        ({"free": 10 * MB, "pending": 5 * MB}, 0),
        ({"free": 10 * MB, "unused": 20 * MB}, 5 * MB),  # the log may have half of the reserve
        ({"free": 10 * MB, "unused": 2 * MB}, 2 * MB),
        ({"free": 5 * MB, "unused": 20 * MB}, 0),
        ({"free": 12 * MB, "unused": 20 * MB}, 7 * MB),
        ({"free": 0, "pending": MB, "unused": MB}, 0),
    ],
)
def test_hooks_get_what_is_not_needed_to_deliver_them(changes: dict[str, int], granted: int) -> None:
    """Of free pages in the file without a bound, as long as the log has room."""
    assert grant(volume(**changes)) == granted


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({"unused": 9 * MB, "used": MB}, True),
        ({"unused": 9 * MB, "used": MB, "free": MB}, False),  # no room for the copy
        ({"unused": 9 * MB, "used": MB, "pending": 39 * MB}, False),
        ({"unused": MB, "used": 2 * MB}, False),  # little to gain
        ({"unused": 20 * MB, "used": 9 * MB}, False),  # takes too long
    ],
)
def test_an_empty_database_is_made_small_where_that_is_quick(changes: dict[str, int], *, can: bool) -> None:
    """And where there is something to gain."""
    assert can_shrink(volume(**changes)) is can


def test_a_limit_that_the_disk_cannot_hold_is_told() -> None:
    """With the number that would be right."""
    assert shortage(volume(), 40 * MB) is None
    assert shortage(volume(), 10 * GB) == (
        "the disk has 70.0 MB for the spool, and RELAY_SPOOL_BYTES_MAX is 10,000.0 MB: with more than 46.7 MB hooks "
        "are refused for the disk before they are for the limit"
    )


@pytest.mark.parametrize(
    ("code", "full"), [(sqlite3.SQLITE_FULL, True), (sqlite3.SQLITE_IOERR_WRITE, True), (1, False)]
)
def test_a_quota_is_a_full_disk_too(code: int, *, full: bool) -> None:
    """SQLite tells it as a failed write."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    assert is_full(error) is full
    assert not is_full(OSError())
