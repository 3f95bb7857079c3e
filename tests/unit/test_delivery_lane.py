"""One lane as a machine of states: what may be posted, and when."""

import math

import pytest

from app.delivery.destination.batch import PendingEvent
from app.delivery.destination.lane import Lane
from app.model import Attempt
from app.splunk.answers import Outcome, Scope, Verdict
from tests.unit.delivery_parts import delivery

WIDE = {"bytes_max": 10**6, "count_max": 10, "linger_s": 2.0}
REFUSED = Verdict(outcome=Outcome.INDEX_REFUSED, words="no such index", scope=Scope.LANE)


def hec_event(seq: int, size: int = 100) -> PendingEvent:
    """One hec_event of so many bytes."""
    return PendingEvent(delivery(seq), b'{"fields":{' + b" " * (size - 11))


def lane_of(*sizes: int) -> Lane:
    """A lane with hec_events of these sizes, put there at 100 s."""
    lane = Lane("sentry")
    for number, size in enumerate(sizes):
        lane.put(hec_event(number, size), 100.0 + number)
    return lane


@pytest.mark.parametrize(
    ("sizes", "limits", "ready_at"),
    [
        ((), {}, math.inf),
        ((100,), {}, 102.0),
        ((100, 100), {}, 102.0),
        ((100,), {"linger_s": 0.0}, 100.0),
        ((100,) * 10, {}, -math.inf),
        ((100, 100), {"bytes_max": 250}, -math.inf),
        ((100, 100), {"bytes_max": 254}, 102.0),
    ],
    ids=["empty", "one lingers", "since the first", "no linger", "full by count", "full by bytes", "bytes to spare"],
)
def test_a_batch_goes_when_it_is_full_or_its_oldest_has_waited(
    sizes: tuple[int, ...], limits: dict[str, float], ready_at: float
) -> None:
    """The time is counted from the first hec_event of the queue."""
    assert lane_of(*sizes).ready_at(**(WIDE | limits)) == ready_at  # type: ignore[arg-type] # numbers of both kinds


def test_parts_of_a_refused_batch_go_first_and_each_alone() -> None:
    """At once, before what was queued, as batches of their own."""
    lane = lane_of(100)
    lane.put_back([[hec_event(7), hec_event(8)], [hec_event(9)]])
    assert lane.ready_at(**WIDE) == -math.inf  # type: ignore[arg-type] # as above
    taken = [[each.delivery.seq for each in lane.take(200.0, bytes_max=10**6, count_max=10)] for _ in range(3)]
    assert taken == [[7, 8], [9], [0]]
    assert lane.empty


def test_a_paused_lane_takes_nothing_then_one_then_all() -> None:
    """Open for its time; then a single hec_event tries it; a success opens it for all."""
    lane = lane_of(100, 100)
    lane.pause = lane.pause.begun(REFUSED, now=100.0, at=1.0, wait_s=30.0)
    assert lane.ready_at(**WIDE) == math.inf  # type: ignore[arg-type] # as above
    assert lane.unavailable_for_s(110.0, trial_s=5.0) == 20.0
    assert [each.delivery.seq for each in lane.clear()] == [0, 1]
    assert lane.unavailable_for_s(130.0, trial_s=5.0) == 0.0
    lane.put(hec_event(2), 130.0)
    lane.put(hec_event(3), 130.0)
    assert lane.unavailable_for_s(130.0, trial_s=5.0) == 5.0  # one is trying it already
    assert lane.ready_at(**WIDE) == -math.inf  # type: ignore[arg-type] # as above
    assert len(lane.take(130.0, bytes_max=10**6, count_max=10)) == 1
    lane.posts = 1
    assert lane.ready_at(**WIDE) == math.inf  # type: ignore[arg-type] # as above
    lane.posts, lane.pause = 0, lane.pause.ended()
    assert lane.ready_at(**WIDE) == 132.0  # type: ignore[arg-type] # as above


def test_a_lane_shows_its_state_in_a_line() -> None:
    """Nothing of what waits is in it."""
    lane = lane_of(100, 100)
    lane.put_back([[hec_event(5).posted(Attempt(1.0, 1.0, "no"))]])
    assert repr(lane) == "<Lane sentry closed: 3 waiting, 0 posts>"
    assert repr(Lane(None)) == "<Lane default closed: 0 waiting, 0 posts>"
