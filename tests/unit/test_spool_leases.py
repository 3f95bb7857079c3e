"""Leases in memory: who holds what until when."""

import math

from app.model import Delivery, Hook, Stream
from app.spool.sqlite.leases import Leases, per_stream


def delivery(seq: int, lease: str = "a", tenant: str = "acme") -> Delivery:
    """A claimed delivery."""
    hook = Hook(delivery_id=f"{seq:032x}", tenant=tenant, payload=b"")
    return Delivery(seq=seq, lease=lease, stream=Stream(tenant, "main"), hook=hook, attempts=0, ambiguous=0)


def test_a_lease_runs_out_at_its_time_and_is_forgotten() -> None:
    """Each claim has its own time."""
    leases = Leases()
    leases.take([1, 2], "a", 10.0)
    leases.take([3], "b", 20.0)
    assert leases.held(9.9) == [1, 2, 3]
    assert leases.held(10.0) == [3]
    assert leases.held(19.9) == [3]
    assert leases.held(20.0) == []


def test_what_is_renewed_outlives_the_rest_of_its_claim() -> None:
    """Of one claim, one delivery is renewed and the other is not."""
    leases = Leases()
    leases.take([1, 2], "a", 10.0)
    leases.extend([delivery(1)], 30.0)
    assert leases.held(15.0) == [1]
    assert leases.ours([delivery(1), delivery(2)], 15.0) == [delivery(1)]
    assert leases.held(30.0) == []


def test_a_lease_of_another_claim_is_not_ours() -> None:
    """It ran out and was taken anew."""
    leases = Leases()
    leases.take([1], "b", 10.0)
    assert leases.ours([delivery(1, "a")], 5.0) == []
    assert leases.ours([delivery(1, "b")], 5.0) == [delivery(1, "b")]


def test_what_is_being_written_does_not_run_out_and_goes_on_as_before_if_it_fails() -> None:
    """Pinned, then unpinned: the time it had is its time again."""
    leases = Leases()
    leases.take([1], "a", 10.0)
    before = leases.pin([delivery(1)])
    assert leases.held(1e9) == [1]
    leases.unpin(before)
    assert leases.held(9.0) == [1]
    assert leases.held(10.0) == []


def test_what_is_dropped_is_free() -> None:
    """At once."""
    leases = Leases()
    leases.take([1, 2], "a", math.inf)
    leases.drop([delivery(1)])
    assert leases.held(0.0) == [2]


def test_deliveries_are_counted_by_the_key_of_their_stream() -> None:
    """As the books have it."""
    assert per_stream([delivery(1), delivery(2), delivery(3, tenant="other")]) == {"acme/main": 2, "other/main": 1}
