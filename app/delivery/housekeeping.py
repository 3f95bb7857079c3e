"""What has to be done to the spool every so often, whether or not anything is delivered."""

import asyncio
from collections.abc import Callable

import structlog

from app.delivery.ledger import SPOOL_FAULTS
from app.delivery.pace import Pace
from app.delivery.ports import Tenants
from app.spool.interface import Spool

_log = structlog.get_logger()

EVERY_S_MAX = 10.0
EVERY_S_MIN = 0.1
ROWS = 500
"""Changed in one go; accepting gets its turn in between."""


class Housekeeping:
    """Expires what waited too long, and gives parked hooks to the tenant that claims them."""

    def __init__(self, spool: Spool, tenants: Tenants, pace: Pace, *, sweep: Callable[[], None]) -> None:
        self._spool = spool
        self._tenants = tenants
        self._pace = pace
        self._sweep = sweep
        self._every_s = min(EVERY_S_MAX, max(EVERY_S_MIN, pace.waiting_age_max_s / 4))
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """The tenants changed: look for parked hooks now."""
        self._wake.set()

    async def run(self) -> None:
        """Keep house for ever."""
        while True:
            self._wake.clear()
            try:
                await self._adopt()
                await self._expire()
            except SPOOL_FAULTS as fault:
                _log.warning("spool.failed", doing="housekeeping", fault=str(fault))
            self._sweep()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _expire(self) -> None:
        changed = ROWS
        while changed >= ROWS:
            changed = await self._spool.expire(
                waiting_age_s=self._pace.waiting_age_max_s,
                dedup_window_s=self._pace.dedup_window_s,
                limit=ROWS,
            )

    async def _adopt(self) -> None:
        for installation in await self._spool.parked():
            tenant = self._tenants.snapshot.by_installation.get(installation)
            if tenant is None or not tenant.destinations:
                continue
            names = [each.name for each in tenant.destinations]
            hooks = await self._spool.adopt(installation, tenant.name, names)
            if hooks:
                _log.info("hooks.adopted", tenant=tenant.name, hooks=hooks)
