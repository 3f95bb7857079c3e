"""Indexer acknowledgment: delivered is what Splunk said to be indexed, and nothing else."""

import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.delivery.destination.events import LaneState
from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from app.sandbox.splunk.model import RequestSeen
from tests.journey.delivery_world import Part, World, ids_of, until, until_async, world
from tests.journey.fronts import renewing_front

ACK = "/services/collector/ack"
COOKIE = "lb"


def splunk_with_acks(**knobs: Any) -> StandInSplunk:
    """A Splunk whose hec_token acknowledges."""
    return StandInSplunk([HecToken("acme-token", indexes=("sentry",), use_ack=True)], **knobs)


@asynccontextmanager
async def acme(
    folder: Path, splunk: StandInSplunk, *, poll_s: float = 0.05, expiry_s: float = 60.0, batch: int = 0, **limits: Any
) -> AsyncIterator[World]:
    """The world of one tenant that asks for acks."""
    if batch:
        limits |= {"batch_hec_events_max": batch, "linger_s": 0.2}
    keys = {"ack": True, "ack_poll_s": poll_s, "ack_expiry_s": expiry_s}
    async with world(folder, [Part("acme", splunk.url, "acme-token", more=keys)], **limits) as made:
        yield made


def polls(splunk: StandInSplunk) -> list[RequestSeen]:
    """The ack polls that Splunk saw."""
    return [each for each in splunk.requests if each.path == ACK]


def words_of(made: World) -> str:
    """What readiness says of delivering."""
    return " / ".join(str(each) for each in made.supervisor.states())


def lost(made: World) -> list[str]:
    """Why acks were lost, in the log's words."""
    return [line["words"] for line in made.said("ack.lost")]


def marked(splunk: StandInSplunk) -> list[str]:
    """The ids of those that were sent again with a mark."""
    return [str(each.fields["relay_delivery_id"]) for each in splunk.indexed if "relay_attempt" in each.fields]


async def test_accepted_is_not_delivered_until_it_is_indexed(tmp_path: Path) -> None:
    """While Splunk tells false it waits, in words, log and books; it is settled at true, once, without a double."""
    async with splunk_with_acks(ack_delay_s=math.inf) as splunk, acme(tmp_path, splunk) as made:
        made.run()
        ids = await made.accept(5)
        await splunk.wait_for(5)
        await until(lambda: len(polls(splunk)) >= 2)
        assert await made.waiting() == 5
        assert await made.delivered() == 0
        assert "5 hec_events accepted and not yet told to be indexed" in words_of(made)
        assert made.said("delivery.attempted")[-1]["outcome"] == "accepted"
        for channel in splunk._front.acks[0]._channels.values():  # noqa: SLF001  Splunk has indexed them by now
            channel.true_at = dict.fromkeys(channel.true_at, 0.0)
        await made.until_settled()
        assert await made.delivered() == 5
        assert sorted(ids_of(splunk.indexed)) == sorted(ids)
        assert splunk.acks_waiting == 0
        await until(lambda: not made.supervisor.states())
        assert made.said("ack.received")[0]["indexed"] is True


async def test_polls_go_through_the_channel_and_the_hec_token_of_the_posts(tmp_path: Path) -> None:
    """One channel for all of it."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk, batch=3) as made:
        made.run()
        await made.accept(12)
        await made.until_settled()
        assert {each.token for each in splunk.requests} == {"acme-token"}
        assert len({each.headers["x-splunk-request-channel"] for each in splunk.requests}) == 1
        assert polls(splunk)
        assert not marked(splunk)


@pytest.mark.parametrize("indexers", [1, 3])
async def test_behind_a_sticky_balancer_every_poll_finds_its_indexer(tmp_path: Path, indexers: int) -> None:
    """The balancer's cookie leads back: nothing doubles, also with posts at the same time and renewed connections."""
    async with (
        splunk_with_acks(indexers=indexers, sticky_cookie=COOKIE, ack_delay_s=0.05) as splunk,
        acme(tmp_path, splunk, batch=5, hec_connection_age_max_s=0.1) as made,
    ):
        made.run()
        ids = await made.accept(100)
        await made.until_settled()
        assert sorted(ids_of(splunk.indexed)) == sorted(ids)
        assert len({each.indexer for each in splunk.requests}) == 1
        assert splunk.connections > 1
        assert not lost(made)


