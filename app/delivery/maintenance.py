"""What the spool needs every so often, whether or not anything is delivered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from app.delivery.claims import SPOOL_FAULTS
from app.delivery.destination import events
from app.delivery.interfaces import DestinationDirectory
from app.delivery.observer import Observer
from app.model import RetentionLimits, SweepResult
from app.spool.interface import Spool

_log = structlog.get_logger()

EVERY_S_MAX = 10.0
EVERY_S_MIN = 0.1
ROWS = 500
"""Most rows of each kind that one round changes; accepting gets its turn between two rounds."""


CALM_S = 60.0
"""Nothing is discarded for good before the clock has been steady for so long: it may have been set while nobody ran."""
STEP_S = 1.0
"""Less than this between two looks is slewing, and no step."""
NEVER_S, NEVER_BYTES = 1e9, 2**62


class Calm:
    """How long the wall's clock has gone with the steady one."""

    def __init__(self, *, wall: float, steady: float) -> None:
        self._apart = wall - steady
        self._since = steady

    def look(self, *, wall: float, steady: float) -> float:
        """Seconds since the start or the last step."""
        apart = wall - steady
        if abs(apart - self._apart) > STEP_S:
            self._since = steady
        self._apart = apart
        return steady - self._since


class Housekeeping:
    """Keeps the spool within its retention limits, and gives parked hooks to the tenant that claims them."""

    def __init__(
        self,
        spool: Spool,
        tenants: DestinationDirectory,
        limits: RetentionLimits,
        *,
        observer: Observer,
        sweep: Callable[[], None],
        calm_s: float = CALM_S,
    ) -> None:
        self._calm = Calm(wall=time.time(), steady=time.monotonic())
        self._calm_s = calm_s
        self._spool = spool
        self._tenants = tenants
        self._limits = limits
        self._observer = observer
        self._sweep = sweep
        self._every_s = min(EVERY_S_MAX, max(EVERY_S_MIN, limits.waiting_age_max_s / 4))
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for parked hooks now: the tenants changed."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self._adopt()
                await self._expire()
            except SPOOL_FAULTS as fault:
                self._observer.spool_failed(doing="housekeeping")
                _log.warning("spool.failed", doing="housekeeping", fault=str(fault))
            self._sweep()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _expire(self) -> None:
        """Expire in rounds, until one changes fewer rows than it may: then nothing is left."""
        limits = self._limits
        if self._calm.look(wall=time.time(), steady=time.monotonic()) < self._calm_s:
            limits = replace(limits, dead_age_max_s=NEVER_S, dead_bytes_max=NEVER_BYTES)
        swept = SweepResult(changed=ROWS)
        while swept.changed >= ROWS:
            swept = await self._spool.expire(limits, limit=ROWS)
            for (stream, cause), count in swept.buried.items():
                events.expired(stream, cause, count=count, waiting_age_max_s=self._limits.waiting_age_max_s)
                self._observer.buried(stream, cause=cause, count=count)
            for stream, count in swept.discarded.items():
                events.discarded(stream, count=count)
            if swept.evicted:
                _log.error("hooks.evicted", hooks=swept.evicted)

    async def _adopt(self) -> None:
        for installation in await self._spool.parked():
            tenant = self._tenants.snapshot.by_installation.get(installation)
            if tenant is None or not tenant.destinations:
                continue
            names = [each.name for each in tenant.destinations]
            hooks = await self._spool.adopt(installation, tenant.name, names)
            if hooks:
                _log.info("hooks.adopted", tenant=tenant.name, hooks=hooks)
