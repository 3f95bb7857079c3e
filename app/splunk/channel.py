"""A channel of HEC and the cookies that lead back to the indexer behind it.

Ack ids live in the memory of one indexer (Splunk docs, "About HTTP Event Collector Indexer Acknowledgment"). Behind a
balancer the way back is a cookie; another cookie is another indexer, where the same numbers mean other batches.
"""

import time
from http.cookiejar import CookieJar
from uuid import uuid4

IDLE_S = 300.0
"""Splunk forgets a channel after 600 s without use (``maxIdleTime``, limits.conf.spec): begin a new one before."""

Held = list[tuple[str, str, str, str | None]]
"""The cookies at one moment: domain, path, name, value."""


class Channel:
    """One GUID and one cookie jar."""

    __slots__ = ("answered", "guid", "jar", "used_at")

    def __init__(self, jar: CookieJar | None = None, *, answered: bool = False) -> None:
        self.guid = str(uuid4())
        self.jar = CookieJar() if jar is None else jar
        self.answered = answered
        """Somebody answered, so that the cookies say who."""
        self.used_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Unused for so long that Splunk may soon forget it."""
        return time.monotonic() - self.used_at >= IDLE_S

    def held(self) -> Held:
        """The cookies as they are now."""
        return sorted(((each.domain, each.path, each.name, each.value) for each in self.jar), key=str)

    def moved(self, before: Held) -> bool:
        """After the cookies of an answer were kept: whether they lead to somebody else than ``before``."""
        first, self.answered = not self.answered, True
        return not first and self.held() != before

    def renewed(self) -> "Channel":
        """Another channel, to where the cookies lead now."""
        return Channel(self.jar, answered=self.answered)