async def test_without_stickiness_all_is_confirmed_by_as_many_trues_as_batches(tmp_path: Path) -> None:
    """Each indexer counts for itself, so one number names several batches: nothing is lost, nothing doubles."""
    async with splunk_with_acks(indexers=3) as splunk, acme(tmp_path, splunk, expiry_s=60, batch=5) as made:
        made.run()
        ids = await made.accept(60)
        await made.until_settled()
        assert sorted(ids_of(splunk.indexed)) == sorted(ids)
        assert len({each.indexer for each in splunk.indexed}) == 3
        assert splunk.acks_waiting == 0
        assert not lost(made)


async def test_one_true_for_two_batches_of_the_same_number_confirms_neither(tmp_path: Path) -> None:
    """The first was forgotten by a restart without a cookie to tell; nobody knows whose the true is."""
    async with (
        splunk_with_acks(ack_delay_s=math.inf) as splunk,
        acme(tmp_path, splunk, poll_s=0.2, expiry_s=2) as made,
    ):
        made.run()
        first = await made.accept()
        await splunk.wait_for(1)
        splunk.restart_indexer()
        splunk.ack_delay_s = 0
        second = await made.accept()
        await made.until_settled()
        assert Counter(ids_of(splunk.indexed)) == Counter([*first, *second] * 2)
        assert set(marked(splunk)) == {*first, *second}


async def test_what_is_not_confirmed_in_time_is_sent_again_with_a_mark(tmp_path: Path) -> None:
    """Splunk never says true to the first: it expires, and the copy says that it may be a double."""
    async with splunk_with_acks(ack_delay_s=math.inf) as splunk, acme(tmp_path, splunk, expiry_s=1) as made:
        made.run()
        (one,) = await made.accept()
        await splunk.wait_for(1)
        splunk.ack_delay_s = 0
        await made.until_settled()
        assert ids_of(splunk.indexed) == [one, one]
        assert marked(splunk) == [one]
        assert "within 1 s" in lost(made)[0]
        assert await made.delivered() == 1


@pytest.mark.parametrize(
    "spoil",
    [
        Fault.hang(stored=True, s=0.05),
        Fault.cut(stored=True),
        Fault.status(404),
        Fault.status(502, stored=True),
        Fault.ok_html(stored=True),
    ],
    ids=["hang", "cut", "404", "502", "html"],
)
async def test_a_poll_whose_answer_is_lost_makes_it_ambiguous(tmp_path: Path, spoil: Fault) -> None:
    """Splunk told true to nobody and has forgotten it: sent again with a mark, long before the expiry."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk, expiry_s=60) as made:
        splunk.script(spoil, endpoint="ack")
        made.run()
        (one,) = await made.accept()
        await made.until_settled()
        assert ids_of(splunk.indexed) == [one, one]
        assert marked(splunk) == [one]
        assert len(lost(made)) == 1


async def test_acks_are_fetched_at_once_where_splunk_keeps_too_many(tmp_path: Path) -> None:
    """Code 25 comes with what is taken: the polls do not wait for their time."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk, poll_s=60, expiry_s=300, batch=3) as made:
        splunk.script(Fault.accept_then(25))
        await made.accept(3)
        made.run()
        await made.until_settled(timeout_s=50)
        assert len(polls(splunk)) == 1
        assert splunk.request_count == 2


