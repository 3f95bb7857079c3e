"""The two clocks of an engine that has no database's to go by."""

from collections.abc import Callable

STEP_S = 1.0
"""What the wall's clock moves against the steady one by less than this is being slewed, not stepped."""


class Clocks:
    """The wall's clock, which restarts understand, and a steady one, which nobody sets: leases go by that."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self.wall = wall
        """Unix seconds."""
        self.steady = steady
        """Seconds since whenever."""
        self._apart = wall() - steady()

    def went_back(self) -> float:
        """By how many seconds the wall's clock was set back since ``agree``; 0 if it was not."""
        back = self._apart - (self.wall() - self.steady())
        return back if back > STEP_S else 0.0

    def agree(self) -> None:
        """Go by what the clocks say now."""
        self._apart = self.wall() - self.steady()
