"""The circuit breaker of a destination: open while address or hec_token is at fault, closed again by way of a probe.

A probe is an empty post: it shows whether Splunk is there and takes the hec_token, and cannot double anything. After
a good one a single hec_event goes through; its success closes the breaker.
"""

import asyncio
from collections.abc import Awaitable, Callable

from app.delivery.destination import events
from app.delivery.destination.breaker import BreakerState
from app.delivery.destination.pause import Pause, wait_s
from app.delivery.interfaces import DeliveryContext
from app.model import Stream
from app.splunk.answers import Outcome, Rest, Scope, Verdict
from app.splunk.codes import Act

NO_HEC_TOKEN = Verdict(
    outcome=Outcome.HEC_TOKEN_REFUSED,
    words="the reference of the hec_token cannot be resolved",
    rest=Rest.LATER,
    scope=Scope.HEC_TOKEN,
    act=Act.TENANT,
)

Probe = Callable[[], Awaitable[Verdict | None]]
"""Says ``None`` if Splunk takes the hec_token, else why not."""


class DestinationBreaker:
    """See the module. ``on_resume`` is called whenever something may go through again."""

    def __init__(
        self, stream: Stream, context: DeliveryContext, *, probe: Probe, on_resume: Callable[[], None]
    ) -> None:
        self.pause = Pause()
        self._stream = stream
        self._context = context
        self._probe = probe
        self._on_resume = on_resume
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def state(self) -> BreakerState:
        """Open and closed are the breaker's words: an *open* breaker is a shut gate."""
        return self.pause.state

    def left_s(self) -> float:
        """Seconds until the next probe."""
        return self.pause.left_s(self._loop.time())

    def record_fault(self, verdict: Verdict) -> None:
        """A fault of destination or hec_token: nothing goes until a probe finds it well."""
        before, context = self.pause, self._context
        fresh = before.state is not BreakerState.OPEN
        at = context.clock()
        wait = wait_s(self.pause, verdict, limits=context.limits, jitter=context.rng.random(), at=at)
        self.pause = self.pause.begun(verdict, now=self._loop.time(), at=at, wait_s=wait)
        if self._closed:
            return
        if before.scope not in (Scope.NONE, verdict.scope):
            context.observer.resumed(self._stream, scope=before.scope)
        context.observer.paused(self._stream, scope=verdict.scope)
        if fresh:
            events.paused(self._stream, None, self.pause, again_in_s=self.left_s())
            if verdict.scope is Scope.HEC_TOKEN:
                self._loop.call_soon(self._look_for_another)
        self._schedule()

    def record_success(self) -> None:
        """Something got through."""
        before, self.pause = self.pause, self.pause.ended()
        if before.state is BreakerState.HALF_OPEN:
            self._context.observer.resumed(self._stream, scope=before.scope)
            events.resumed(self._stream, None, before, after_s=self._context.clock() - before.since)
            self._on_resume()

    def close(self) -> None:
        """Probe no more; whatever paused here is nobody's pause any more."""
        if not self._closed and self.pause.scope is not Scope.NONE:
            self._context.observer.resumed(self._stream, scope=self.pause.scope)
        self._closed = True
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self._cancel()
        self._timer = self._loop.call_later(self.left_s(), self._due)

    def _due(self) -> None:
        self._timer = None
        self._context.spawn(self._try(), "probe")

    def _look_for_another(self) -> None:
        """Have the secret read again: a new hec_token makes a new sender and ends this one."""
        if not self._closed:
            self._context.tenants.refresh(tenant=self._stream.tenant)

    async def _try(self) -> None:
        if self.pause.scope is Scope.HEC_TOKEN:
            self._look_for_another()
        if self._closed:
            return
        self._apply_probe(await self._probe())

    def _apply_probe(self, verdict: Verdict | None) -> None:
        if self._closed or self.state is not BreakerState.OPEN or self._timer is not None:
            return  # the last: a post that was under way failed meanwhile, the next probe has its time already
        self.pause = self.pause.half_opened(self.pause.breaker.until)
        if verdict is None:
            self._on_resume()
        else:
            self.record_fault(verdict)