@pytest.mark.parametrize("spoil", [Fault.busy(), Fault.status(429), Fault.code(4)], ids=["busy", "429", "token"])
async def test_a_poll_that_is_refused_is_made_again(tmp_path: Path, spoil: Fault) -> None:
    """Nothing was told, so nothing is lost and nothing doubles."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk) as made:
        splunk.script(spoil, endpoint="ack")
        made.run()
        (one,) = await made.accept()
        await made.until_settled()
        assert ids_of(splunk.indexed) == [one]
        assert len(polls(splunk)) == 2


async def test_another_cookie_makes_what_waits_ambiguous(tmp_path: Path) -> None:
    """The indexer was restarted and the balancer leads elsewhere: a new channel, and the old ids mean nothing."""
    async with (
        splunk_with_acks(indexers=2, sticky_cookie=COOKIE, ack_delay_s=math.inf) as splunk,
        acme(tmp_path, splunk, expiry_s=60) as made,
    ):
        made.run()
        (one,) = await made.accept()
        await splunk.wait_for(1)
        splunk.ack_delay_s = 0
        splunk.restart_indexer(splunk.indexed[0].indexer)
        await made.until_settled()
        assert set(ids_of(splunk.indexed)) == {one}
        assert one in marked(splunk)
        assert "another indexer" in lost(made)[0]
        posts = [each for each in splunk.requests if each.path != ACK]
        assert len({each.headers["x-splunk-request-channel"] for each in posts}) == 2


async def test_a_cookie_that_is_renewed_with_every_answer_doubles_nothing(tmp_path: Path) -> None:
    """Some balancers do: it leads to the same indexer, which is asked for the old channels as well."""
    async with splunk_with_acks(ack_delay_s=0.05) as splunk, renewing_front(splunk.port) as url:
        keys = {"ack": True, "ack_poll_s": 0.05, "ack_expiry_s": 60}
        parts = [Part("acme", url, "acme-token", more=keys)]
        async with world(tmp_path, parts, batch_hec_events_max=5) as made:
            made.run()
            ids = await made.accept(30)
            await made.until_settled()
            assert sorted(ids_of(splunk.indexed)) == sorted(ids)
            assert not lost(made)


async def test_a_hec_token_without_acks_counts_as_accepted_and_says_so(tmp_path: Path) -> None:
    """No id in the answer: delivered, with a warning that stays in readiness, and no poll."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk) as made:
        splunk.set_token(HecToken("acme-token", indexes=("sentry",)))
        made.run()
        await made.accept(3)
        await made.until_settled()
        assert splunk.indexed_count == 3
        assert not polls(splunk)
        assert len(made.said("ack.disabled")) == 1
        assert "no acknowledgment" in words_of(made)


async def test_acks_that_are_turned_off_meanwhile_stop_the_polls(tmp_path: Path) -> None:
    """Code 14: what Splunk accepted counts as delivered."""
    async with splunk_with_acks(ack_delay_s=math.inf) as splunk, acme(tmp_path, splunk) as made:
        made.run()
        await made.accept()
        await splunk.wait_for(1)
        splunk.set_token(HecToken("acme-token", indexes=("sentry",)))
        await made.until_settled()
        assert splunk.indexed_count == 1
        assert polls(splunk)[-1].code == 14
        assert made.said("ack.received")[-1]["indexed"] is False


