"""A power cut over a SQLite spool: a relay's writes are recorded, and the disk is rebuilt as a cut would leave it.

The relay is a real one, with hooks and a bad Splunk as in a trial. No process is needed for a cut: each is a prefix
of the recorded writes, less a part of what was not synced, opened by SQLite and compared with what had been answered.
"""

import asyncio
import re
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.torture.books import Row, imbalances
from tests.torture.choices import Choices
from tests.torture.sqlite_books import read_books
from tests.torture.traffic import Hook
from tests.torture.trial import Trial
from tests.torture.verdict import PARKED
from tests.torture.world import World
from tests.torture.write_log import SUFFIXES, Disk, Op, Record, Remains, read_log

LIVES = 3
_MEMORY = next((each for each in ("/dev/shm",) if Path(each).is_dir()), None)  # noqa: S108 - a folder of its own in it
"""Where files are rebuilt: nothing has to survive there."""
_DELIVERY = re.compile(rb'"delivery":"([^"]+)"')
_SHOWN = 12


@dataclass(slots=True)
class Cuts:
    """What came of all of them."""

    seed: int
    records: int = 0
    syncs: int = 0
    cuts: int = 0
    by_remains: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    """Hooks answered 202 in the recording."""
    owed: int = 0
    """Deliveries of those that were looked for, over all cuts."""
    lost: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was lost and every rebuilt file was sound."""
        return not (self.lost or self.faults) and self.cuts > 0 and self.owed > 0


@dataclass(frozen=True, slots=True)
class Recording:
    """What a relay wrote, what it answered, and what Splunk had when."""

    records: Sequence[Record]
    owed: Mapping[str, Sequence[Row]]
    """Of each delivery id that a poster was told."""
    indexed: Mapping[Row, float]
    """When Splunk first had it."""
    faults: Sequence[str]
    """Of the recorded run itself."""


async def record(seed: int, folder: Path, *, seconds: float) -> Recording:
    """Run relays over one spool, end them in order, and bring back everything."""
    chosen = Choices(seed=seed, lives=(), posters=6, pause_s=0.02, claimed_in=0)

    async def plot(trial: Trial) -> None:
        for _ in range(LIVES - 1):  # the last one is the trial's own
            await trial.relay.start()
            await trial.relay.listening()
            await asyncio.sleep(seconds / LIVES)
            trial.relay.send(signal.SIGTERM)
            await trial.relay.ended()

    trial = Trial(chosen, folder, plot=plot, record=folder / "writes")
    report = await trial.run()
    records = read_log(folder / "writes")
    faults = [f"the recorded run: {each}" for each in (*report.verdict.faults, *report.verdict.lost)]
    return Recording(
        records=records,
        owed=_owed(trial.world, trial.traffic.counts.hooks),
        indexed=_indexed(trial),
        faults=[*faults, *_unlike(records, folder / "spool.db")],
    )


def _owed(world: World, hooks: Sequence[Hook]) -> dict[str, list[Row]]:
    return {
        delivery_id: [(str(stream), delivery_id) for stream in world.owed(hook.door.tenant, hook.sample.resource)[0]]
        for hook in hooks
        for delivery_id in hook.accepted
    }


def _indexed(trial: Trial) -> dict[Row, float]:
    found: dict[Row, float] = {}
    for copy in trial.copies():
        row = str(copy.stream), copy.delivery_id
        found[row] = min(copy.request.at, found.get(row, copy.request.at))
    return found


def _unlike(records: Sequence[Record], spool: Path) -> list[str]:
    """Where the recording does not give what is on the disk: then it says nothing about power cuts."""
    disk = Disk()
    for place, each in enumerate(records):
        disk.apply(place, each)
    rebuilt = disk.left(Remains.ALL, Random(0))  # noqa: S311 - repeatable on purpose
    faults = []
    for file, suffix in SUFFIXES.items():
        path = spool.with_name(spool.name + suffix)
        real = path.read_bytes() if path.exists() else b""
        if rebuilt.get(file, b"") != real:
            faults.append(f"the recording is not what is on the disk: spool.db{suffix}")
    return faults


def cut(recording: Recording, *, seed: int, cuts: int, believes_syncs: bool = True) -> Cuts:
    """So many power cuts at moments chosen by the seed: answers, syncs, and any; of each, every kind of remains."""
    rng = Random(f"{seed}:cuts")  # noqa: S311 - repeatable on purpose
    records = recording.records
    result = Cuts(seed, records=len(records), faults=list(recording.faults))
    result.syncs = sum(each.op is Op.SYNC_END for each in records)
    moments = _moments(records, cuts // len(Remains), rng)
    disk = Disk(believes_syncs=believes_syncs)
    answered: list[str] = []
    with tempfile.TemporaryDirectory(prefix="cut-", dir=_MEMORY) as folder:
        for place, each in enumerate(records):
            disk.apply(place, each)
            if each.op is Op.ANSWER:
                answered += [found.decode() for found in _DELIVERY.findall(each.content)]
            if place in moments:
                owed = [row for delivery_id in answered for row in recording.owed.get(delivery_id, ())]
                owed = [row for row in owed if recording.indexed.get(row, each.at) >= each.at]
                for remains in Remains:
                    where = f"after record {place} of {len(records)}, of the rest {remains}"
                    result.cuts += 1
                    result.by_remains[remains.value] += 1
                    result.owed += len(owed)
                    _look(disk.left(remains, rng), owed, Path(folder), where, result)
    result.answered = len(answered)
    return result


def _moments(records: Sequence[Record], count: int, rng: Random) -> set[int]:
    """Places in the log: half of them at a 202 or a sync, where a promise is tightest."""
    tight = [place for place, each in enumerate(records) if each.op in {Op.ANSWER, Op.SYNC_END}]
    chosen = set(rng.sample(tight, min(len(tight), count // 2)))
    return chosen | set(rng.sample(range(len(records)), min(len(records), count - len(chosen))))


def _look(left: Mapping[int, bytes], owed: Sequence[Row], folder: Path, where: str, result: Cuts) -> None:
    """Open what is left as the relay would find it, and compare."""
    path = folder / "spool.db"
    for old in folder.iterdir():
        old.unlink()
    for file, content in left.items():
        path.with_name(path.name + SUFFIXES[file]).write_bytes(content)
    if not left.get(1) and not owed:
        return  # the relay had not made it yet
    books = read_books(path, recover=True)
    held = {*books.waiting, *books.dead}
    parked = {delivery_id for _, delivery_id in (row for row in books.parked if row[0] == PARKED)}
    missing = [row for row in owed if row not in held and row[1] not in parked]
    result.lost += [f"{where}: {stream} {delivery_id}" for stream, delivery_id in missing]
    early = not owed and any("no such table" in each for each in books.faults)
    if not early:  # cut off before its tables were made, it is made anew
        result.faults += [f"{where}: {each}" for each in (*books.faults, *imbalances(books))]


def said(cuts: Cuts) -> str:
    """A line about all of them, and the first faults."""
    head = (
        f"power cuts: {cuts.cuts} ({', '.join(f'{name} {count}' for name, count in sorted(cuts.by_remains.items()))}) "
        f"in {cuts.records} records with {cuts.syncs} syncs; {cuts.answered} hooks answered 202, "
        f"{cuts.owed} deliveries looked for, lost {len(cuts.lost)}, other faults {len(cuts.faults)}"
    )
    return "\n".join([head, *(f"    lost: {each}" for each in cuts.lost[:_SHOWN]), *cuts.faults[:_SHOWN]])


async def torture(seed: int, folder: Path, *, seconds: float, cuts: int) -> Cuts:
    """Record for so long, then cut so many times."""
    recording = await record(seed, folder, seconds=seconds)
    result = await asyncio.to_thread(cut, recording, seed=seed, cuts=cuts)
    if result.good:
        shutil.rmtree(folder)
    return result
