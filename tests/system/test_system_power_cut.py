"""A power cut at any moment, rebuilt from the writes that a relay really made (``docs/torture.md``)."""

import sys
from pathlib import Path

import pytest

from tests.system.running import IMAGE
from tests.torture import power_cut

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(IMAGE), reason="it is this checkout's own process whose writes are recorded"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has LD_PRELOAD"),
]


async def test_a_power_cut_at_any_moment_loses_no_accepted_hook(tmp_path: Path) -> None:
    """Whatever part of the unsynced writes survives, the file is sound and holds every hook that was answered 202."""
    recording = await power_cut.record(7, tmp_path, seconds=2.0)
    cuts = power_cut.cut(recording, seed=7, cuts=240)
    assert cuts.good, power_cut.said(cuts)
    assert cuts.cuts >= 200
    unsynced = power_cut.cut(recording, seed=7, cuts=40, believes_syncs=False)
    assert unsynced.lost, "a relay that never synced would have passed"
