"""The stand-in Splunk fails as told: one fault a request, then it serves normally again."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.stand_in_splunk_calls import EVENT, HEALTH, NOWHERE, RAW, calls_to

TOKENS = [HecToken("good"), HecToken("other")]
THREE = b'{"event":"a"}{"event":"b"}{"event":"c"}'


async def answered(fault: Fault, body: bytes = THREE) -> tuple[httpx.Response, list[object]]:
    """The answer to one spoiled request, and what it got indexed."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(fault)
        answer = await calls.post(body)
        assert splunk.requests[0].fault == fault
        assert splunk.requests[0].status == answer.status_code
        return answer, [each.event for each in splunk.indexed]


async def test_busy_stores_nothing() -> None:
    """[docs] 503 code 9, without a number."""
    answer, indexed = await answered(Fault.busy())

    assert (answer.status_code, answer.json()) == (503, {"text": "Server is busy", "code": 9})
    assert indexed == []


@pytest.mark.parametrize(("after", "said"), [(0, 0), (2, 2), (3, 3), (7, 3)])
async def test_busy_after_a_prefix_names_the_first_not_taken(after: int, said: int) -> None:
    """[measured] Reported by a maintainer of the OpenTelemetry exporter (10 taken, number 10); 0 was seen too."""
    answer, indexed = await answered(Fault.busy(after=after))

    assert answer.json() == {"text": "Server is busy", "code": 9, "invalid-event-number": said}
    assert indexed == ["a", "b", "c"][:said]


async def test_a_culprit_before_the_busy_prefix_is_told_as_ever() -> None:
    """[inferred] The stream is read in order."""
    answer, indexed = await answered(Fault.busy(after=2), b'{"event":"a"}{"event":""}{"event":"c"}')

    assert (answer.json()["code"], answer.json()["invalid-event-number"]) == (13, 1)
    assert indexed == ["a"]


@pytest.mark.parametrize("code", [24, 25])
async def test_a_warning_is_a_success(code: int) -> None:
    """[docs] 200 with code 24 or 25: stored."""
    answer, indexed = await answered(Fault.accept_then(code))

    assert (answer.status_code, answer.json()["code"]) == (200, code)
    assert indexed == ["a", "b", "c"]


async def test_a_warning_hides_no_culprit() -> None:
    """[inferred] A batch that is refused anyway is told so."""
    answer, indexed = await answered(Fault.accept_then(24), b'{"event":"a"}{"event":""}')

    assert answer.json()["code"] == 13
    assert indexed == ["a"]


@pytest.mark.parametrize(
    ("code", "status"), [(1, 403), (4, 403), (8, 500), (10, 400), (18, 503), (26, 429), (27, 429), (28, 400)]
)
async def test_any_code_can_be_told(code: int, status: int) -> None:
    """[docs] Troubleshoot HTTP Event Collector: the status of each code; nothing is stored."""
    answer, indexed = await answered(Fault.code(code))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert indexed == []


async def test_an_internal_error_may_have_stored() -> None:
    """[docs] 500 code 8 says nothing about what was taken."""
    answer, indexed = await answered(Fault.code(8, stored=True))

    assert answer.json() == {"text": "Internal server error", "code": 8}
    assert indexed == ["a", "b", "c"]


@pytest.mark.parametrize(("code", "number", "taken"), [(6, 1, 1), (7, 2, 1), (15, 0, 0), (6, 99, 3)])
async def test_a_told_number_may_be_absurd(code: int, number: int, taken: int) -> None:
    """[stand-in] The number is said as told, whatever the batch holds; what stands before it is taken."""
    answer, indexed = await answered(Fault.code(code, number=number))

    assert answer.json()["invalid-event-number"] == number
    assert indexed == ["a", "b", "c"][:taken]


async def test_shutting_down_closes_the_connection() -> None:
    """[docs] 503 code 23; [inferred] that it closes."""
    answer, indexed = await answered(Fault.shutting_down())

    assert (answer.status_code, answer.json()["code"], answer.headers["connection"]) == (503, 23, "close")
    assert indexed == []


