"""Behind a real proxy, five milliseconds away, no hook is lost by a restart or because a connection was idle.

nginx is told nothing of repeating a hook here: what it loses is lost.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.latency import Place, missing, wire
from tests.system.proxies import hooks, proxy, proxy_missing, relays, seen, sees_both, until

DELAY_S = 0.005
ROUNDS = int(os.environ.get("PROXY_ROUNDS", "2"))
"""Both relays are restarted so often."""
ROUND_S = 10.0
HOOKS_AT_ONCE = 20
PROXY_IDLE_S = 2
RELAY_IDLE_S = 3
AIMED_AT = (1.95, 1.98, 2.0, 2.02, 2.05, 2.9, 2.98, 3.0, 3.02, 3.1)
"""Seconds of silence: about what the proxy keeps, and about what the relay does. 200 hooks come after one of them."""
pytestmark = pytest.mark.slow


@pytest.fixture
def places() -> Iterator[tuple[Place, Place]]:
    """Where the proxy is, and where the relays are."""
    lacking = missing()
    if lacking:
        pytest.skip(f"NO {lacking}: no wire with latency can be laid, so losing nothing behind a proxy is not tested")
    with wire(DELAY_S) as both:
        yield both


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_no_hook_is_lost_in_rolling_restarts(name: str, places: tuple[Place, Place], tmp_path: Path) -> None:
    """One relay after the other is stopped and started again, under load."""
    if words := proxy_missing(name):
        pytest.skip(words)
    near, far = places
    with (
        relays(far, tmp_path, DRAIN_DELAY_S="1") as both,
        proxy(name, near, tmp_path),
        hooks(near, "tests.attack.honest", ROUNDS * ROUND_S) as process,
    ):
        statuses = []
        for relay in both * ROUNDS:
            statuses.append(relay.stop())
            relay.start()
            until(lambda: sees_both(name, tmp_path), f"{name} does not see both")
        got = seen(process)
    assert statuses == [143] * len(statuses)
    assert len(got.seconds) > 100
    assert got.refused == []


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_no_hook_is_lost_at_the_idle_moment(name: str, places: tuple[Place, Place], tmp_path: Path) -> None:
    """The relay keeps idle connections longer than the proxy, so that it is the proxy that closes them."""
    if words := proxy_missing(name):
        pytest.skip(words)
    near, far = places
    with (
        relays(far, tmp_path, KEEPALIVE_S=str(RELAY_IDLE_S)),
        proxy(name, near, tmp_path, idle_s=PROXY_IDLE_S),
        hooks(near, "tests.system.idle_hooks", HOOKS_AT_ONCE, *AIMED_AT) as process,
    ):
        got = seen(process)
    assert len(got.seconds) == HOOKS_AT_ONCE * (len(AIMED_AT) + 1)
    assert got.refused == []
