"""What the relay says of itself: ``/livez``, ``/readyz``, ``/version``, ``/metrics``."""

import asyncio
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app import __version__
from app.errors import MethodNotAllowed, NotFound
from app.metrics import Metrics, joined
from app.model import SpoolLimits, SpoolStats
from app.recent import Recent
from app.spool.interface import Spool
from app.tenants.model import Snapshot
from app.verdict import Situation, Trouble, judge

WORDS_MAX = 20
"""So many paused lanes are told one by one."""
READY_FRESH_S = 0.2
"""So old readiness may be: however many ask, the parts are looked at five times a second."""
METRICS_FRESH_S = 1.0
SLICE_PAUSE_S = 0.001
"""Between two slices of the metrics page its thread lets the loop go on."""
NEAR = 0.8
"""From this part of a limit on, readiness tells of it."""


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Part(BaseModel):
    """One part: whether it can do its work, and what there is to say in words."""

    ready: bool
    words: list[str]


class Readiness(BaseModel):
    """Ready to take hooks when every part is. A Splunk that does not answer makes no part unready."""

    ready: bool
    verdict: str
    """What ``relay status`` says in its first line."""
    parts: dict[str, Part]


class Version(BaseModel):
    """What is running."""

    name: str = "sentry-splunk-relay"
    version: str = __version__
    python: str = platform.python_version()


