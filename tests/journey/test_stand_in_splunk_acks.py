"""The stand-in Splunk conforms: indexer acknowledgment."""

import gzip
import math

import httpx
import pytest

from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.stand_in_splunk_calls import ACK, CHANNEL, EVENT, GOOD, OTHER_CHANNEL, Calls, calls_to

TOKENS = [HecToken("good", use_ack=True), HecToken("second", use_ack=True), HecToken("plain")]
BODY = b'{"event":"a"}'


async def ack_id(calls: Calls, body: bytes = BODY, *, channel: str = CHANNEL, token: str = GOOD) -> object:
    """Post a batch; the ack id that came back."""
    answer = await calls.post(body, channel=channel, token=token)
    return answer.json().get("ackId")


@pytest.mark.parametrize("path", [EVENT, ACK])
@pytest.mark.parametrize(("cloud", "code"), [(False, 10), (True, 28)])
async def test_without_a_channel_nothing_goes(path: str, cloud: bool, code: int) -> None:  # noqa: FBT001 - a case
    """[measured] Code 10 on Splunk 10.4; code 28 on Cloud 10.5, which is in no table of the docs."""
    async with StandInSplunk(TOKENS, cloud=cloud) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, path=path)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert splunk.indexed == []


async def test_the_token_comes_before_the_channel() -> None:
    """[measured] Splunk 10.4: a bad hec_token is told first."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, token="nobody")

    assert answer.json()["code"] == 4


@pytest.mark.parametrize("channel", ["abc", f"{CHANNEL}0", "0b9d3c39-1f34-4b6a-8a1c-5d8ee4d3c0fg"])
async def test_a_channel_is_a_guid(channel: str) -> None:
    """[docs] About HTTP Event Collector Indexer Acknowledgment: else code 11."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, channel=channel)

    assert (answer.status_code, answer.json()["code"]) == (400, 11)


async def test_a_channel_may_stand_in_the_query() -> None:
    """[docs] HTTP Event Collector REST API endpoints."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, path=f"{EVENT}?channel={CHANNEL}")

    assert answer.json() == {"text": "Success", "code": 0, "ackId": 0}


async def test_a_token_without_ack_ignores_the_channel() -> None:
    """[measured] Splunk 10.4: no ackId, and no complaint about a channel that is no GUID."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, token="plain", channel="junk")

    assert answer.json() == {"text": "Success", "code": 0}


async def test_a_poll_on_a_token_without_ack_is_refused() -> None:
    """[docs] Troubleshoot HTTP Event Collector: code 14."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(b'{"acks":[0]}', path=ACK, token="plain", channel=CHANNEL)

    assert (answer.status_code, answer.json()) == (400, {"text": "ACK is disabled", "code": 14})


async def test_ids_count_from_zero_in_every_channel() -> None:
    """[measured] Per channel; [inferred] per hec_token too."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        first = [await ack_id(calls), await ack_id(calls), await ack_id(calls)]
        others = [await ack_id(calls, channel=OTHER_CHANNEL), await ack_id(calls, token="second")]

    assert (first, others) == ([0, 1, 2], [0, 0])


async def test_true_is_told_once() -> None:
    """[measured] And forgotten: a lost answer to a poll looks as if it was never indexed."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        await ack_id(calls)
        await ack_id(calls)

        assert await calls.poll(0, 7) == [True, False]
        assert await calls.poll(0, 1) == [False, True]
        assert splunk.acks_waiting == 0


async def test_another_channel_or_token_is_told_false() -> None:
    """[measured] A wrong channel is false and no error; [docs] the same token must poll."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        await ack_id(calls)

        assert await calls.poll(0, channel=OTHER_CHANNEL) == [False]
        assert await calls.poll(0, token="second") == [False]
        assert await calls.poll(0) == [True]


async def test_an_ack_takes_its_time() -> None:
    """[measured] The first true comes about a second later; here as long as is set."""
    async with StandInSplunk(TOKENS, ack_delay_s=math.inf) as splunk, calls_to(splunk) as calls:
        await ack_id(calls)
        assert await calls.poll(0) == [False]
        splunk.ack_delay_s = 0
        await ack_id(calls)
        assert await calls.poll(0, 1) == [False, True]


