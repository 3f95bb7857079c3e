"""Whether a sender has its answer in time: what tells a resend of Sentry's from another hook with the same bytes.

Only hooks without an idempotency key, from senders that post again, are looked at (``Hook.resendable``).
"""

import asyncio
import time
from collections.abc import Mapping

from app.asgi import Exchange
from app.model import Accepted, Hook, Sender
from app.spool.interface import Spool

WAITS_S: Mapping[Sender, float] = {"integration": 1.0, "service_hook": 5.0, "legacy": 5.0}
"""How long each waits for an answer (Sentry's ``sentry-apps.webhook.timeout.sec``, and its service hooks' timeout)."""
LOOKS = 3
"""At the event loop's next turns: whether the sender of an earlier post is seen to have gone."""


class Attempt:
    """One post of a hook, from the moment its body is here until it is answered."""

    __slots__ = ("_earlier", "_exchange", "_over", "_since", "hook")

    def __init__(self, hook: Hook, exchange: Exchange, earlier: "Attempt | None") -> None:
        self.hook = hook
        self._exchange = exchange
        self._earlier = earlier
        self._since = time.monotonic()
        self._over: asyncio.Event | None = None

    @property
    def late(self) -> bool:
        """No answer reaches the sender in time, as far as it is known by now."""
        return self._exchange.gone or self._over_time

    @property
    def _over_time(self) -> bool:
        return time.monotonic() - self._since > WAITS_S[self.hook.sender]

    async def turn(self) -> None:
        """Where the sender of the same bytes before this is known to wait no longer, this may be its resend.

        It waits until that one is over, so that the spool knows; a post beside others that are waited for does not.
        """
        earlier, self._earlier = self._earlier, None
        if earlier is None:
            return
        for _ in range(LOOKS):
            if earlier.late:
                await earlier.until_over()
                return
            await asyncio.sleep(0)  # what came in together is read in turn, and an end comes after its post

    async def until_over(self) -> None:
        """Wait until it is answered, or refused."""
        self._over = self._over or asyncio.Event()
        await self._over.wait()

    def over(self) -> None:
        """It is."""
        if self._over is not None:
            self._over.set()

    def was_answered(self, accepted: Accepted, spool: Spool, *, late: bool) -> None:
        """It was answered 202; ``late`` is what was known just before."""
        if late or self._over_time:
            spool.unanswered(self.hook, accepted.delivery_id)


class Attempts:
    """Those under way in this process, by the digest of their bytes; of several the latest."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, Attempt] = {}

    def begin(self, hook: Hook, exchange: Exchange) -> Attempt:
        """A post whose body is here. To be ended."""
        attempt = Attempt(hook, exchange, self._under_way.get(hook.body_digest))
        self._under_way[hook.body_digest] = attempt
        return attempt

    def end(self, attempt: Attempt) -> None:
        """It is over, however it went."""
        if self._under_way.get(attempt.hook.body_digest) is attempt:
            del self._under_way[attempt.hook.body_digest]
        attempt.over()