class TenantsSource(Protocol):
    """The registry, as far as it is looked at here."""

    @property
    def problem(self) -> str | None:
        """Why the tenants file's present version was refused."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """The tenants in force."""
        ...


class Delivering(Protocol):
    """The supervisor, as far as it is looked at here."""

    problem: str | None

    @property
    def trouble(self) -> str | None:
        """Why what became of deliveries cannot be written just now."""
        ...

    def states(self) -> Sequence[object]:
        """What does not deliver just now, in words."""
        ...


class Health:
    """Looks at the parts. ``draining`` is set once the relay has been told to stop."""

    def __init__(
        self,
        *,
        spool: Spool,
        tenants: TenantsSource,
        delivering: Delivering,
        metrics: Metrics,
        trouble: Callable[[], str | None],
        bounds: SpoolLimits,
        troubles: Callable[[], Sequence[Trouble]],
        accepts: bool = True,
    ) -> None:
        self._spool = spool
        self._tenants = tenants
        self._delivering = delivering
        self._metrics = metrics
        self._accepting_trouble = trouble
        self._bounds = bounds
        self._troubles = troubles
        self._accepts = accepts
        self.draining = False

    async def readiness(self) -> Readiness:
        """Every part, in words."""
        problems, remarks = self._spool.evidence()
        stats = None if problems else await self._stats()  # where there are problems, nothing is asked that might wait
        parts = {
            "accepting": self._accepting(),
            "spool": self._spool_part(stats, problems, remarks),
            "tenants": self._tenants_part(),
            "delivery": self._delivery(),
        }
        verdict = judge(self._situation(stats)).words
        return Readiness(ready=all(part.ready for part in parts.values()), verdict=verdict, parts=parts)

    async def situation(self) -> Situation:
        """Everything that the verdict looks at."""
        problems, _ = self._spool.evidence()
        return self._situation(None if problems else await self._stats())

    def _situation(self, stats: SpoolStats | None) -> Situation:
        snapshot, accepting = self._tenants.snapshot, self._accepting()
        return Situation(
            now=time.time(),
            stats=stats,
            limits=self._bounds,
            accepting=None if accepting.ready else accepting.words[0],
            delivering=self._delivering.problem or self._delivering.trouble,
            troubles=self._troubles(),
            destinations=sum(len(tenant.destinations) for tenant in snapshot.tenants.values()),
            unresolved=snapshot.unresolved,
            tenants_problem=self._tenants.problem,
        )

    async def metrics_page(self) -> bytes:
        """The Prometheus text."""
        snapshot = self._tenants.snapshot
        self._metrics.tenants(
            count=len(snapshot.tenants),
            refused=self._tenants.problem is not None,
            unresolved=len(snapshot.unresolved),
        )
        pieces = self._metrics.pieces(await self._stats(), now=time.time())
        return await asyncio.to_thread(joined, pieces, pause_s=SLICE_PAUSE_S)

    async def _stats(self) -> SpoolStats | None:
        try:
            return await self._spool.stats()
        except Exception:  # noqa: BLE001 - whatever keeps the spool from being read is what readiness has to tell
            return None

    def _accepting(self) -> Part:
        if self.draining:
            return Part(ready=False, words=["stopping: no longer a place to send hooks to"])
        if (trouble := self._accepting_trouble()) is not None:
            return Part(ready=False, words=[f"the last hook could not be stored: {trouble}"])
        if not self._accepts:
            return Part(ready=True, words=["this replica's role is deliver: hooks belong to another"])
        return Part(ready=True, words=["accepting hooks"])

    def _spool_part(self, stats: SpoolStats | None, problems: Sequence[str], remarks: Sequence[str]) -> Part:
        if problems:
            return Part(ready=False, words=[*problems, *remarks])
        if stats is None:
            return Part(ready=False, words=["the spool cannot be read", *remarks])
        full = stats.hooks >= self._bounds.hooks_max or stats.payload_bytes >= self._bounds.bytes_max
        words = [*spool_words(stats, self._bounds, now=time.time()), *self._share_words(stats)]
        return Part(ready=not full, words=[*words, *remarks])

    def _share_words(self, stats: SpoolStats) -> list[str]:
        snapshot = self._tenants.snapshot
        shares = {name: snapshot.spool_share(name) for name in snapshot.tenants}
        return share_words(stats, self._bounds, shares)[:WORDS_MAX]

    def _tenants_part(self) -> Part:
        snapshot = self._tenants.snapshot
        words = [_counted(len(snapshot.tenants), "tenant", "tenants")]
        words += snapshot.warnings[:WORDS_MAX]
        words += snapshot.unresolved[:WORDS_MAX]
        if self._tenants.problem:
            words.append(f"the tenants file was refused, the one before it serves on: {self._tenants.problem}")
        return Part(ready=True, words=words)

    def _delivery(self) -> Part:
        if self._delivering.problem:
            return Part(ready=False, words=[self._delivering.problem])
        states = self._delivering.states()
        words = [str(state) for state in states[:WORDS_MAX]] or ["every lane delivers or has nothing to deliver"]
        if trouble := self._delivering.trouble:
            words = [trouble, *(words if states else [])]
        if len(states) > WORDS_MAX:
            words.append(f"and {len(states) - WORDS_MAX} more")
        return Part(ready=True, words=words)


def spool_words(stats: SpoolStats, bounds: SpoolLimits, *, now: float) -> list[str]:
    """What the spool holds, and each limit that it has reached or is near."""
    waiting = sum(each.waiting for each in stats.streams)
    dead = sum(each.dead for each in stats.streams)
    parked = sum(each.waiting for each in stats.streams if not each.stream.tenant)
    held = f"{_counted(waiting, 'delivery', 'deliveries')} waiting, {_counted(dead, 'dead letter', 'dead letters')}"
    words = [f"{held}, {stats.payload_bytes} payload bytes"]
    if parked:
        words.append(f"{parked} of them parked: no tenant claims their installation")
    fill = max(stats.hooks / bounds.hooks_max, stats.payload_bytes / bounds.bytes_max)
    if fill >= NEAR:
        limits = f"the limits are {bounds.hooks_max} hooks and {bounds.bytes_max} bytes"
        words.append(f"full, hooks are refused: {limits}" if fill >= 1 else f"filled to {fill:.0%}: {limits}")
    if dead and stats.dead_bytes >= NEAR * bounds.dead_bytes_max:
        words.append(
            f"dead letters hold {stats.dead_bytes} of {bounds.dead_bytes_max} bytes: beyond, the oldest are discarded"
        )
    age_s = now - stats.oldest_dead_at if stats.oldest_dead_at is not None else 0.0
    if dead and age_s >= NEAR * bounds.dead_age_max_s:
        left_s = max(0.0, bounds.dead_age_max_s - age_s)
        words.append(f"the oldest dead letter is discarded in {left_s / 3600:.1f} hours unless somebody acts")
    return words


def share_words(stats: SpoolStats, bounds: SpoolLimits, shares: Mapping[str, float]) -> list[str]:
    """Which tenants hold their share of the spool, or nearly, where it is less than all of it."""
    words = []
    for tenant, hooks, size in stats.tenants:
        part, share = max(hooks / bounds.hooks_max, size / bounds.bytes_max), shares.get(tenant, 1.0)
        if share < 1 and part >= NEAR * share:
            held = f"{tenant} holds {part:.0%} of the spool, and may hold {share:.0%}"
            words.append(f"{held}: its hooks are refused" if part >= share else held)
    return words


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def add_routes(api: FastAPI, health: Health) -> None:
    """Put the four on ``api``, and refusals in the same form as everywhere."""
    for refusal in (NotFound, MethodNotAllowed):
        api.add_exception_handler(refusal.status, partial(_refused, code=refusal.code))
    looks = ["GET", "HEAD"]
    readiness = Recent(health.readiness, fresh_s=READY_FRESH_S)
    page = Recent(health.metrics_page, fresh_s=METRICS_FRESH_S)

    @api.api_route("/livez", methods=looks)
    async def livez() -> Alive:
        return Alive()

    @api.api_route("/readyz", methods=looks, response_model=Readiness)
    async def readyz() -> Response:
        if health.draining:
            readiness.forget()
        found = await readiness.get()
        return Response(found.model_dump_json(), 200 if found.ready else 503, media_type="application/json")

    @api.api_route("/version", methods=looks)
    async def version() -> Version:
        return Version()

    @api.api_route("/metrics", methods=looks)
    async def metrics() -> Response:
        return Response(await page.get(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _refused(_request: Request, fault: Exception, *, code: str) -> Response:
    headers = getattr(fault, "headers", None)
    return JSONResponse({"error": code}, status_code=getattr(fault, "status_code", 404), headers=headers)
