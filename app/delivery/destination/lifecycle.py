"""The life of a sender's client: who uses it, how it is probed, and its end once nobody uses it any more."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.delivery.destination.acks import AckTracker
from app.delivery.destination.batch import Batch
from app.delivery.destination.destination_breaker import NO_HEC_TOKEN
from app.delivery.destination.outcomes import OutcomeWriter
from app.delivery.interfaces import DeliveryContext, HecTransport
from app.model import Attempt, Secret
from app.splunk.answers import Verdict, judge_probe

_CUT_OFF = "the relay was stopped before Splunk answered"


class ClientLifecycle:
    """In use, then ending (``end``), then ended: the connections are closed."""

    def __init__(
        self, client: HecTransport, context: DeliveryContext, *, acks: AckTracker, outcomes: OutcomeWriter
    ) -> None:
        self.ending = False
        """Nothing new is begun."""
        self.ended = False
        """Nothing is under way any more, and the connections are closed."""
        self._client = client
        self._context = context
        self._acks = acks
        self._outcomes = outcomes
        self._users = 0
        """Posts and probes under way."""
        self._posts: dict[Batch, float] = {}
        """Batches without an answer yet, and when their post began (Unix seconds)."""

    @property
    def in_use(self) -> bool:
        """Whether a post or probe is under way."""
        return self._users > 0

    @contextmanager
    def posting(self, batch: Batch, at: float) -> Iterator[None]:
        """Around the post of a batch that begins at ``at``. One that is cut off stays known to ``abandon``."""
        self._posts[batch] = at
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
        del self._posts[batch]

    async def probe(self, hec_token: Secret | None) -> Verdict | None:
        """Whether Splunk takes the hec_token (``None``), or why not."""
        if hec_token is None:
            return NO_HEC_TOKEN
        self._users += 1
        try:
            return judge_probe(await self._client.probe(hec_token=hec_token))
        finally:
            self._users -= 1
            await self.close_when_done()

    def end(self) -> None:
        """Close the connections as soon as nobody uses them."""
        self.ending = self._outcomes.ending = True
        self._acks.end()
        self.close_soon()

    def close_soon(self) -> None:
        """See whether that is now."""
        self._context.spawn(self.close_when_done(), "close")

    async def close_when_done(self) -> None:
        """Close the connections, if this was the last that used them."""
        if self.ending and not self._users and not self._acks.polling:
            await self._client.close()
            self.ended = True

    async def abandon(self) -> None:
        """After the posts were cancelled: nobody knows whether Splunk took them, so they go back as possibly taken."""
        now = self._context.clock()
        try:
            for batch, at in self._posts.items():
                attempt = Attempt(at, round(max(0.0, now - at), 3), _CUT_OFF, ambiguous=True)
                await self._outcomes.release(batch.hec_events, attempt, fault=_CUT_OFF)
            self._posts.clear()
            await self._outcomes.release(self._acks.abandon(), fault=_CUT_OFF)
        finally:
            await self._client.close()
