"""Runs delivering: starts its workers, sees them die, and brings it to an orderly end."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

import structlog

from app.delivery.claims import Claims
from app.delivery.destination.events import LaneState
from app.delivery.dispatcher import Dispatcher
from app.delivery.heartbeat import Heartbeats
from app.delivery.interfaces import DeliveryContext, DestinationDirectory, OpenClient
from app.delivery.limits import DeliveryLimits
from app.delivery.maintenance import CALM_S, Housekeeping
from app.delivery.observer import Observer
from app.delivery.render import Transform
from app.delivery.tally import PostTally
from app.model import RetentionLimits, Stream
from app.spool.interface import Spool
from app.tenants.model import Snapshot
from app.transform import transform as real_transform

_log = structlog.get_logger()

IDLE_S = 60.0
"""A sender that has had no work for so many seconds is closed; the next delivery makes a new one."""
ABANDON_S = 2.0
"""After the deadline: seconds to end what was cut off, and to write down what that was."""
RENEWALS = 6
"""How often a lease is renewed within its length: one renewal may fail, and others come before it runs out."""


class Supervisor:
    """``start`` on a running loop; ``drain`` once. A worker that dies calls ``on_fatal``, once, with words."""

    def __init__(  # noqa: PLR0913  every part it is joined from, by name, in the one place that joins
        self,
        *,
        spool: Spool,
        tenants: DestinationDirectory,
        limits: DeliveryLimits,
        retention: RetentionLimits,
        open_client: OpenClient,
        on_fatal: Callable[[str], None],
        observer: Observer,
        host: str = "sentry-splunk-relay",
        transform: Transform = real_transform,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        calm_s: float = CALM_S,
    ) -> None:
        self.problem: str | None = None
        """Why delivering has ended for good, in words; ``None`` while it runs."""
        self._spool = spool
        self._tenants = tenants
        self._limits = limits
        self._on_fatal = on_fatal
        self._observer = observer
        rng = rng or Random()  # noqa: S311  jitter, nothing secret
        self._claims = Claims(spool, observer=observer, rng=rng)
        context = DeliveryContext(
            limits=limits,
            claims=self._claims,
            observer=observer,
            tally=PostTally(),
            tenants=tenants,
            open_client=open_client,
            rng=rng,
            clock=clock,
            spawn=self._spawn,
            wake=lambda: self._dispatcher.wake(),  # noqa: PLW0108  the dispatcher is made of this very value
        )
        self._dispatcher = Dispatcher(spool, context, transform, steady=steady)
        self._housekeeping = Housekeeping(
            spool,
            tenants,
            retention,
            observer=observer,
            sweep=partial(self._dispatcher.sweep, idle_s=IDLE_S),
            calm_s=calm_s,
        )
        self._heartbeats = Heartbeats(spool, context, self._dispatcher.states_of, host=host)
        self._workers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def start(self) -> None:
        """Begin to deliver."""
        self._claims.on_room(self._dispatcher.room_made)
        self._tenants.on_change(self._changed)
        self._tell_of_unverified(self._tenants.snapshot)
        self._spool.on_due(self._dispatcher.wake)
        for name, worker in (
            ("dispatcher", self._dispatcher.run()),
            ("housekeeping", self._housekeeping.run()),
            ("leases", self._keep_leases()),
            ("heartbeats", self._heartbeats.run()),
        ):
            task = asyncio.create_task(worker, name=f"delivery-{name}")
            task.add_done_callback(partial(self._ended, name))
            self._workers.append(task)

    async def drain(self, deadline_s: float) -> None:
        """Claim nothing more, let posts under way end within ``deadline_s``, give the rest back due at once.

        What Splunk had not answered by then goes back as possibly delivered.
        """
        self._draining = True
        ends = asyncio.get_running_loop().time() + deadline_s
        # Senders end before the dispatcher has, so that what it still distributes goes back and is not posted; and
        # again after it, for those that it has made meanwhile.
        self._dispatcher.stop()
        self._dispatcher.end_all()
        await self._wait(set(self._workers[:1]), ends)
        senders = self._dispatcher.end_all()
        # The leases are renewed up to here: what is posted meanwhile is claimed by nobody else. A post that ends
        # begins tasks that write down what became of it.
        while (posts := self._posts()) and await self._wait(posts, ends):
            pass
        # Whatever hangs (Splunk, the spool, the name of either), and even if it does not let itself be cancelled,
        # has ABANDON_S from here; the leases of what could not be given back run out by themselves.
        ends = asyncio.get_running_loop().time() + ABANDON_S
        tasks = {*self._workers, *self._tasks}
        for task in tasks:
            task.cancel()
        await self._wait(tasks, ends - ABANDON_S / 2)
        _log.info("delivery.drained", unfinished=len(self._claims))
        last = {asyncio.create_task(sender.abandon()) for sender in senders}
        await self._wait(last, ends)
        for task in last:
            task.cancel()

    @property
    def claimed(self) -> int:
        """How many deliveries are held here; each is until the spool knows its outcome and the observer was told."""
        return len(self._claims)

    @property
    def trouble(self) -> str | None:
        """Why nothing is claimed or posted, or outcomes cannot be written, for readiness; ``None`` if all of it works.

        Only while it is ``None`` may anybody say that every lane delivers.
        """
        if self._draining:
            return "nothing more is claimed: the relay is stopping"
        found = (self._claims.trouble, self._dispatcher.trouble)
        return "; ".join(words for words in found if words is not None) or None

    def states(self) -> list[LaneState]:
        """What does not deliver just now and why, for readiness; empty when all is well."""
        return self._dispatcher.states()

    def _posts(self) -> set[asyncio.Task[None]]:
        """What a drain waits for: posts and what follows from them. Probes and heartbeats are worth no waiting."""
        return {task for task in self._tasks if task.get_name() not in ("delivery-probe", "delivery-heartbeat")}

    @staticmethod
    async def _wait(tasks: set[asyncio.Task[None]], ends: float) -> bool:
        """Until all of them are done (True) or the time is over (False)."""
        if not tasks:
            return True
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        _, pending = await asyncio.wait(tasks, timeout=left)
        return not pending

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._limits.lease_s / RENEWALS)
            safe = self._claims.lease_is_safe
            await self._claims.renew(lease_s=self._limits.lease_s)
            if not safe:
                self._dispatcher.pump_all()

    def _tell_of_unverified(self, snapshot: Snapshot) -> None:
        destinations = [each for tenant in snapshot.tenants.values() for each in tenant.destinations]
        self._observer.unverified([Stream(each.tenant, each.name) for each in destinations if not each.tls.verify])

    def _changed(self, snapshot: Snapshot) -> None:
        if not self._draining:
            self._tell_of_unverified(snapshot)
            self._dispatcher.changed(snapshot)
            self._housekeeping.wake()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"delivery-{name}")
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, name))

    def _finished(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._ended(name, task)

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        """A worker that ends before a drain is dead; without it deliveries would wait for ever, unseen."""
        fault = None if task.cancelled() else task.exception()
        if self._draining and fault is None:
            return
        _log.error("worker.died", worker=name, exc_info=fault)
        first = self.problem is None
        self.problem = self.problem or f"worker {name} died: {type(fault).__name__ if fault else 'it ended'}"
        if first:
            self._on_fatal(self.problem)
