"""hec_events that Splunk accepted: it is polled, and they are settled only once it says that they are indexed.

What is not confirmed (no ``true`` in time, a poll whose answer was lost, another indexer behind the balancer) goes
back to the spool as possibly delivered. Until then it stays claimed, its leases renewed.

Ids are small numbers that each indexer counts by itself. Behind a balancer that is not sticky one number may name
several batches: they are confirmed by as many ``true`` as they are, since each indexer tells it once.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from app.delivery.destination import events
from app.delivery.destination.batch import Batch, Division, PendingEvent
from app.delivery.destination.outcomes import OutcomeWriter
from app.delivery.interfaces import DeliveryContext, HecTransport
from app.model import Attempt, Secret, Stream
from app.splunk.acks import ACKS_FULL, Poll, judge_poll
from app.splunk.answers import Answer, Outcome, Scope, Verdict
from app.splunk.codes import Act
from app.tenants.model import Ack, Destination

PENDING_MAX = 5_000
"""Most deliveries of a destination that may wait for an ack; beyond, nothing more is claimed for it."""
POLL_IDS_MAX = 1_000
ENDING_POLL_S = 1.0
GRACE_POLLS = 6
"""How many more polls a channel gets after the balancer gave another cookie: it may still lead to the same indexer."""


@dataclass(slots=True, eq=False)
class _Pending:
    """The accepted batches that one id names; nearly always one."""

    hec_token: Secret
    since: float
    """The loop's clock."""
    hec_events: list[PendingEvent] = field(default_factory=list)
    batches: int = 0
    trues: int = 0


