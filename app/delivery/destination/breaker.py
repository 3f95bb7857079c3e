"""The circuit breaker: a value and its transitions. Pure: ``now`` is an argument, on any clock that only rises.

::

    closed ──fault──> open ──its time──> half_open ──success──> closed
                       ^                     │
                       └───────fault─────────┘   each opening in a row waits longer
"""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether posts go out: all, none, or one to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker's state. ``openings`` counts those since the last success, ``until`` ends an open one."""

    state: BreakerState = BreakerState.CLOSED
    openings: int = 0
    until: float = 0.0


def opened(breaker: Breaker, *, now: float, wait_s: float) -> Breaker:
    """After a fault: open until ``now + wait_s``.

    A fault while it is open already (posts that were under way) is no new one; it can only make the wait longer.
    """
    until = now + wait_s
    if breaker.state is BreakerState.OPEN:
        return Breaker(BreakerState.OPEN, breaker.openings, max(breaker.until, until))
    return Breaker(BreakerState.OPEN, breaker.openings + 1, until)


def half_opened(breaker: Breaker, *, now: float) -> Breaker:
    """An open breaker whose time has come lets one through."""
    if breaker.state is BreakerState.OPEN and now >= breaker.until:
        return Breaker(BreakerState.HALF_OPEN, breaker.openings, breaker.until)
    return breaker


def succeeded(breaker: Breaker) -> Breaker:
    """After a success: closed, unless it is open; then the success is of a post that began before."""
    return breaker if breaker.state is BreakerState.OPEN else Breaker()


def left_s(breaker: Breaker, *, now: float) -> float:
    """Seconds until an open breaker may be tried; 0 if it is not open."""
    return max(0.0, breaker.until - now) if breaker.state is BreakerState.OPEN else 0.0
