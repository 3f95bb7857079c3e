"""One trial: a spool on a real disk, relays that die over it, a Splunk that misbehaves, and the books at the end."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.torture.choices import Choices, End, Life, Trouble
from tests.torture.doubles import Evidence
from tests.torture.ports import number, reserved_port
from tests.torture.relay import Lifetime, RelayProcess
from tests.torture.sqlite_books import read_books
from tests.torture.traffic import Counts, Traffic
from tests.torture.trap import Trap
from tests.torture.verdict import Verdict, copies_of, judge
from tests.torture.weather import Station, Weather
from tests.torture.world import SPLUNKS, WAYS, World

HEC_TIMEOUT_S = 1.0
HEALING_S = 30.0
"""So long everything is given to arrive once all is well."""
TRIAL_DEADLINE_S = 180.0
_POINT_DEADLINE_S = 2.0
_AFTERGLOW_S = 0.3
_ORDERLY = 128 + signal.SIGTERM
_AT_ONCE = frozenset({End.RANDOM, End.TERM, End.DRAINING})
_WAITING = re.compile(rb"^relay_deliveries_waiting\{[^}]*\} (\S+)$", re.MULTILINE)

SETTINGS = {
    "RELAY_HOST": "127.0.0.1",
    "RELAY_LOG_FORMAT": "json",
    "RELAY_RETRY_BASE_S": "0.05",
    "RELAY_RETRY_MAX_S": "0.5",
    "RELAY_RETRY_AFTER_MAX_S": "1",
    "RELAY_PAUSE_PROBE_MAX_S": "0.5",
    "RELAY_HEC_CONNECT_TIMEOUT_S": "0.5",
    "RELAY_HEC_TIMEOUT_S": str(HEC_TIMEOUT_S),
    "RELAY_LEASE_S": "6",
    "RELAY_LINGER_S": "0.05",
    "RELAY_POLL_INTERVAL_S": "0.1",
    "RELAY_TENANTS_POLL_S": "0.1",
    "RELAY_DRAIN_DELAY_S": "0",
    "RELAY_DRAIN_DEADLINE_S": "1",
    "RELAY_BODY_DEADLINE_S": "2",
    "RELAY_BATCH_HEC_EVENTS_MAX": "25",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a trial did and what came of it."""

    choices: Choices
    verdict: Verdict
    counts: Counts
    lives: list[Lifetime]
    requests: int
    """Posts that Splunk saw."""
    causes: Counter[str]
    """Dead letters by cause."""
    seconds: float

    @property
    def kills(self) -> int:
        """Lives that SIGKILL really ended."""
        return sum(life.killed for life in self.lives)


Plot = Callable[[RelayProcess, Traffic], Awaitable[None]]
"""What is to happen while hooks come in, from a start of the relay to its end."""


