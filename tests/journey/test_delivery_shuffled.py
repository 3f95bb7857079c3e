"""Arbitrary batches against arbitrary faults: what is accepted is indexed or buried, and only poison is buried."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from app.model import Cause
from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.delivery_world import Part, ids_of, world

CLEAN = (
    Fault.busy(),
    Fault.busy(after=0),
    Fault.status(503),
    Fault.status(404, html=False),
    Fault.status(413),
    Fault.status(429, retry_after=0),
    Fault.code(1),
    Fault.code(4),
    Fault.code(10),
    Fault.code(18),
    Fault.code(26),
    Fault.shutting_down(),
    Fault.accept_then(24),
    Fault.redirect("http://127.0.0.1:9/"),
    Fault.none(),
    Fault.none(),
    Fault.none(),
)
AMBIGUOUS = (
    *CLEAN,
    # Of a batch that is no longer than this, the stand-in says that none is left: a number that cannot be.
    Fault.busy(after=2),
    Fault.busy(after=7),
    Fault.cut(stored=True),
    Fault.cut(stored=False, reset=True),
    Fault.cut(stored=True, partial_answer=True),
    Fault.status(502, stored=True),
    Fault.code(8, stored=False),
    Fault.hang(stored=True, s=0.02),
    Fault.ok_html(stored=True),
    Fault.code(5),
)
SEEDS = range(3)


@pytest.mark.parametrize("faults", [CLEAN, AMBIGUOUS], ids=["clean", "ambiguous"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_is_indexed_or_buried(tmp_path: Path, seed: int, faults: tuple[Fault, ...]) -> None:
    """Three tenants, poison strewn among the hooks, thirty faults each; clean ones double nothing."""
    rng = Random(seed)  # noqa: S311  the seed is the test's name
    tenants = ("a", "b", "c")
    async with StandInSplunk([HecToken(each) for each in tenants], event_bytes_max=5_000) as splunk:
        for each in tenants:
            splunk.script(*rng.choices(faults, k=30), token=each)
        parts = [Part(each, splunk.url, each) for each in tenants]
        limits = {"batch_hec_events_max": rng.randint(2, 40), "concurrency_max": rng.randint(1, 8)}
        async with world(tmp_path, parts, retry_base_s=0.005, retry_max_s=0.03, **limits) as here:
            healthy: list[str] = []
            poison: list[str] = []
            here.run()
            for _ in range(25):
                size = rng.choice((0, 0, 0, 9_000))
                ids = await here.accept(rng.randint(1, 12), tenant=rng.choice(tenants), size=size)
                (poison if size else healthy).extend(ids)
            await here.until_settled()
            copies = Counter(ids_of(splunk.indexed))
            buried = {each.delivery_id: each for each in await here.dead()}
            strangers = [each for each in buried.values() if each.delivery_id in healthy]
            # Alone with a 413 or a code 5, as these faults may leave it, a healthy one cannot be told from poison.
            assert {each.cause for each in strangers} <= {Cause.OVERSIZE, Cause.REJECTED}
            assert all("413" in each.fault or "code 5" in each.fault for each in strangers)
            assert set(copies) | set(buried) == set(healthy) | set(poison)
            assert set(healthy) - set(buried) <= set(copies) <= set(healthy)
            assert set(poison) <= set(buried)
            unmarked = [each for each in splunk.indexed if "relay_attempt" not in each.fields]
            assert set(Counter(ids_of(unmarked)).values()) == {1}
            if faults is CLEAN:
                assert len(unmarked) == len(splunk.indexed)
                assert not set(copies) & set(buried)
            assert not here.fatal