@pytest.mark.parametrize(
    ("body", "code"), [(BODY + b'{"event":""}', 13), (BODY + b'{"event":', 6), (BODY + b'{"host":"h"}', 12)]
)
async def test_an_error_after_a_taken_prefix_carries_an_id(body: bytes, code: int) -> None:
    """[measured] Seen with code 13 by users of Splunk's Kafka connector; [inferred] for the other codes."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = (await calls.post(body, channel=CHANNEL)).json()

        assert (answer["code"], answer["invalid-event-number"], answer["ackId"]) == (code, 1, 0)
        assert await calls.poll(0) == [True]


async def test_an_error_without_a_prefix_carries_none() -> None:
    """[inferred] Nothing was taken, so there is nothing to acknowledge."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = (await calls.post(b'{"event":""}', channel=CHANNEL)).json()

        assert "ackId" not in answer
        assert await ack_id(calls) == 0


async def test_ids_live_in_one_indexer() -> None:
    """[docs] Behind a round-robin front a poll must reach the indexer that took the batch; ids collide."""
    async with StandInSplunk(TOKENS, indexers=2) as splunk, calls_to(splunk) as calls:
        ids = [await ack_id(calls), await ack_id(calls), await ack_id(calls)]  # indexers 0, 1, 0

        assert ids == [0, 0, 1]
        assert [each.indexer for each in splunk.indexed] == [0, 1, 0]
        assert await calls.poll(1) == [False]  # indexer 1
        assert await calls.poll(1) == [True]  # indexer 0


async def test_a_cookie_keeps_to_one_indexer() -> None:
    """[docs] Balancers need cookie stickiness for ack; [inferred] its form."""
    async with (
        StandInSplunk(TOKENS, indexers=3, sticky_cookie="lb") as splunk,
        calls_to(splunk) as calls,
        calls_to(splunk) as others,
    ):
        assert [await ack_id(calls), await ack_id(calls)] == [0, 1]
        assert [await ack_id(others), await ack_id(others)] == [0, 1]
        assert [each.indexer for each in splunk.indexed] == [0, 0, 1, 1]


async def test_a_restarted_indexer_forgets_ids_and_changes_the_cookie() -> None:
    """[docs] Pending ids live in memory; [inferred] that the balancer then sets another cookie."""
    async with (
        StandInSplunk(TOKENS, indexers=2, sticky_cookie="lb") as splunk,
        calls_to(splunk) as calls,
    ):
        await ack_id(calls)
        before = calls.client.cookies["lb"]
        splunk.restart_indexer(0)

        assert await calls.poll(0) == [False]
        assert calls.client.cookies["lb"] != before


async def test_an_idle_channel_is_removed() -> None:
    """[spec] inputs.conf maxIdleTime, 600 s: ids are forgotten and count from 0 again."""
    async with StandInSplunk(TOKENS, ack_idle_s=0) as splunk, calls_to(splunk) as calls:
        assert [await ack_id(calls), await ack_id(calls)] == [0, 0]


async def test_a_stop_forgets_ids() -> None:
    """[docs] A restart of Splunk forgets every pending id; what is indexed stays."""
    splunk = StandInSplunk(TOKENS)
    await splunk.start()
    async with calls_to(splunk) as calls:
        await ack_id(calls)
    await splunk.stop()
    await splunk.start(port=splunk.port)
    async with calls_to(splunk) as calls:
        assert await calls.poll(0) == [False]
    await splunk.stop()

    assert splunk.indexed_count == 1


@pytest.mark.parametrize(
    ("body", "code"), [(b"", 5), (b"{", 6), (b"[0]", 6), (b'{"acks":0}', 6), (b'{"acks":["0"]}', 6)]
)
async def test_a_poll_that_asks_nothing_is_refused(body: bytes, code: int) -> None:
    """[inferred] Codes 5 and 6, as for a batch."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(body, path=ACK, channel=CHANNEL)

    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_compressed_poll_is_not_understood() -> None:
    """[inferred] Compressed polls broke acknowledgment in Vector until it sent them plain."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        body = gzip.compress(b'{"acks":[0]}')
        answer = await calls.post(body, path=ACK, channel=CHANNEL, headers={"Content-Encoding": "gzip"})

    assert answer.json()["code"] == 6


async def test_a_poll_whose_answer_is_lost_has_been_told() -> None:
    """[measured] That true is forgotten once told; the cut itself is scripted."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        await ack_id(calls)
        await ack_id(calls)
        splunk.script(Fault.cut(stored=False), Fault.cut(stored=True), endpoint="ack")
        for asked in (0, 1):
            with pytest.raises(httpx.RemoteProtocolError):
                await calls.poll(asked)

        assert await calls.poll(0, 1) == [True, False]
