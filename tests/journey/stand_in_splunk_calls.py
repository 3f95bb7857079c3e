"""How the tests of the stand-in Splunk speak to it: plain HTTP, nothing of the relay's own client."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from app.sandbox.splunk import StandInSplunk

GOOD = "good"
EVENT = "/services/collector/event"
RAW = "/services/collector/raw"
ACK = "/services/collector/ack"
HEALTH = "/services/collector/health"
CHANNEL = "0b9d3c39-1f34-4b6a-8a1c-5d8ee4d3c0f1"
OTHER_CHANNEL = "7c1f2a9e-54a3-4d0f-9a7c-2f1f2b7f6a55"
NOWHERE = {"text": "The requested URL was not found on this server.", "code": 404}


class Calls:
    """Requests to one stand-in, with the hec_token ``good`` unless told otherwise."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(
        self,
        body: bytes,
        *,
        token: str = GOOD,
        path: str = EVENT,
        headers: Mapping[str, str] | None = None,
        channel: str | None = None,
    ) -> httpx.Response:
        """One POST."""
        sent = {"Authorization": f"Splunk {token}", **(headers or {})}
        if channel is not None:
            sent["X-Splunk-Request-Channel"] = channel
        return await self.client.post(path, content=body, headers=sent)

    async def poll(self, *ids: int, token: str = GOOD, channel: str = CHANNEL) -> object:
        """What an ack poll says of these ids, in their order."""
        asked = b'{"acks":[%s]}' % b",".join(b"%d" % each for each in ids)
        answer = await self.post(asked, path=ACK, token=token, channel=channel)
        told = answer.json()["acks"]
        return [told[str(each)] for each in ids]


@asynccontextmanager
async def calls_to(splunk: StandInSplunk) -> AsyncIterator[Calls]:
    """Calls to a started stand-in."""
    # Over plain HTTP no certificates are needed, and loading them takes longer than most of these tests.
    no_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx.AsyncClient(base_url=splunk.url, verify=no_certificates, timeout=60) as client:
        yield Calls(client)
