"""A volume smaller than what the spool may hold: filled while Splunk is away, and emptied by the relay alone."""

import hmac
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.small_volume import small_volume
from tests.system.running import IMAGE, SECRET, Relay, Splunk, hook, wait_until

NUMBERS = count(1)
REFUSED_MIN = 20
"""So many refusals in a row are a full disk."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[Splunk, Relay]]:
    """A stand-in Splunk that does not run yet, and a relay whose spool lies on a volume of 20 MB."""
    if IMAGE:
        pytest.skip("NOT SHOWN HERE: the image's volume has the size that the engine gives it")
    splunk = Splunk(tmp_path)
    with small_volume(tmp_path, 20) as volume:
        settings = {"RELAY_SPOOL_URL": f"sqlite:///{volume / 'spool.db'}"}
        relay = Relay(tmp_path, splunk, sign_of_life="/livez", settings=settings)
        try:
            yield splunk, relay
        finally:
            relay.remove()
            splunk.remove()


def test_a_small_disk_that_is_full_empties_itself_once_splunk_is_back(small: tuple[Splunk, Relay]) -> None:
    """Whatever was accepted arrives, once; then hooks are accepted again. All of it twice, with a restart between."""
    splunk, relay = small
    owed: set[str] = set()
    for _ in range(2):
        relay.start()
        taken = fill(relay)
        assert len(taken) > 100
        owed |= taken
        readiness = relay.get("/readyz")
        assert readiness.status == 503
        assert "MB are kept to deliver what is stored" in readiness.json()["parts"]["spool"]["words"][0]
        splunk.start()
        arrived = splunk.wait_for(owed)
        wait_until(lambda: relay.get("/readyz").status == 200, relay.life.said, deadline_s=60)
        assert len(arrived) == len(owed)
        assert relay.stop() == 143
        splunk.stop()


def fill(relay: Relay) -> set[str]:
    """Post hooks until they are refused; the ids of those that were not."""
    taken, refused = set(), 0
    while refused < REFUSED_MIN:
        body, headers = hook(next(NUMBERS))
        body = json.dumps(json.loads(body) | {"padding": "x" * 20_000}).encode()
        headers["Sentry-Hook-Signature"] = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        answer = relay.post(body, headers)
        assert answer.status in {202, 500}
        if answer.status == 202:
            taken.add(answer.json()["delivery"])
        refused = 0 if answer.status == 202 else refused + 1
    return taken
