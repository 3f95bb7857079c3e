"""Walking through a damaged table in the order of its key. Pure but for the reading, which is a parameter."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

KEY_MAX = 2**62
"""No key is higher; twice as much still fits into SQLite's integers."""
PROBES = 16
"""Places within a gap at which something readable is looked for."""

_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_EXTENDED = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})

Fetch = Callable[[int, int], Iterable[Any]]
"""``fetch(after, limit)``: rows with a key, their first column, above ``after``, in its order."""


class Gap(NamedTuple):
    """Keys between which nothing could be read, both included. Not every one of them need exist."""

    first: int
    last: int

    def __contains__(self, key: object) -> bool:
        """Whether the key lies in it."""
        return isinstance(key, int) and self.first <= key <= self.last


class Walked(NamedTuple):
    """What was read, and around what."""

    rows: list[Any]
    gaps: list[Gap]

    @property
    def reached(self) -> int | None:
        """The last key that was read or passed over; ``None``: there was nothing."""
        ends = [self.rows[-1][0]] if self.rows else []
        return max([*ends, *(gap.last for gap in self.gaps)], default=None)


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that it cannot read what is in the file, or Python that a text in it is none."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return str(error).startswith("Could not decode to UTF-8")
    return code & 0xFF in _CODES or code in _EXTENDED


def walk(
    fetch: Fetch, *, after: int, limit: int, last: int = KEY_MAX, weigh: Callable[[Any], int] = lambda _row: 1
) -> Walked:
    """Rows with a key above ``after`` and up to ``last`` that weigh ``limit`` together, or a little more.

    Raises:
        sqlite3.Error: it has another reason than damage.
    """
    walked = Walked([], [])
    while limit > 0 and after < last:
        try:
            for row in fetch(after, limit):
                if row[0] > last or limit <= 0:
                    return walked
                walked.rows.append(row)
                after, limit = row[0], limit - weigh(row)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            beyond = _beyond(fetch, after, last)
            walked.gaps.append(Gap(after + 1, beyond))
            after = beyond
        else:
            break
    return walked


def _beyond(fetch: Fetch, after: int, last: int) -> int:
    """The lowest key that is found behind which reading works again; ``last`` if there is none."""
    low, step = after, 1
    while after + step < last and not _works(fetch, after + step):
        low, step = after + step, step * 2
    high = min(after + step, last)
    while True:
        high = _border(fetch, low, high)
        for part in range(1, PROBES):
            place = after + (high - after) * part // PROBES
            if after < place < high and _works(fetch, place):
                low, high = after + (high - after) * (part - 1) // PROBES, place
                break
        else:
            return high


def _border(fetch: Fetch, low: int, high: int) -> int:
    """Reading does not work behind ``low``, and does behind ``high``: where between the two it begins to."""
    while high - low > 1:
        middle = (low + high) // 2
        if _works(fetch, middle):
            high = middle
        else:
            low = middle
    return high


def _works(fetch: Fetch, after: int) -> bool:
    try:
        for _ in fetch(after, 1):
            pass
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return False
    return True
