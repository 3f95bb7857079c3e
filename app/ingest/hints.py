"""Looks for what would help whoever reads that a signature was refused: small bodies only, seldom, off the loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from app.asgi import Header
from app.ingest.refusals import Bucket
from app.model import Secret
from app.sentry.signature import Headers
from app.sentry.signature_hints import BODY_BYTES_MAX, explain_body

AT_ONCE_MAX = 5
"""Looks that may come at once, one after the other ..."""
A_SECOND = 0.5
"""... and how many a second after that."""


class Evidence(NamedTuple):
    """What a refused signature was tried on."""

    body: bytes
    headers: Headers
    secrets: Sequence[Secret]
    raw: list[Header]


class SignatureHints:
    """One look at a time; who comes meanwhile, or too often, or with too much, goes without."""

    def __init__(self) -> None:
        self._bucket = Bucket(AT_ONCE_MAX, A_SECOND)
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="signature-hint")

    def admits(self, evidence: Evidence) -> bool:
        """Whether this is to be looked at; ``hint`` has to be called then."""
        if self._busy or len(evidence.body) > BODY_BYTES_MAX:
            return False
        self._busy = self._bucket.take(asyncio.get_running_loop().time())
        return self._busy

    async def hint(self, evidence: Evidence) -> str:
        """One sentence for the log."""
        body, headers, secrets, raw = evidence
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: explain_body(body, headers, secrets, raw=dict(raw)))
        finally:
            self._busy = False

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)
