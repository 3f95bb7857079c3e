"""The relay under torture: one process after another over one spool, its log read as it is written."""

import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.torture.shim import Shim

PROJECT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 30.0
END_DEADLINE_S = 20.0
_LINE_BYTES_MAX = 4 * 1024 * 1024
_NOT_INHERITED = ("RELAY_", "COV")
"""Settings of ours, and those of a coverage measurement: it would write its file to the full disk, too."""
_SAID_MAX = 1_000
_LOUD = frozenset({"worker.died", "relay.failed", "hook.failed", "transform.failed", "library.logged", "log.dropped"})
"""Log events that say that something is wrong with the relay itself, whatever happens around it."""


@dataclass(slots=True)
class Lifetime:
    """What is known of one process. Times are the loop's."""

    number: int
    began_at: float
    ended_at: float | None = None
    status: int | None = None
    frozen: list[tuple[float, float]] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)
    """When its files could not grow."""
    clock: list[tuple[float, float]] = field(default_factory=list)
    """When its wall clock was wrong."""
    unsure: list["Unsure"] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """Log lines by event."""
    said: list[str] = field(default_factory=list)
    """What it said that no relay should have to say."""

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.status == -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Unsure:
    """A post that ended, by the relay's own word, without it knowing whether Splunk took all of it."""

    stream: str
    began_at: float
    ended_at: float
    hec_events: int


class RelayProcess:
    """Starts, hurts and ends ``relay serve``. ``on_event`` is called with each log line's event as it is read."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        on_event: Callable[[str], None],
        *,
        shim: Shim,
        name: str = "relay",
        role: str = "all",
    ) -> None:
        self.lives: list[Lifetime] = []
        self.shim = shim
        """It runs under this."""
        self.name = name
        self._role = role
        self._clock_offsets = [0.0]
        self._folder = folder
        self._settings = settings
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._listening = asyncio.Event()
        self.start_s = 1.0
        """How long its last start took, until it listened."""
        self._loop = asyncio.get_running_loop()
        self._wall_ahead_s = time.time() - self._loop.time()

    async def start(self) -> None:
        """Begin a life; what was begun before has ended."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        self._listening.clear()
        self.shim.disarm()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app",
            "serve",
            "--role",
            self._role,
            cwd=PROJECT,
            env={**inherited, **self._settings, **self.shim.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES_MAX,
        )
        self._process = process
        life = Lifetime(len(self.lives), self._loop.time())
        self.lives.append(life)
        self._readers = [
            asyncio.create_task(self._read_log(process, life)),
            asyncio.create_task(self._read_errors(process, life)),
        ]

    async def listening(self) -> bool:
        """Wait until it listens (True) or has ended (False).

        Raises:
            TimeoutError: neither, in time.
        """
        process = self._running()
        waiting = [asyncio.create_task(self._listening.wait()), asyncio.create_task(process.wait())]
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        return self._listening.is_set()

    async def gone(self, *, within_s: float) -> bool:
        """Whether it ends by itself within so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._running().wait()
                return True
        return False

    def send(self, number: signal.Signals) -> None:
        """A signal, at once; nothing if it has ended."""
        _send(self._running(), number)

    def send_later(self, seconds: float, number: signal.Signals) -> None:
        """A signal after so long, to the process that runs now and to no later one."""
        self._loop.call_later(seconds, _send, self._running(), number)

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so long."""
        life, began = self.lives[-1], self._loop.time()
        self.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.send(signal.SIGCONT)
            life.frozen.append((began, self._loop.time()))

    @contextmanager
    def full_disk(self, file_bytes: float) -> Iterator[None]:
        """Meanwhile no file of it may grow beyond ``file_bytes`` times the size of its write-ahead log.

        Linux alone can change another process's limits; elsewhere nothing happens.
        """
        log = self._folder / "spool.db-wal"
        size = int((log.stat().st_size if log.exists() else 0) * file_bytes)
        life, began = self.lives[-1], self._loop.time()
        self._limit(size)
        try:
            yield
        finally:
            self._limit(resource.RLIM_INFINITY)
            life.full.append((began, self._loop.time()))

    @contextmanager
    def no_room(self) -> Iterator[None]:
        """Meanwhile none of its files can grow, as on a full disk (ENOSPC)."""
        life, began = self.lives[-1], self._loop.time()
        self.shim.fill_disk(full=True)
        try:
            yield
        finally:
            self.shim.fill_disk(full=False)
            life.full.append((began, self._loop.time()))

    @contextmanager
    def wrong_clock(self, seconds: float) -> Iterator[None]:
        """Meanwhile its wall clock is ahead by so much, or behind."""
        self._clock_offsets.append(seconds)
        self.shim.set_clock(seconds)
        life, began = self.lives[-1], self._loop.time()
        try:
            yield
        finally:
            self.shim.set_clock(0.0)
            life.clock.append((began, self._loop.time()))

    async def ended(self) -> int:
        """Its exit status, a signal's number negative.

        Raises:
            TimeoutError: it does not end; it has been killed.
        """
        process, life = self._running(), self.lives[-1]
        try:
            async with asyncio.timeout(END_DEADLINE_S):
                life.status = await process.wait()
                await asyncio.gather(*self._readers)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            life.ended_at = self._loop.time()
        return life.status

    @property
    def runs(self) -> bool:
        """Whether it was begun and has not ended."""
        return self._process is not None and self._process.returncode is None

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("no life has begun")
        return self._process

    def _limit(self, size: int) -> None:
        """The soft limit alone, which may be raised again by anybody of the same user."""
        if self.runs and hasattr(resource, "prlimit"):
            _, hard = resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._running().pid, resource.RLIMIT_FSIZE, (size, hard))

    async def _read_log(self, process: asyncio.subprocess.Process, life: Lifetime) -> None:
        assert process.stdout is not None
        with (self._folder / f"{self.name}.log").open("ab") as log:
            async for line in process.stdout:
                log.write(line)
                self._heed(line, life)

    async def _read_errors(self, process: asyncio.subprocess.Process, life: Lifetime) -> None:
        assert process.stderr is not None
        words = (await process.stderr.read()).decode("utf-8", "replace").strip()
        if words:
            life.said.append(f"on standard error: … {words[-_SAID_MAX:]}")

    def _heed(self, text: bytes, life: Lifetime) -> None:
        try:
            line: dict[str, Any] = json.loads(text)
        except ValueError:
            if text.endswith(b"\n"):  # else a SIGKILL cut it
                life.said.append(f"no log line: {text[:200]!r}")
            return
        event = str(line["event"])
        life.counts[event] = life.counts.get(event, 0) + 1
        if event in _LOUD or "exception" in line:
            life.said.append(text.decode()[: 4 * _SAID_MAX].rstrip())
        if line.get("ambiguous") is True:
            stamp = datetime.fromisoformat(line["time"]).timestamp() - self._wall_ahead_s
            at = min((stamp - each for each in self._clock_offsets), key=lambda at: abs(at - self._loop.time()))
            stream = f"{line['tenant']}/{line['destination']}"
            life.unsure.append(Unsure(stream, at - line["duration_ms"] / 1000, at, line["hec_events"]))
        if event == "relay.listening":
            self.start_s = self._loop.time() - life.began_at
            self._listening.set()
        self._on_event(event)


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)
