"""The stand-in Splunk conforms: who is let in, and at which paths."""

import base64

import pytest

from app.sandbox.splunk import HecToken, StandInSplunk
from tests.journey.stand_in_splunk_calls import ACK, EVENT, HEALTH, NOWHERE, RAW, calls_to

TOKENS = [HecToken("good"), HecToken("off", disabled=True)]
BODY = b'{"event":"a"}'


def basic(credentials: bytes) -> str:
    """An Authorization header."""
    return f"Basic {base64.b64encode(credentials).decode()}"


AUTHORIZATIONS = {
    "[docs] the scheme Splunk": ("Splunk good", 200, 0),
    "[measured] in any case": ("sPLUNK good", 200, 0),
    "[docs] the password of Basic, any user name": (basic(b"anyone:good"), 200, 0),
    "[docs] the password of Basic, wrong": (basic(b"anyone:bad"), 403, 4),
    "[inferred] Basic without a password": (basic(b"good"), 401, 3),
    "[inferred] Basic that is no base64": ("Basic !!!", 401, 3),
    "[measured] no header": (None, 401, 2),
    "[measured] another scheme": ("Bearer good", 401, 3),
    "[measured] junk": ("good", 401, 3),
    "[inferred] a scheme without a token": ("Splunk", 401, 3),
    "[measured] an unknown token": ("Splunk nobody", 403, 4),
    "[docs] a disabled token": ("Splunk off", 403, 1),
}


@pytest.mark.parametrize("label", AUTHORIZATIONS)
async def test_a_hec_token_lets_in(label: str) -> None:
    """Each case of the table, by its own label."""
    authorization, status, code = AUTHORIZATIONS[label]
    headers = {} if authorization is None else {"Authorization": authorization}
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.client.post(EVENT, content=BODY, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(splunk.indexed) == (code == 0)


@pytest.mark.parametrize(
    ("claimed", "status", "code"), [("good", 400, 16), ("off", 400, 16), ("bad", 403, 4), ("", 403, 4)]
)
async def test_a_token_in_the_query_beats_a_good_header(claimed: str, status: int, code: int) -> None:
    """[spec] inputs.conf allowQueryStringAuth: off, and it wins nevertheless."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, path=f"{EVENT}?token={claimed}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert splunk.indexed == []


async def test_the_hec_token_is_looked_at_before_the_body() -> None:
    """[measured] An empty POST tells a good hec_token (code 5) from a bad one, and stores nothing."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        codes = [(await calls.post(b"", token=token)).json()["code"] for token in ("good", "nobody", "off")]

    assert codes == [5, 4, 1]


async def test_hec_tokens_change_while_it_runs() -> None:
    """[docs] Set up and use HTTP Event Collector: a rotated or disabled token counts from the next request on."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        codes = [(await calls.post(BODY)).json()["code"]]
        splunk.set_token(HecToken("good", disabled=True))
        codes.append((await calls.post(BODY)).json()["code"])
        splunk.remove_token("good")
        codes.append((await calls.post(BODY)).json()["code"])
        splunk.set_token(HecToken("new"))
        codes.append((await calls.post(BODY, token="new")).json()["code"])

    assert codes == [0, 1, 4, 0]


@pytest.mark.parametrize("path", ["/services/collector", EVENT, f"{EVENT}/1.0", RAW, f"{RAW}/1.0", ACK])
async def test_options_needs_no_token(path: str) -> None:
    """[measured] Splunk 10.4 and Cloud 10.5; Docker's splunk log driver will not start without it."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.client.options(path)

    assert (answer.status_code, answer.content, answer.headers["allow"]) == (200, b"", "POST,OPTIONS")


async def test_options_of_health() -> None:
    """[measured] Splunk 10.4 and Cloud 10.5."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.client.options(HEALTH)

    assert answer.headers["allow"] == "GET,HEAD,OPTIONS"


@pytest.mark.parametrize("path", ["/", "/services", f"{EVENT}/", f"{EVENT}/2.0", "/services/collector/nope"])
async def test_an_unknown_path_is_found_nowhere(path: str) -> None:
    """[measured] Splunk 10.4 and Cloud 10.5: the code in the body is an HTTP status."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, path=path)

    assert (answer.status_code, answer.json()) == (404, NOWHERE)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", EVENT), ("PUT", EVENT), ("GET", ACK), ("DELETE", RAW), ("POST", HEALTH)]
)
async def test_a_wrong_method_has_the_same_body(method: str, path: str) -> None:
    """[measured] Splunk 10.4 and Cloud 10.5: 405, and code 404 in the body."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.client.request(method, path)

    assert (answer.status_code, answer.json()) == (405, NOWHERE)


@pytest.mark.parametrize("path", [HEALTH, f"{HEALTH}/1.0"])
async def test_health_needs_no_token(path: str) -> None:
    """[measured] Splunk 8.2, 10.4 and Cloud: a green health check says nothing about the token."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        without = await calls.client.get(path)
        wrong = await calls.client.get(path, headers={"Authorization": "Splunk nobody"})
        head = await calls.client.head(path)

    assert (without.status_code, without.json()) == (200, {"text": "HEC is healthy", "code": 17})
    assert wrong.json() == without.json()
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (18, "HEC is unhealthy, queues are full"),
        (19, "HEC is unhealthy, ack service unavailable"),
        (20, "HEC is unhealthy, queues are full, ack service unavailable"),
    ],
)
async def test_health_tells_what_is_wrong(code: int, text: str) -> None:
    """[docs] Troubleshoot HTTP Event Collector: 503 with codes 18, 19, 20."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.set_health(code)
        answer = await calls.client.get(HEALTH)

    assert (answer.status_code, answer.json()) == (503, {"text": text, "code": code})


async def test_the_content_type_does_not_matter() -> None:
    """[measured] Splunk 10.4 and Cloud 10.5."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        answer = await calls.post(BODY, headers={"Content-Type": "text/plain"})

    assert answer.json()["code"] == 0