class Trial:
    """A trial while it runs. ``folder`` is empty and its own; spool, tenants file and log stay in it.

    ``plot`` comes before the lives that were chosen.
    """

    def __init__(self, choices: Choices, folder: Path, *, plot: Plot | None = None) -> None:
        self._choices = choices
        self._plot = plot
        self._folder = folder
        self._faults: list[str] = []
        self._trap = Trap()
        self._world = World(choices.seed)
        self._stations = {name: Station(self._world.hec_tokens(name)) for name in SPLUNKS}
        self._reserved = reserved_port()
        self._port = number(self._reserved)
        self._relay = RelayProcess(folder, self._settings(), self._on_event)
        self._traffic = Traffic(
            self._world,
            f"http://127.0.0.1:{self._port}",
            self._rng("traffic"),
            on_post=lambda: self._trap.reached(End.POSTING),
            on_accepted=lambda: self._trap.reached(End.ACCEPTED),
        )

    async def run(self) -> Report:
        """The whole of it.

        Raises:
            TimeoutError: it took far too long.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(TRIAL_DEADLINE_S):
                await self._torture()
        finally:
            if self._relay.runs:
                self._relay.send(signal.SIGKILL)
                await self._relay.ended()
            for station in self._stations.values():
                await station.close()
            self._reserved.close()
        return self._report(time.monotonic() - began)

    async def _torture(self) -> None:
        for station in self._stations.values():
            station.splunk.on_request = lambda seen: self._trap.reached(End.TAKEN) if seen.indexed else None
            await station.open()
        skies = [
            Weather(station, self._rng(f"weather {name}"), hang_s=1.5 * HEC_TIMEOUT_S)
            for name, station in self._stations.items()
        ]
        async with asyncio.TaskGroup() as group:
            storms = [group.create_task(sky.run()) for sky in skies]
            posting = group.create_task(self._traffic.run(self._choices.posters, pause_s=self._choices.pause_s))
            self._write_tenants(late=False)
            if self._plot is not None:
                await self._plot(self._relay, self._traffic)
            for count, life in enumerate(self._choices.lives):
                self._write_tenants(late=count >= self._choices.claimed_in)
                await self._live(life)
            for sky in skies:
                sky.clear()
            await asyncio.gather(*storms)
            self._write_tenants(late=True)
            await self._last_life(posting)

    async def _live(self, life: Life) -> None:
        """One life, from its start to its end."""
        await self._relay.start()
        if life.end is End.STARTING:
            await asyncio.sleep(life.end_after_s * self._relay.start_s)
            self._relay.send(signal.SIGKILL)
        elif await self._relay.listening():
            troubled = asyncio.create_task(self._trouble(life))
            await asyncio.sleep(life.end_after_s)
            self._trap.set(life.end, lambda: self._end(life))
            await self._trap.sprung(within_s=0.0 if life.end in _AT_ONCE else _POINT_DEADLINE_S)
            await self._ended(life.end)
            troubled.cancel()
            await asyncio.wait([troubled])
            if not troubled.cancelled():
                troubled.result()
            return
        await self._ended(life.end)

    async def _trouble(self, life: Life) -> None:
        await asyncio.sleep(life.trouble_after_s)
        if life.trouble is Trouble.FREEZE:
            await self._relay.freeze(life.trouble_s)
        elif life.trouble is Trouble.DISK_FULL:
            with self._relay.full_disk(life.file_bytes):
                await asyncio.sleep(life.trouble_s)

    def _end(self, life: Life) -> None:
        """Send what ends it; at once where that is wanted, so that nothing happens in between."""
        if not life.end.kills:
            self._relay.send(signal.SIGTERM)
            return
        if life.end is End.DRAINING:
            self._relay.send(signal.SIGTERM)
        elif not life.then_s:
            self._relay.send(signal.SIGKILL)
            return
        self._relay.send_later(life.then_s, signal.SIGKILL)

    async def _ended(self, end: End) -> None:
        """Wait for the end that it was given; any other is a fault."""
        wanted = {End.TERM: {_ORDERLY}, End.DRAINING: {_ORDERLY, -signal.SIGKILL}}.get(end, {-signal.SIGKILL})
        try:
            status = await self._relay.ended()
        except TimeoutError:
            self._faults.append(f"life {len(self._relay.lives) - 1} did not end ({end})")
            return
        if status not in wanted:
            self._faults.append(f"life {len(self._relay.lives) - 1} ended with status {status} ({end})")

    async def _last_life(self, posting: asyncio.Task[None]) -> None:
        """All is well: everything has to arrive, and the relay has to end in order."""
        await self._relay.start()
        await self._relay.listening()
        await asyncio.sleep(_AFTERGLOW_S)
        self._traffic.stop()
        await posting
        with suppress(TimeoutError):
            async with asyncio.timeout(HEALING_S):
                while await self._waiting():
                    await asyncio.sleep(0.05)
        self._relay.send(signal.SIGTERM)
        await self._ended(End.TERM)

    async def _waiting(self) -> bool:
        """Whether the relay says that anything is waiting, or says nothing."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(b"GET /metrics HTTP/1.0\r\nHost: relay\r\n\r\n")
            page = await reader.read()
            writer.close()
        except OSError:
            return self._relay.runs
        counts = _WAITING.findall(page)
        return not counts or any(float(each) for each in counts)

    def _report(self, seconds: float) -> Report:
        evidence = Evidence(
            lives=self._relay.lives,
            cut_at={str(way.stream): self._stations[way.splunk].cut_at for way in WAYS},
            patience_s=HEC_TIMEOUT_S,
        )
        copies = [
            copy
            for station in self._stations.values()
            for copy in copies_of(self._world, station.splunk.indexed, station.splunk.requests)
        ]
        books = read_books(self._folder / "spool.db")
        verdict = judge(self._world, self._traffic.counts.hooks, copies, books, evidence)
        verdict.faults += [*self._faults, *self._traffic.counts.wrong]
        verdict.faults += [f"life {life.number} said: {words}" for life in self._relay.lives for words in life.said]
        return Report(
            choices=self._choices,
            verdict=verdict,
            counts=self._traffic.counts,
            lives=self._relay.lives,
            requests=sum(station.splunk.request_count for station in self._stations.values()),
            causes=Counter(books.causes),
            seconds=seconds,
        )

    def _on_event(self, event: str) -> None:
        if event == "delivery.attempted":
            self._trap.reached(End.ATTEMPTED)

    def _write_tenants(self, *, late: bool) -> None:
        """In one step, as whoever edits it under a running relay should."""
        urls = {name: station.url for name, station in self._stations.items()}
        fresh = self._folder / "tenants.new"
        fresh.write_text(self._world.tenants_file(urls, late=late), "utf-8")
        fresh.replace(self._folder / "tenants.yaml")

    def _settings(self) -> dict[str, str]:
        return {
            **SETTINGS,
            **self._world.environ,
            "RELAY_PORT": str(self._port),
            "RELAY_TENANTS_FILE": str(self._folder / "tenants.yaml"),
            "RELAY_SPOOL_URL": f"sqlite:///{self._folder / 'spool.db'}",
        }

    def _rng(self, name: str) -> Random:
        return Random(f"{self._choices.seed}:{name}")  # noqa: S311 - repeatable on purpose