@pytest.mark.parametrize("status", [404, 408, 413, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("stored", [False, True])
async def test_a_proxy_answers_in_html(status: int, stored: bool) -> None:  # noqa: FBT001 - a case
    """[stand-in] Proxies and balancers between sender and Splunk; what they passed on may be stored."""
    answer, indexed = await answered(Fault.status(status, retry_after=7, stored=stored))

    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert answer.headers["content-type"].startswith("text/html")
    assert indexed == (["a", "b", "c"] if stored else [])


async def test_a_rolling_restart_is_a_404() -> None:
    """[spec] inputs.conf rollingRestartReturnServerBusy=false, and before 9.1."""
    answer, indexed = await answered(Fault.status(404, html=False))

    assert (answer.status_code, answer.json(), indexed) == (404, NOWHERE, [])


async def test_a_wait_may_be_a_date() -> None:
    """[spec] RFC 9110, Retry-After."""
    answer, _ = await answered(Fault.busy(retry_after="Wed, 21 Oct 2026 07:28:00 GMT"))

    assert answer.headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"


async def test_a_200_may_be_no_success() -> None:
    """[stand-in] A captive proxy's page, or nothing at all: neither stores."""
    html, indexed_by_html = await answered(Fault.ok_html())
    empty, indexed_by_empty = await answered(Fault.ok_empty())

    assert (html.status_code, html.headers["content-type"][:9]) == (200, "text/html")
    assert (empty.status_code, empty.content) == (200, b"")
    assert indexed_by_html == indexed_by_empty == []


async def test_a_redirect_leads_elsewhere() -> None:
    """[stand-in] A sign-on or maintenance page."""
    answer, indexed = await answered(Fault.redirect("https://sso.example/login", status=307))

    assert (answer.status_code, answer.headers["location"]) == (307, "https://sso.example/login")
    assert indexed == []


async def test_a_slow_answer_comes() -> None:
    """[stand-in] Stored at once, answered later."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.slow(0.05))
        began = asyncio.get_running_loop().time()
        answering = asyncio.create_task(calls.post(THREE))
        await splunk.wait_for(3)
        assert not answering.done()
        answer = await answering

        assert answer.json()["code"] == 0
        assert asyncio.get_running_loop().time() - began >= 0.05


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    "fault", [Fault.cut, lambda stored: Fault.cut(stored, reset=True), lambda stored: Fault.hang(stored, 0.01)]
)
async def test_no_answer_comes(fault: Callable[[bool], Fault], stored: bool) -> None:  # noqa: FBT001 - a case
    """[stand-in] Cut off, reset, or hung: the client cannot know what was stored."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(fault(stored))
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await calls.post(THREE)

        assert splunk.indexed_count == (3 if stored else 0)
        assert splunk.requests[0].status is None


@pytest.mark.parametrize(("stored", "status"), [(False, 503), (True, 200)])
async def test_half_an_answer_comes(stored: bool, status: int) -> None:  # noqa: FBT001 - a case
    """[stand-in] The head and a part of the body, which says success only where something was stored."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.cut(stored, partial_answer=True))
        headers = {"Authorization": "Splunk good"}
        async with calls.client.stream("POST", EVENT, content=THREE, headers=headers) as answer:
            assert answer.status_code == status
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()

        assert splunk.indexed_count == (3 if stored else 0)


async def test_a_hang_lasts_until_the_client_goes() -> None:
    """[stand-in] Accept-then-hang: stored, never answered."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.hang(stored=True))
        calls.client.timeout = httpx.Timeout(10, read=0.1)
        with pytest.raises(httpx.ReadTimeout):
            await calls.post(THREE)
        calls.client.timeout = httpx.Timeout(10)

        assert len(await splunk.wait_for(3)) == 3
        answer = await calls.post(THREE)
        assert answer.json()["code"] == 0


async def test_a_stall_reads_no_body() -> None:
    """[stand-in] A client that sends more than the buffers hold cannot even finish its request."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.stall())
        calls.client.timeout = httpx.Timeout(10, write=0.2)
        with pytest.raises(httpx.WriteTimeout):
            await calls.post(bytes(30_000_000))

        assert (splunk.requests[0].status, splunk.indexed) == (None, [])


async def test_a_script_is_used_up_in_order() -> None:
    """[stand-in] One fault a request to /event or /raw; other endpoints use none."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.busy(), Fault.none(), Fault.code(26))
        statuses = [
            (await calls.post(THREE)).status_code,
            (await calls.client.get(HEALTH)).status_code,
            (await calls.client.options(EVENT)).status_code,
            (await calls.post(THREE, path=RAW)).status_code,
            (await calls.post(THREE)).status_code,
            (await calls.post(THREE)).status_code,
        ]

        assert statuses == [503, 200, 200, 200, 429, 200]
        assert splunk.faults_left == 0


async def test_a_script_may_be_for_one_hec_token() -> None:
    """[stand-in] Its own script goes first, then the one for all; unknown hec_tokens have scripts too."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.script(Fault.code(26), token="other")
        splunk.script(Fault.busy())
        splunk.script(Fault.status(502), token="nobody")
        tokens = ["good", "other", "other", "nobody", "nobody"]

        assert [(await calls.post(THREE, token=each)).status_code for each in tokens] == [503, 429, 200, 502, 403]


async def test_a_standing_fault_stands_until_taken_away() -> None:
    """[stand-in] Scripted faults go before it."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.always(Fault.status(502))
        splunk.always(Fault.code(27), token="other")
        splunk.script(Fault.none())
        statuses = [(await calls.post(THREE, token=each)).status_code for each in ("good", "good", "other")]
        splunk.always(None)
        splunk.always(None, token="other")
        statuses += [(await calls.post(THREE, token=each)).status_code for each in ("good", "other")]

        assert statuses == [200, 502, 429, 200, 200]


async def test_a_fault_lets_nobody_in() -> None:
    """[stand-in] A fault that stores, stores what would have been stored: nothing under an unknown hec_token."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        faults = (Fault.accept_then(24), Fault.busy(after=2), Fault.code(6, number=1), Fault.status(504, stored=True))
        splunk.script(*faults)
        answers = [await calls.post(THREE, token="nobody") for _ in faults]

        assert [each.status_code for each in answers] == [403, 403, 403, 504]
        assert splunk.indexed == []


async def test_health_can_fail_alone() -> None:
    """[stand-in] A script for the health endpoint leaves batches alone."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.always(Fault.status(503), endpoint="health")

        assert (await calls.client.get(HEALTH)).status_code == 503
        assert (await calls.post(THREE)).status_code == 200
