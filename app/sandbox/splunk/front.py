"""Which indexer behind the balancer gets a request: round robin, or where a cookie says."""

from http.cookies import CookieError, SimpleCookie

from app.sandbox.splunk.acks import AckMemory


class Front:
    """Indexers 0 to N-1. With ``sticky_cookie`` a cookie of that name binds a client to one of them.

    Like a balancer's, the cookie is set where a request brings none that still holds: at first, and once its
    indexer was restarted.
    """

    def __init__(self, indexers: int, sticky_cookie: str | None) -> None:
        if indexers < 1:
            raise ValueError("a Splunk has at least one indexer")
        self.acks = [AckMemory() for _ in range(indexers)]
        self._sticky_cookie = sticky_cookie
        self._lives = [0] * indexers
        self._next = 0

    def indexer_for(self, cookies: str) -> tuple[int, str | None]:
        """The indexer, and the ``Set-Cookie`` to answer with, if any."""
        bound = self._bound(cookies)
        if bound is not None:
            return bound, None
        indexer = self._next
        self._next = (indexer + 1) % len(self.acks)
        if self._sticky_cookie is None:
            return indexer, None
        return indexer, f"{self._sticky_cookie}={self._mark(indexer)}; Path=/"

    def restart(self, indexer: int) -> None:
        """Its ack ids are forgotten, and cookies that name it no longer hold."""
        self.acks[indexer] = AckMemory()
        self._lives[indexer] += 1

    def _bound(self, cookies: str) -> int | None:
        if self._sticky_cookie is None or not cookies:
            return None
        try:
            morsel = SimpleCookie(cookies).get(self._sticky_cookie)
        except CookieError:
            return None
        marks = [self._mark(indexer) for indexer in range(len(self.acks))]
        return marks.index(morsel.value) if morsel is not None and morsel.value in marks else None

    def _mark(self, indexer: int) -> str:
        return f"indexer{indexer}.{self._lives[indexer]}"
