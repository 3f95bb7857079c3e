"""Nothing is discarded for good on the word of a clock that may have been set."""

import pytest

from app.delivery.maintenance import Calm


@pytest.mark.parametrize(
    ("looks", "calm_s"),
    [
        ([(1_000.0, 50.0)], 0.0),
        ([(1_060.0, 110.0)], 60.0),
        ([(1_060.3, 110.0)], 60.0),  # slewed
        ([(1_060.0 + 40 * 86_400, 110.0)], 0.0),  # set ahead by forty days
        ([(900.0, 110.0)], 0.0),  # set back
        ([(9_000.0, 110.0), (9_030.0, 140.0)], 30.0),
    ],
)
def test_the_time_since_the_start_or_the_last_step_counts(looks: list[tuple[float, float]], calm_s: float) -> None:
    """By a clock that nobody sets."""
    calm = Calm(wall=1_000.0, steady=50.0)
    assert [calm.look(wall=wall, steady=steady) for wall, steady in looks][-1] == calm_s