async def test_every_request_is_remembered() -> None:
    """[stand-in] Method, path, headers in lower case, hec_token, sizes, answer."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        await calls.post(b'{"event":"a"}{"event":""}', headers={"X-Mine": "yes"})
        await calls.client.get(HEALTH)

    first, second = splunk.requests
    assert (first.number, first.method, first.path, first.token) == (0, "POST", EVENT, "good")
    assert (first.objects, first.indexed, first.status, first.code) == (2, 1, 400, 13)
    assert (first.invalid_event_number, first.wire_bytes, first.body) == (1, 25, b'{"event":"a"}{"event":""}')
    assert first.headers["x-mine"] == "yes"
    assert (second.number, second.token, second.code) == (1, None, 17)
    assert (first.connection, second.connection, splunk.connections) == (0, 0, 1)


async def test_memory_can_be_kept_small() -> None:
    """[stand-in] ``ids`` keeps hec_token, index and delivery_id; ``count`` nothing but numbers."""
    body = b'{"host":"h","event":"a","fields":{"relay_delivery_id":"d1","n":1}}'
    async with StandInSplunk(TOKENS, remember="ids") as slim, calls_to(slim) as calls:
        await calls.post(body)
    async with StandInSplunk(TOKENS, remember="count") as slimmest, calls_to(slimmest) as calls:
        await calls.post(body)
        assert await slimmest.wait_for(1) == []

    (kept,) = slim.indexed
    assert (kept.token, kept.index, kept.fields) == ("good", "main", {"relay_delivery_id": "d1"})
    assert (kept.host, kept.raw, kept.event) == (None, b"", None)
    assert (slimmest.indexed_count, slimmest.request_count) == (1, 1)
    assert (slimmest.indexed, slimmest.requests) == ([], [])


async def test_waiting_in_vain_says_what_came() -> None:
    """[stand-in] The TimeoutError of ``wait_for`` counts and names what was indexed and asked."""
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        await calls.post(BODY)
        with pytest.raises(TimeoutError, match=r"1 of 2 were indexed[\s\S]*status 200, code 0"):
            await splunk.wait_for(2, timeout_s=0.05)


async def test_someone_can_watch_what_is_indexed() -> None:
    """[stand-in] ``on_indexed`` is called with each hec_event, ``on_request`` with each request."""
    watched: list[object] = []
    async with StandInSplunk(TOKENS) as splunk, calls_to(splunk) as calls:
        splunk.on_indexed = lambda indexed: watched.append(indexed.event)
        splunk.on_request = lambda seen: watched.append(seen.code)
        await calls.post(b'{"event":"a"}{"event":"b"}')

    assert watched == ["a", "b", 0]
