"""What readiness says of the spool: every limit that is near or reached is told in words."""

from dataclasses import replace

import pytest

from app.health import share_words, spool_words
from app.metrics import Metrics
from app.model import SpoolLimits, SpoolStats, Stream, StreamCounts, TenantFill

BOUNDS = SpoolLimits(hooks_max=100, bytes_max=1_000, dead_bytes_max=500, dead_age_max_s=36_000)
COUNT = StreamCounts(
    stream=Stream("acme", "main"), accepted=9, delivered=0, filtered=0, discarded=0, adopted=0, waiting=5, dead=4
)
STATS = SpoolStats(
    streams=[COUNT], payload_bytes=90, hooks=9, oldest_waiting_at=1.0, dead_bytes=40, oldest_dead_at=100.0, history=7
)


def words(now: float = 200.0, **changes: object) -> list[str]:
    """The words about a spool that is as ``STATS`` but for these."""
    return spool_words(replace(STATS, **changes), BOUNDS, now=now)  # type: ignore[arg-type] # any of its fields


def test_a_spool_with_room_says_what_it_holds() -> None:
    """And nothing else."""
    assert words() == ["5 deliveries waiting, 4 dead letters, 90 payload bytes"]
    one = [replace(COUNT, waiting=1, dead=1)]
    assert words(streams=one) == ["1 delivery waiting, 1 dead letter, 90 payload bytes"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hooks": 79}, ""),
        ({"hooks": 80}, "filled to 80%: the limits are 100 hooks and 1000 bytes"),
        ({"payload_bytes": 900}, "filled to 90%: the limits are 100 hooks and 1000 bytes"),
        ({"hooks": 100}, "full, hooks are refused: the limits are 100 hooks and 1000 bytes"),
        ({"payload_bytes": 1_000}, "full, hooks are refused: the limits are 100 hooks and 1000 bytes"),
        ({"dead_bytes": 399}, ""),
        ({"dead_bytes": 400}, "dead letters hold 400 of 500 bytes: beyond, the oldest are discarded"),
        ({"now": 100 + 28_799}, ""),
        ({"now": 100 + 32_400}, "the oldest dead letter is discarded in 1.0 hours unless somebody acts"),
        ({"now": 100 + 99_999}, "the oldest dead letter is discarded in 0.0 hours unless somebody acts"),
        ({"streams": [replace(COUNT, dead=0)], "dead_bytes": 0, "oldest_dead_at": None, "now": 1e9}, ""),
        (
            {"streams": [COUNT, replace(COUNT, stream=Stream("", ""), waiting=2, dead=0)]},
            "2 of them parked: no tenant claims their installation",
        ),
    ],
)
def test_a_limit_that_is_near_or_reached_is_told(changes: dict[str, float], said: str) -> None:
    """From four fifths on."""
    assert words(**changes)[1:] == ([said] if said else [])


def test_the_metrics_show_each_value_beside_its_limit() -> None:
    """So that an alert needs no number of its own."""
    metrics = Metrics("1")
    metrics.limits(BOUNDS)
    page = metrics.page(STATS, now=250.0).decode().splitlines()
    for line in (
        "relay_spool_hooks 9.0",
        "relay_spool_hooks_limit 100.0",
        "relay_spool_payload_bytes 90.0",
        "relay_spool_payload_bytes_limit 1000.0",
        "relay_spool_dead_bytes 40.0",
        "relay_spool_dead_bytes_limit 500.0",
        "relay_spool_oldest_dead_seconds 150.0",
        "relay_spool_oldest_dead_seconds_limit 36000.0",
        "relay_spool_history 7.0",
    ):
        assert line in page


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (TenantFill("acme", 39, 10), []),
        (TenantFill("acme", 40, 10), ["acme holds 40% of the spool, and may hold 50%"]),
        (TenantFill("acme", 1, 500), ["acme holds 50% of the spool, and may hold 50%: its hooks are refused"]),
        (TenantFill("alone", 99, 990), []),
        (TenantFill("", 10, 100), []),
    ],
)
def test_a_tenant_that_holds_its_share_is_named(held: TenantFill, said: list[str]) -> None:
    """The spool has room, and its hooks are refused all the same."""
    stats = replace(STATS, tenants=[held])
    assert share_words(stats, BOUNDS, {"acme": 0.5, "alone": 1.0}) == said
