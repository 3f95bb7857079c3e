"""What Splunk accepted, until it says that it is indexed."""

import asyncio
from dataclasses import replace

import pytest

from app.delivery.destination.acks import AckTracker
from app.delivery.destination.batch import Batch, PendingEvent, divide
from app.delivery.destination.outcomes import OutcomeWriter
from app.model import Attempt
from app.splunk.answers import Answer, Fault, HecBody, Outcome, judge
from app.tenants.model import Ack
from tests.unit.delivery_parts import DESTINATION, STREAM, TOKEN, Client, Parts, delivery

ATTEMPT = Attempt(1.0, 0.1, "success")


def accepted(ack_id: int | None, *, code: int = 0) -> Answer:
    """What Splunk answers to a batch."""
    return Answer(status=200, body=HecBody(code, "Success", ack_id=ack_id), channel="c1")


def told(**acks: bool) -> Answer:
    """What it answers to a poll; names are ``a`` and the id."""
    return Answer(status=200, body=HecBody(acks={int(name[1:]): value for name, value in acks.items()}))


class Tracked:
    """A tracker, and what it wrote."""

    def __init__(self, *polls: Answer, poll_s: float = 0.0, expiry_s: float = 60.0) -> None:
        self.parts = Parts()
        self.client = Client(*polls)
        self.ended = 0
        self.tracker = AckTracker(
            replace(DESTINATION, ack=Ack(poll_s=poll_s, expiry_s=expiry_s)),
            self.client,
            self.parts.context,
            outcomes=OutcomeWriter(STREAM, self.parts.context),
            on_end=self._on_end,
        )

    def _on_end(self) -> None:
        self.ended += 1

    def post(self, answer: Answer, *seqs: int) -> tuple[Outcome, int]:
        """A batch of these that drew this answer: its outcome, and how many the caller has to settle."""
        claimed = self.parts.claims.take([delivery(seq) for seq in seqs])
        hec_events = tuple(PendingEvent(each, b'{"fields":{}}') for each in claimed)
        verdict = judge(answer, len(hec_events))
        batch = Batch(STREAM, "sentry", TOKEN, hec_events)
        verdict, division = self.tracker.track(batch, answer, verdict, divide(hec_events, verdict), ATTEMPT)
        return verdict.outcome, len(division.delivered)

    async def told_the_spool(self) -> list[tuple[str, tuple[int, ...]]]:
        """Once nothing waits any more."""
        async with asyncio.timeout(30):
            await self.parts.done()
        return sorted(self.parts.spool.told)


LOST = Answer(fault=Fault.READ_TIMEOUT)
UNSENT = Answer(fault=Fault.CONNECT_FAILED)
DISABLED = Answer(status=400, body=HecBody(14))
GONE = Answer(status=404)


@pytest.mark.parametrize(
    ("polls", "written"),
    [
        ([told(a0=True, a1=True)], [("settle", (1, 2)), ("settle", (3,))]),
        ([told(a0=False, a1=True), told(a0=True)], [("settle", (1, 2)), ("settle", (3,))]),
        ([UNSENT, told(a0=True, a1=True)], [("settle", (1, 2)), ("settle", (3,))]),
        ([LOST], [("release in doubt", (1, 2, 3))]),
        ([GONE], [("release in doubt", (1, 2, 3))]),
        ([DISABLED], [("settle", (1, 2, 3))]),
        ([told(a0=True), LOST], [("release in doubt", (3,)), ("settle", (1, 2))]),
    ],
    ids=["indexed", "one later", "poll unsent", "poll lost", "channel gone", "no acks", "indexed, then lost"],
)
async def test_only_a_true_settles(polls: list[Answer], written: list[tuple[str, tuple[int, ...]]]) -> None:
    """Two batches under two ids. What nobody will ever know goes back as possibly delivered."""
    here = Tracked(*polls)
    assert here.post(accepted(0), 1, 2) == (Outcome.ACCEPTED, 0)
    assert here.post(accepted(1), 3) == (Outcome.ACCEPTED, 0)
    assert here.tracker.count == 3
    flat = await here.told_the_spool()
    together = [(doing, tuple(sorted(seqs))) for doing, seqs in flat]
    if written[0][1] == (1, 2, 3):  # in one call or in several
        assert {doing for doing, _ in together} == {written[0][0]}
        assert sorted(seq for _, seqs in together for seq in seqs) == [1, 2, 3]
    else:
        assert {seq: doing for doing, seqs in together for seq in seqs} == {
            seq: doing for doing, seqs in written for seq in seqs
        }
    assert (here.tracker.count, here.tracker.polling, here.ended) == (0, False, 1)


async def test_an_id_of_two_indexers_needs_two_trues() -> None:
    """Each counts its own: one number may name several batches behind a balancer that is not sticky."""
    here = Tracked(told(a0=True), told(a0=True))
    here.post(accepted(0), 1)
    here.post(accepted(0), 2)
    assert sorted(seq for doing, seqs in await here.told_the_spool() for seq in seqs if doing == "settle") == [1, 2]
    assert [ids for _, ids in here.client.asked] == [[0], [0]]


async def test_what_is_overdue_is_sent_again_through_another_channel() -> None:
    """A late ``true`` must not confirm what comes after."""
    here = Tracked(told(a0=False), expiry_s=0.0)
    here.post(accepted(0), 1)
    assert await here.told_the_spool() == [("release in doubt", (1,))]
    assert here.client.renewed == ["c1"]


async def test_what_is_taken_without_an_id_is_delivered_where_nobody_gives_any() -> None:
    """The tenants file asks for acks, and the hec_token has none: that is said, and nothing waits."""
    here = Tracked()
    assert here.post(accepted(None), 1) == (Outcome.DELIVERED, 1)
    assert (here.tracker.count, here.tracker.polling) == (0, False)
    state = here.tracker.state()
    assert state is not None
    assert state.state == "unacknowledged"


async def test_what_waits_at_the_end_goes_back_in_doubt() -> None:
    """Nobody will ask for it."""
    here = Tracked(poll_s=60.0)
    here.post(accepted(0), 1, 2)
    left = here.tracker.abandon()
    assert [(each.delivery.seq, each.tried[-1].ambiguous) for each in left] == [(1, True), (2, True)]
    assert here.tracker.count == 0
    for task in here.parts.tasks:
        task.cancel()