class AckTracker:
    """One for each sender; does nothing where no acks are asked for. ``on_end`` is called once nothing waits."""

    def __init__(
        self,
        destination: Destination,
        client: HecTransport,
        context: DeliveryContext,
        *,
        outcomes: OutcomeWriter,
        on_end: Callable[[], None],
    ) -> None:
        self.count = 0
        """How many deliveries wait."""
        self.polling = False
        self._stream = Stream(destination.tenant, destination.name)
        self._asks = destination.ack is not None
        self._ack = destination.ack or Ack()
        self._client = client
        self._context = context
        self._outcomes = outcomes
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._pending: dict[str, dict[int, _Pending]] = {}
        """By channel and id."""
        self._left: dict[str, float] = {}
        """Channels with something pending that are in use no more, and until when they are asked."""
        self._disabled = ""
        self._ending = False
        self._hurry = asyncio.Event()
        """Do not wait for the time of the next poll."""

    @property
    def full(self) -> bool:
        """Whether too many wait already."""
        return self.count >= PENDING_MAX

    def state(self) -> events.LaneState | None:
        """For readiness: what waits for its ack, or that Splunk gives none."""
        if not (self._disabled or self.count):
            return None
        said, act, age_s = self._disabled, Act.TENANT, 0.0
        if self.count:
            oldest = min(each.since for row in self._pending.values() for each in row.values())
            age_s = self._loop.time() - oldest
            said = f"{self.count} hec_events accepted and not yet told to be indexed, the oldest for {age_s:.0f} s"
            act = Act.NOBODY
        return events.LaneState(
            stream=self._stream,
            scope=Scope.NONE,
            index=None,
            state="accepted" if self.count else "unacknowledged",
            words=said,
            act=act.value,
            since=self._context.clock() - age_s,
        )

    def track(
        self, batch: Batch, answer: Answer, verdict: Verdict, division: Division[PendingEvent], attempt: Attempt
    ) -> tuple[Verdict, Division[PendingEvent]]:
        """Keep what was accepted until it is indexed. The caller goes on with the division that is returned."""
        if not self._asks:
            return verdict, division
        ack_id = None if answer.body is None else answer.body.ack_id
        if ack_id is None and (self._disabled or verdict.outcome is Outcome.DELIVERED):
            self._disable("Splunk gives no acknowledgment for the hec_token")
            return verdict, division
        if verdict.outcome is Outcome.DELIVERED:
            verdict = replace(verdict, outcome=Outcome.ACCEPTED)
        hec_events = [each.accepted(attempt) for each in division.delivered]
        if ack_id is None:
            self._lose(hec_events, "accepted, but the answer names no id to ask for", "unnamed")
        else:
            self._disabled = ""
            self._add(batch.hec_token, answer.channel, ack_id, hec_events)
        return verdict, replace(division, delivered=())

    def apply_answer(self, answer: Answer) -> None:
        """Poll at once where Splunk says that it keeps too many acks (codes 25 and 27)."""
        if answer.code in ACKS_FULL:
            self._hurry.set()

    def end(self) -> None:
        """Poll now and more often: nothing more will be tracked."""
        self._ending = True
        self._hurry.set()

    def abandon(self) -> list[PendingEvent]:
        """Remove and return everything that waits, as possibly delivered: nobody will poll for it."""
        hec_events = [
            hec_event
            for batches in self._pending.values()
            for pending in batches.values()
            for hec_event in pending.hec_events
        ]
        self._pending.clear()
        if hec_events:
            self._counted(-self.count)
        return [
            hec_event.with_outcome("the relay was stopped before it was told to be indexed", ambiguous=True)
            for hec_event in hec_events
        ]

    def _add(self, hec_token: Secret, channel: str, ack_id: int, hec_events: Sequence[PendingEvent]) -> None:
        row = self._pending.setdefault(channel, {})
        pending = row.setdefault(ack_id, _Pending(hec_token, self._loop.time()))
        pending.hec_events += hec_events
        pending.batches += 1
        self._counted(len(hec_events))
        if not self.polling:
            self.polling = True
            self._context.spawn(self._run(), "ack")

    def _counted(self, change: int) -> None:
        self.count += change
        self._context.observer.awaiting(self._stream, count=self.count)

    async def _run(self) -> None:
        try:
            while self._pending:
                await self._rest()
                for channel in list(self._pending):
                    await self._poll(channel)
                self._give_up()
        finally:
            self.polling = False
        self._on_end()

    async def _rest(self) -> None:
        """Wait for the time of the next polls, which come sooner while the sender or the relay ends."""
        if self._ending:
            await asyncio.sleep(min(self._ack.poll_s, ENDING_POLL_S))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ack.poll_s):
                await self._hurry.wait()
        self._hurry.clear()

    async def _poll(self, channel: str) -> None:
        """Poll for everything that waits in one channel."""
        ids = list(self._pending[channel])
        for first in range(0, len(ids), POLL_IDS_MAX):
            row = self._pending[channel]
            asked = ids[first : first + POLL_IDS_MAX]
            answer = await self._client.poll(asked, channel=channel, hec_token=row[asked[0]].hec_token)
            report = judge_poll(answer)
            match report.poll:
                case Poll.TOLD:
                    self._apply_poll(channel, [each for each in asked if report.acks.get(each)])
                case Poll.LOST:
                    self._drop(channel, asked, report.words, "poll_lost")
                case Poll.DISABLED:
                    self._disable(report.words)
                    self._confirm(self._take(channel, asked), "disabled")
                case Poll.AGAIN:
                    return

    def _apply_poll(self, channel: str, true: Sequence[int]) -> None:
        row = self._pending[channel]
        for ack_id in true:
            row[ack_id].trues += 1
        done = [ack_id for ack_id in true if row[ack_id].trues >= row[ack_id].batches]
        self._confirm(self._take(channel, done), "indexed")

    def _take(self, channel: str, ids: Sequence[int]) -> list[_Pending]:
        row = self._pending[channel]
        taken = [row.pop(each) for each in ids]
        if not row:
            del self._pending[channel]
        self._counted(-sum(len(each.hec_events) for each in taken))
        return taken

    def _confirm(self, taken: Sequence[_Pending], how: str) -> None:
        hec_events = [hec_event for each in taken for hec_event in each.hec_events]
        if not hec_events:
            return
        after_s = self._loop.time() - min(each.since for each in taken)
        events.confirmed(self._stream, hec_events=len(hec_events), after_s=after_s, is_indexed=how == "indexed")
        self._context.observer.acknowledged(self._stream, ack=how, count=len(hec_events))
        said = f"told to be indexed after {after_s:.1f} s" if how == "indexed" else "no acknowledgment is given"
        self._context.spawn(self._outcomes.settle([each.with_outcome(said) for each in hec_events]), "settle")

    def _drop(self, channel: str, ids: Sequence[int], fault: str, how: str) -> None:
        """Send these again. The next get a new channel: a late ``true`` for an old id must not confirm them."""
        if channel in self._client.channels:
            self._left[channel] = self._loop.time() + self._ack.expiry_s
            self._client.renew(channel)
        self._lose([hec_event for each in self._take(channel, ids) for hec_event in each.hec_events], fault, how)

    def _lose(self, hec_events: Sequence[PendingEvent], fault: str, how: str) -> None:
        events.unconfirmed(self._stream, hec_events=len(hec_events), fault=fault)
        self._context.observer.acknowledged(self._stream, ack=how, count=len(hec_events))
        self._context.observer.resent(self._stream, count=len(hec_events), ambiguous=True)
        lost = [each.with_outcome(fault, ambiguous=True) for each in hec_events]
        self._context.spawn(self._outcomes.release(lost, fault=fault), "release")

    def _give_up(self) -> None:
        """Send again what is overdue, and what waits in a channel that was left a while ago."""
        now, used = self._loop.time(), self._client.channels
        self._left = {channel: at for channel, at in self._left.items() if channel in self._pending}
        for channel in list(self._pending):
            if channel not in used:
                self._left.setdefault(channel, now + self._ack.poll_s * GRACE_POLLS)
        for channel, row in list(self._pending.items()):
            late = [ack_id for ack_id, each in row.items() if each.since + self._ack.expiry_s <= now]
            if late:
                self._drop(channel, late, f"not told to be indexed within {self._ack.expiry_s:g} s", "expired")
            left = list(self._pending.get(channel, ()))
            if left and self._left.get(channel, now + 1) <= now:
                self._drop(
                    channel, left, "acks got lost in its channel, or the balancer led to another indexer", "moved"
                )

    def _disable(self, said: str) -> None:
        if not self._disabled:
            events.unacknowledged(self._stream, said=said)
        self._disabled = f"{said}: what it accepts counts as delivered"
