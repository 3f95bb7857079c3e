"""The connections to one address of a destination: one pool at a time, made anew at its age."""

import ssl
import time
from contextlib import suppress

import httpx

from app.splunk.limits import WireLimits
from app.splunk.tls import TlsContexts, UnusableFileError
from app.tenants.model import Destination, Proxy, Tls

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain addresses: httpx would load the authorities of the world for nothing."""


class Pool:
    """A pool of connections, and how many exchanges use it."""

    __slots__ = ("born", "transport", "users")

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.born = time.monotonic()
        self.users = 0


class Connections:
    """Hands out the pool to use now; an old one is closed once nobody uses it.

    The destination's own proxy is used, and none that the environment names.
    """

    def __init__(self, destination: Destination, limits: WireLimits, contexts: TlsContexts) -> None:
        self._is_tls = destination.url.startswith("https:")
        self._tls = destination.tls
        self._proxy = destination.proxy
        self._limits = limits
        self._contexts = contexts
        # One more for probes, and one for ack polls, so that neither waits for posts.
        self._size = limits.connections_max + 1 + (destination.ack is not None)
        self._pool: Pool | None = None
        self._old: set[Pool] = set()

    async def acquire(self) -> Pool:
        """The pool for one exchange; to be followed by ``release``.

        Raises:
            UnusableFileError: a file of ``tls`` holds nothing that can be used.
        """
        pool = self._pool
        if pool is None or self._is_aged(pool):
            context = await self._contexts.get(self._tls) if self._is_tls else _NO_TLS
            proxy = None if self._proxy is None else await self._by_way_of(self._proxy)
            pool = self._pool  # perhaps another exchange has made one meanwhile
            if pool is None or self._is_aged(pool):
                if pool is not None:
                    self._old.add(pool)
                pool = self._pool = Pool(self._make(context, proxy))
        pool.users += 1
        return pool

    async def release(self, pool: Pool) -> None:
        """The exchange is over."""
        pool.users -= 1
        for old in [each for each in self._old if each.users == 0]:
            await old.transport.aclose()
            self._old.discard(old)  # after it: whoever is cut off here leaves it to the next

    async def close(self) -> None:
        """Close every connection; exchanges under way break. May be called again, such as when it was cut off."""
        if self._pool is not None:
            self._old.add(self._pool)
            self._pool = None
        while self._old:
            pool = next(iter(self._old))
            # A connection that breaks while it is closed is as good as closed.
            with suppress(httpx.HTTPError, OSError):
                await pool.transport.aclose()
            self._old.discard(pool)

    def _is_aged(self, pool: Pool) -> bool:
        return time.monotonic() - pool.born >= self._limits.connection_age_max_s

    async def _by_way_of(self, proxy: Proxy) -> httpx.Proxy:
        context, credentials = None, None
        if proxy.url.startswith("https:"):
            try:
                context = await self._contexts.get(Tls(ca_file=proxy.ca_file))
            except UnusableFileError as fault:
                raise UnusableFileError("the proxy's CA file", fault.why) from None
        if proxy.credentials is not None:
            user, _, password = proxy.credentials.value.decode().partition(":")
            credentials = user, password
        return httpx.Proxy(proxy.url, ssl_context=context, auth=credentials)

    def _make(self, context: ssl.SSLContext, proxy: httpx.Proxy | None) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=context,
            proxy=proxy,
            trust_env=False,
            limits=httpx.Limits(max_connections=self._size, keepalive_expiry=self._limits.keepalive_s),
        )
