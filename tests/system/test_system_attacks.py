"""Attacks on the port of a real relay, and honest hooks beside them: none is refused, and memory is bounded.

How late the answers are is for ``make attack`` to say: it depends on the machine.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.__main__ import MEMORY_MAX_BYTES
from tests.attack.attacks import ATTACKS
from tests.attack.site import Site, attacked, site

pytestmark = pytest.mark.slow
SECONDS = 1.5
OF_THE_PORT = {"too_many_bytes", "too_many_requests"}
"""Reasons of a 500 that attackers could bring upon others. None gets as far as the spool, whose disk may be slow."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One relay for all attacks, so that what one leaves behind would harm the next."""
    with site(tmp_path_factory.mktemp("attacked")) as relay:
        yield relay


@pytest.mark.parametrize("name", ATTACKS)
def test_no_honest_hook_is_refused_beside_an_attack(running: Site, name: str) -> None:
    """Nor is the relay's memory the attacker's."""
    outcome = attacked(running, name, SECONDS)
    slow_disk = sum(line["code"] == "not_stored" and line["reason"] not in OF_THE_PORT for line in refusals(running))
    assert len(outcome.seen.seconds) > 10
    assert len(outcome.seen.refused) <= slow_disk, outcome.seen.refused
    assert outcome.rss_bytes < MEMORY_MAX_BYTES


def refusals(running: Site) -> Iterator[dict[str, str]]:
    """The lines of refusals in the relay's log so far."""
    for text in running.log.read_text(errors="replace").splitlines():
        if '"request.refused"' in text:
            yield json.loads(text)


def test_the_log_of_all_that_is_no_flood(running: Site) -> None:
    """Hundreds of thousands of refusals are some hundred lines."""
    assert sum(1 for _ in refusals(running)) < 100 * len(ATTACKS)
    assert Path(running.log).stat().st_size < 5_000_000
