"""One trial: a spool on a real disk, relays that die over it, a Splunk that misbehaves, and the books at the end."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from app.sandbox.splunk import RequestSeen
from tests.torture.books import Books
from tests.torture.choices import Choices, End, Life, Trouble
from tests.torture.database import Database
from tests.torture.doubles import Copy, Evidence
from tests.torture.relay import Lifetime, RelayProcess
from tests.torture.stage import Stage
from tests.torture.stalls import Stalls
from tests.torture.tally import HEALED, Episode, Tally, rows_of
from tests.torture.traffic import Counts, Traffic
from tests.torture.trap import Trap
from tests.torture.verdict import Verdict, copies_of, judge
from tests.torture.weather import Weather
from tests.torture.world import SPLUNKS, World

HEC_TIMEOUT_S = 1.0
HEALING_S = 30.0
"""So long everything is given to arrive once all is well."""
TRIAL_DEADLINE_S = 180.0
_POINT_DEADLINE_S = 15.0
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
    tally: Tally
    seconds: float

    @property
    def kills(self) -> int:
        """Lives that SIGKILL really ended."""
        return sum(life.killed for life in self.lives)


class Trial:
    """A trial while it runs. ``folder`` is empty and its own; spool, tenants file and log stay in it.

    ``plot`` comes before the lives that were chosen. ``database`` is needed for trials on PostgreSQL. Writes to a
    SQLite spool are recorded into ``record``.
    """

    def __init__(
        self,
        choices: Choices,
        folder: Path,
        *,
        database: Database | None = None,
        plot: "Plot | None" = None,
        record: Path | None = None,
    ) -> None:
        self.world = World(choices.seed)
        self._choices = choices
        self._plot = plot
        self._folder = folder
        self._faults: list[str] = []
        self._episodes: list[Episode] = []
        self._trap = Trap()
        self._stalls = Stalls(folder)
        self._stage = Stage(choices, self.world, folder, database=database, reached=self._trap.reached)
        self._site = self._stage.site
        self.relays = self._stage.relays(SETTINGS, self._on_event, record=record)
        self.traffic = Traffic(
            self.world,
            self._stage.addresses,
            self._rng("traffic"),
            on_post=lambda: self._trap.reached(End.POSTING),
            on_accepted=lambda: self._trap.reached(End.ACCEPTED),
        )

    @property
    def relay(self) -> RelayProcess:
        """The first, or only one."""
        return self.relays[0]

    async def run(self) -> Report:
        """The whole of it.

        Raises:
            TimeoutError: it took far too long.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(TRIAL_DEADLINE_S):
                await self._torture()
            books = await self._site.read_books()
        finally:
            for relay in self.relays:
                if relay.runs:
                    relay.send(signal.SIGKILL)
                    await relay.ended()
            await self._stage.close()
        return self._report(books, time.monotonic() - began)

    async def _torture(self) -> None:
        stations = self._stage.stations
        for station in stations.values():
            station.splunk.on_request = self._on_request
        await self._stage.open()
        skies = [
            Weather(station, self._rng(f"weather {name}"), hang_s=1.5 * HEC_TIMEOUT_S)
            for name, station in stations.items()
        ]
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._stalls.watch())
            storms = [group.create_task(sky.run()) for sky in skies]
            posting = group.create_task(self.traffic.run(self._choices.posters, pause_s=self._choices.pause_s))
            self._stage.write_tenants(late=False)
            if self._plot is not None:
                self._begin_episode("plot")
                await self._plot(self)
            for count, life in enumerate(self._choices.lives):
                self._stage.write_tenants(late=count >= self._choices.claimed_in)
                await self._live(life)
            for sky in skies:
                sky.clear()
            await asyncio.gather(*storms)
            self._stage.write_tenants(late=True)
            await self._last_life(posting)
            watching.cancel()

    async def _live(self, life: Life) -> None:
        """One life, from its start to its end, while other replicas go on with theirs."""
        self._begin_episode(life.kind)
        relay = self.relays[life.replica]
        if life.end is End.STARTING and relay.runs:
            relay.send(signal.SIGKILL)
            await relay.ended()
        begun = [each for each in self.relays if not each.runs]
        await asyncio.gather(*(each.start() for each in begun))
        for each in begun:  # a relay that finds no database does not start, and says so
            if life.end is not End.STARTING or each is not relay:
                await each.listening()
        if life.end is End.STARTING:
            await asyncio.sleep(life.end_after_s * relay.start_s)
            relay.send(signal.SIGKILL)
        elif await relay.listening():
            troubled = asyncio.create_task(self._trouble(life, relay))
            await asyncio.sleep(life.end_after_s)
            await self._come_to(life, relay)
            await self._ended(life.end, relay)
            troubled.cancel()
            await asyncio.wait([troubled])
            if not troubled.cancelled():
                troubled.result()
            return
        await self._ended(life.end, relay)

    async def _come_to(self, life: Life, relay: RelayProcess) -> None:
        """Have it end at the point; where that is not reached in time, anyway, and it counts as random."""
        point = self._site.shim_points.get(life.end)
        if point is not None:
            relay.shim.arm(point, passes=life.passes)
            missed = not await relay.gone(within_s=_POINT_DEADLINE_S) and relay.shim.sprung is not point
            if missed:
                relay.shim.disarm()
                relay.send(signal.SIGKILL)
        else:
            self._trap.set(life.end, lambda: self._end(life, relay), replica=life.replica, passes=life.passes)
            await self._trap.sprung(within_s=0.0 if life.end in _AT_ONCE else _POINT_DEADLINE_S)
            missed = self._trap.missed and life.end not in _AT_ONCE
        if missed and life.trouble is Trouble.NONE:
            self._episodes[-1] = replace(self._episodes[-1], kind=self._named(End.RANDOM.value))

    async def _trouble(self, life: Life, relay: RelayProcess) -> None:
        await asyncio.sleep(life.trouble_after_s)
        trouble, seconds = life.trouble, life.trouble_s
        if trouble is Trouble.FREEZE:
            await relay.freeze(seconds)
        elif trouble is Trouble.FILE_LIMIT:
            with relay.full_disk(life.file_bytes):
                await asyncio.sleep(seconds)
        elif trouble is Trouble.DISK_FULL and self._site.spool_path():
            with relay.no_room():
                await asyncio.sleep(seconds)
        elif trouble is Trouble.CLOCK:
            with relay.wrong_clock(life.clock_s):
                await asyncio.sleep(seconds)
        elif trouble is Trouble.CUT_SENTRY:
            await self._stage.sentry_wires[life.replica].cut(seconds, hole=life.hole)
        elif trouble is Trouble.CUT_SPLUNK:
            await self._stage.splunk_wires[SPLUNKS[life.passes % len(SPLUNKS)]].cut(seconds, hole=life.hole)
        else:
            await self._site.trouble(life)

    def _end(self, life: Life, relay: RelayProcess) -> None:
        """Send what ends it; at once where that is wanted, so that nothing happens in between."""
        if not life.end.kills:
            relay.send(signal.SIGTERM)
            return
        if life.end is End.DRAINING:
            relay.send(signal.SIGTERM)
        elif not life.then_s or life.end in self._site.trap_points:
            relay.send(signal.SIGKILL)
            return
        relay.send_later(life.then_s, signal.SIGKILL)

    async def _ended(self, end: End, relay: RelayProcess) -> None:
        """Wait for the end that it was given; any other is a fault."""
        wanted = {End.TERM: {_ORDERLY}, End.DRAINING: {_ORDERLY, -signal.SIGKILL}}.get(end, {-signal.SIGKILL})
        try:
            status = await relay.ended()
        except TimeoutError:
            self._faults.append(f"{relay.name}'s life {len(relay.lives) - 1} did not end ({end})")
            return
        if status not in wanted:
            self._faults.append(f"{relay.name}'s life {len(relay.lives) - 1} ended with status {status} ({end})")
        if relay.lives[-1].killed and self._episodes:
            self._episodes[-1] = replace(self._episodes[-1], kills=self._episodes[-1].kills + 1)

    async def _last_life(self, posting: asyncio.Task[None]) -> None:
        """All is well: everything has to arrive, and the relays have to end in order."""
        self._begin_episode(HEALED)
        await asyncio.gather(*(each.start() for each in self.relays if not each.runs))
        for relay in self.relays:
            await relay.listening()
        await asyncio.sleep(_AFTERGLOW_S)
        self.traffic.stop()
        await posting
        with suppress(TimeoutError):
            async with asyncio.timeout(HEALING_S):
                while await self._waiting():
                    await asyncio.sleep(0.05)
        for relay in self.relays:
            relay.send(signal.SIGTERM)
            await self._ended(End.TERM, relay)

    def _begin_episode(self, kind: str) -> None:
        self._episodes.append(Episode(self._named(kind), asyncio.get_running_loop().time()))

    def _named(self, kind: str) -> str:
        return kind if self._choices.replicas == 1 or kind == HEALED else f"of three: {kind}"

    async def _waiting(self) -> bool:
        """Whether the relay says that anything is waiting, or says nothing."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._stage.ports[0])
            writer.write(b"GET /metrics HTTP/1.0\r\nHost: relay\r\n\r\n")
            page = await reader.read()
            writer.close()
        except OSError:
            return self.relay.runs
        counts = _WAITING.findall(page)
        return not counts or any(float(each) for each in counts)

    def copies(self) -> list[Copy]:
        """Everything that was indexed."""
        return [
            copy
            for station in self._stage.stations.values()
            for copy in copies_of(self.world, station.splunk.indexed, station.splunk.requests)
        ]

    def _evidence(self) -> Evidence:
        return Evidence(
            lives=[life for relay in self.relays for life in relay.lives],
            cuts=self._stage.cuts(),
            patience_s=HEC_TIMEOUT_S,
            away=[*self._site.away(), *self._stalls.spans],
            sentry_cuts=[cut for wire in self._stage.sentry_wires for cut in wire.cuts],
            lease_s=self._site.lease_s,
        )

    def _report(self, books: Books, seconds: float) -> Report:
        evidence, copies, counts = self._evidence(), self.copies(), self.traffic.counts
        verdict = judge(self.world, counts.hooks, copies, books, evidence)
        verdict.faults += [*self._faults, *counts.wrong]
        for relay in self.relays:
            verdict.faults += [
                f"{relay.name}'s life {life.number} said: {words}" for life in relay.lives for words in life.said
            ]
        tally = Tally(
            engine=self._choices.engine.value,
            rows=rows_of(self._episodes, self.world, counts.hooks, copies, books, evidence, verdict),
            trials=1,
            failed=not verdict.good,
            posts=counts.posts,
            requests=sum(station.splunk.request_count for station in self._stage.stations.values()),
            stuck=len(verdict.stuck),
            unmarked=len(verdict.unmarked),
            faults=len(verdict.faults),
            answers=counts.answers,
            doubles=verdict.doubles,
            resends=verdict.resends,
            causes=Counter(books.causes),
        )
        return Report(
            choices=self._choices,
            verdict=verdict,
            counts=counts,
            lives=[life for relay in self.relays for life in relay.lives],
            tally=tally,
            seconds=seconds,
        )

    def _on_request(self, seen: RequestSeen) -> None:
        if seen.indexed:
            self._trap.reached(End.TAKEN)

    def _on_event(self, replica: int, event: str) -> None:
        if event == "delivery.attempted":
            self._trap.reached(End.ATTEMPTED, replica)

    def _rng(self, name: str) -> Random:
        return Random(f"{self._choices.seed}:{name}")  # noqa: S311 - repeatable on purpose


Plot = Callable[[Trial], Awaitable[None]]
"""What is to happen while hooks come in, from a start of the relay to its end."""