async def test_the_accepted_head_of_a_refused_batch_waits_for_its_own_ack(tmp_path: Path) -> None:
    """Busy after two of five: the two are confirmed by the id in the error, the three are sent again unmarked."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk, batch=5) as made:
        splunk.script(Fault.busy(after=2))
        made.run()
        ids = await made.accept(5)
        await made.until_settled()
        assert sorted(ids_of(splunk.indexed)) == sorted(ids)
        assert not marked(splunk)
        assert made.said("delivery.attempted")[0]["accepted"] == 2
        assert splunk.acks_waiting == 0


async def test_stopping_polls_until_the_deadline_and_gives_the_rest_back_marked(tmp_path: Path) -> None:
    """What comes true meanwhile is settled; what does not goes again with a mark after the next start."""
    async with splunk_with_acks(ack_delay_s=0.3) as splunk, acme(tmp_path, splunk) as made:
        made.run()
        await made.accept()
        await splunk.wait_for(1)
        await made.supervisor.drain(5)
        assert await made.delivered() == 1

        splunk.ack_delay_s = math.inf
        made.run()
        (late,) = await made.accept()
        await splunk.wait_for(2)
        await made.supervisor.drain(0.3)
        assert await made.waiting() == 1

        splunk.ack_delay_s = 0
        made.run()
        await made.until_settled()
        assert marked(splunk) == [late]


async def test_stopping_does_not_wait_for_the_next_poll(tmp_path: Path) -> None:
    """However seldom it polls: what Splunk has indexed by then is settled before the end."""
    async with splunk_with_acks() as splunk, acme(tmp_path, splunk, poll_s=60, expiry_s=600) as made:
        made.run()
        await made.accept()
        await until(lambda: made.said("delivery.attempted"))
        await made.supervisor.drain(5)
        assert await made.delivered() == 1


async def test_what_waits_under_the_old_hec_token_is_polled_to_its_end(tmp_path: Path) -> None:
    """A rotation does not double what Splunk has already."""
    async with splunk_with_acks(ack_delay_s=0.5) as splunk, acme(tmp_path, splunk) as made:
        splunk.set_token(HecToken("fresh-token", indexes=("sentry",), use_ack=True))
        made.run()
        await made.accept()
        await splunk.wait_for(1)
        made.rotate("acme", "fresh-token")
        assert made.registry.refresh(tenant="acme")
        await made.accept()
        await made.until_settled()
        assert [each.token for each in splunk.indexed] == ["acme-token", "fresh-token"]
        assert {each.token for each in polls(splunk)} == {"acme-token", "fresh-token"}
        channels = {(each.token, each.headers["x-splunk-request-channel"]) for each in splunk.requests}
        assert len(channels) == len({channel for _, channel in channels}) == 2


async def test_leases_are_renewed_while_an_ack_is_awaited(tmp_path: Path) -> None:
    """Waiting far longer than a lease makes no double."""
    async with (
        splunk_with_acks(ack_delay_s=1.8) as splunk,
        acme(tmp_path, splunk, lease_s=0.6) as made,
    ):
        made.run()
        (one,) = await made.accept()
        await made.until_settled()
        assert ids_of(splunk.indexed) == [one]
        assert not made.said("lease.lost")


async def test_a_state_of_waiting_is_told_by_the_stream(tmp_path: Path) -> None:
    """Readiness gets it as a value of its own kind."""
    async with splunk_with_acks(ack_delay_s=math.inf) as splunk, acme(tmp_path, splunk) as made:
        made.run()
        await made.accept()

        async def told() -> bool:
            return bool(made.supervisor.states())

        await until_async(told)
        (state,) = made.supervisor.states()
        assert isinstance(state, LaneState)
        assert (state.state, state.stream.tenant) == ("accepted", "acme")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sticky", [COOKIE, None], ids=["sticky", "round_robin"])
async def test_under_shuffled_faults_of_posts_and_polls_everything_is_confirmed(
    tmp_path: Path, seed: int, sticky: str | None
) -> None:
    """Every hec_event is indexed and delivered, and whatever is there twice says so."""
    rng = Random(seed)  # noqa: S311  the same faults in every run
    clean = [Fault.none(), Fault.none(), Fault.busy(), Fault.busy(after=2), Fault.status(404), Fault.code(26)]
    doubtful = [Fault.cut(stored=True), Fault.cut(stored=False), Fault.status(502), Fault.status(504, stored=True)]
    async with (
        splunk_with_acks(indexers=2, sticky_cookie=sticky, ack_delay_s=0.02) as splunk,
        acme(tmp_path, splunk, expiry_s=1.0, batch=4, retry_base_s=0.01, retry_max_s=0.05) as made,
    ):
        splunk.script(*rng.choices([*clean, *doubtful], k=12))
        splunk.script(*rng.choices([*clean[:3], *doubtful], k=6), endpoint="ack")
        made.run()
        ids = await made.accept(40)
        await splunk.wait_for(10)
        splunk.restart_indexer(rng.randrange(2))
        await made.until_settled()
        counts = Counter(ids_of(splunk.indexed))
        assert counts.keys() == set(ids)
        assert {each for each, times in counts.items() if times > 1} <= set(marked(splunk))
        assert await made.delivered() == 40
        assert not made.fatal
