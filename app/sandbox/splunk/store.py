"""What the stand-in remembers: every request, and everything that was indexed."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.sandbox.splunk.envelope import Envelope
from app.sandbox.splunk.model import Indexed, Remember, RequestSeen

_NOTHING: Mapping[str, object] = MappingProxyType({})
_DELIVERY_ID = "relay_delivery_id"
_SHOWN = 20


class Store:
    """Lists that only grow, their true lengths, and those who wait for them to grow."""

    def __init__(self, remember: Remember) -> None:
        self.remember = remember
        self.indexed: list[Indexed] = []
        self.requests: list[RequestSeen] = []
        self.indexed_count = 0
        self.request_count = 0
        self.on_indexed: Callable[[Indexed], None] | None = None
        self.on_request: Callable[[RequestSeen], None] | None = None
        self._grown = asyncio.Event()

    def index(self, envelope: Envelope, index: str, seen: RequestSeen) -> None:
        """Put one hec_event into its index."""
        self.indexed_count += 1
        if self.remember == "count" and self.on_indexed is None:
            return
        record = self._record(envelope, index, seen)
        if self.remember != "count":
            self.indexed.append(record)
        if self.on_indexed is not None:
            self.on_indexed(record)

    def add(self, seen: RequestSeen) -> None:
        """Keep a request, whose hec_events are indexed by now."""
        self.request_count += 1
        if self.remember != "count":
            self.requests.append(seen)
        self._grown.set()
        self._grown = asyncio.Event()
        if self.on_request is not None:
            self.on_request(seen)

    async def wait_for(self, count: int, timeout_s: float) -> list[Indexed]:
        """Until ``count`` are indexed.

        Raises:
            TimeoutError: they were not in time; it says what came.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self.indexed_count < count:
                    await self._grown.wait()
        except TimeoutError:
            raise TimeoutError(self._what_came(count, timeout_s)) from None
        return list(self.indexed)

    def _record(self, envelope: Envelope, index: str, seen: RequestSeen) -> Indexed:
        full = self.remember != "ids"
        fields = envelope.fields
        if not full:
            fields = {_DELIVERY_ID: fields[_DELIVERY_ID]} if _DELIVERY_ID in fields else _NOTHING
        return Indexed(
            token=seen.token or "",
            index=index,
            time=envelope.time if full else None,
            host=envelope.host if full else None,
            source=envelope.source if full else None,
            sourcetype=envelope.sourcetype if full else None,
            fields=fields,
            request=seen.number,
            raw=envelope.raw if full else b"",
            indexer=seen.indexer,
            endpoint="raw" if "/raw" in seen.path else "event",
        )

    def _what_came(self, count: int, timeout_s: float) -> str:
        lines = [f"{self.indexed_count} of {count} were indexed within {timeout_s} s"]
        lines += [f"  indexed {each.index} {each.sourcetype} {dict(each.fields)}" for each in self.indexed[-_SHOWN:]]
        lines += [
            f"  request {each.number} {each.method} {each.path}: {each.objects} objects, status {each.status}, "
            f"code {each.code}"
            for each in self.requests[-_SHOWN:]
        ]
        return "\n".join(lines)
