"""Where ``relay deliveries`` asks: a running relay's admin API, or straight a spool that no relay has to itself.

The standard library's HTTP client: one request after another, and httpx stays with those who post to Splunk.
"""

import asyncio
import http.client
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import click
import orjson

from app.admin.local import connect
from app.admin.serialization import Json
from app.admin.service import Action, DeliveryService, Desk, Pairs, spool_refused
from app.errors import AdminRefusal, ConfigError, SpoolError, admin_code
from app.secrets.references import References
from app.settings import ACTOR, Settings, load_settings
from app.spool.engines import admin_socket_of, is_shared, open_spool, path_of

_OF_EVERY_INTERFACE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, never bound
_PATIENCE_S: Final = 60.0
_ANSWER_BYTES_MAX: Final = 64 * 1024**2
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the command line says about where to ask; the rest is in the settings."""

    url: str | None
    spool: str | None
    token: str | None
    """A reference, ``env:NAME`` or ``file:PATH``."""


@asynccontextmanager
async def open_desk(where: Access, environ: Mapping[str, str]) -> AsyncIterator[Desk]:
    """The desk that is meant: ``--url``, ``--spool``, or what the settings name.

    Of the settings it is the relay that listens on the Unix socket beside the spool, else the one that the admin token
    opens, else the spool itself. A spool that is named by ``--spool`` may have such a relay too.

    Raises:
        ConfigError: settings, token or URL will not do.
        SpoolError: the spool cannot be opened; the words say what to do.
    """
    if where.url is not None and where.spool is not None:
        raise ConfigError("either --url or --spool")
    if where.spool is not None:
        url = _named(where.spool, environ)
        if (running := _running(admin_socket_of("", url))) is not None:
            yield running
            return
        async with _spool_desk(url, Settings()) as desk:
            yield desk
        return
    settings = None if where.url and where.token else load_settings(environ)
    if settings is not None and where.url is None and where.token is None:
        running = _running(admin_socket_of(settings.admin_socket, settings.spool_url.get_secret_value()))
        if running is not None:
            yield running
            return
    reference = where.token or (settings.admin_token if settings else "")
    if where.url is None and not reference and settings is not None:
        async with _spool_desk(settings.spool_url.get_secret_value(), settings) as desk:
            yield desk
        return
    if not reference:
        raise ConfigError("--url needs the relay's admin token: RELAY_ADMIN_TOKEN as it has it, or --token REF")
    url = where.url or _own_url(settings or Settings())
    yield RemoteDesk.at(url, _token(reference, environ))


def _running(path: Path | None) -> "RemoteDesk | None":
    """The relay that listens on the socket at ``path``, if one does and this user may ask it."""
    if path is None:
        return None
    try:
        connect(path, timeout_s=_PATIENCE_S).close()
    except PermissionError:
        raise ConfigError(f"{path} belongs to the relay's user: ask as that user or as root, or with --url") from None
    except OSError:
        return None
    return RemoteDesk(lambda: _LocalConnection(path), f"on {path}")


class _LocalConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket of a relay on this host."""

    def __init__(self, path: Path) -> None:
        super().__init__("relay", timeout=_PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = connect(self._path, timeout_s=_PATIENCE_S)


class RemoteDesk:
    """A ``Desk`` that asks a relay's admin API.

    ``connection`` gives a new connection, ``shown`` says in words where it leads, and ``prefix`` is what a proxy has in
    front of ``/admin``. There is no ``token`` where the way itself shows who asks.
    """

    def __init__(
        self,
        connection: Callable[[], http.client.HTTPConnection],
        shown: str,
        *,
        prefix: str = "",
        token: bytes | None = None,
    ) -> None:
        self._connection = connection
        self._shown = shown
        self._prefix = prefix
        self._token = token

    @classmethod
    def at(cls, url: str, token: bytes) -> "RemoteDesk":
        """The relay at a URL.

        Raises:
            ConfigError: it is no URL of a relay.
        """
        try:
            parts = urlsplit(url)
            fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if not fits:
            raise ConfigError("--url has to be http://HOST:PORT or https://HOST, as the relay is reached from here")
        shown = f"at {parts.hostname} port {parts.port}" if parts.port else f"at {parts.hostname}"
        return cls(lambda: _connection(parts), shown, prefix=parts.path.rstrip("/"), token=token)

    async def deliveries(self, pairs: Pairs) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", f"deliveries?{urlencode(list(pairs))}")

    async def delivery(self, delivery_id: str) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", f"deliveries/{quote(delivery_id, safe='')}")

    async def change(self, action: Action, body: object, *, actor: str) -> Json:
        """See ``Desk``."""
        return await self._ask("POST", f"deliveries/{action}", orjson.dumps(body), actor)

    async def audit(self, pairs: Pairs) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", f"audit?{urlencode(list(pairs))}")

    async def stats(self) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", "stats")

    async def destinations(self, search: str) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", f"destinations?{urlencode({'search': search})}")

    async def tenants(self, search: str) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", f"tenants?{urlencode({'search': search})}")

    async def refused(self) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", "refused")

    async def mark_seen(self, *, actor: str) -> Json:
        """See ``Desk``."""
        return await self._ask("POST", "refused/seen", b"{}", actor)

    async def status(self) -> Json:
        """See ``Desk``."""
        return await self._ask("GET", "status")

    async def _ask(self, method: str, path: str, body: bytes | None = None, actor: str = "") -> Json:
        try:
            status, raw = await asyncio.to_thread(self._exchange, method, path, body, actor)
        except (OSError, http.client.HTTPException) as fault:
            words = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
            doubt = "; while no relay runs, --spool asks the spool itself"
            if body is not None and not isinstance(fault, ConnectionRefusedError):
                doubt = "; if it was changed all the same, relay deliveries audit shows it"
            raise AdminRefusal("spool_unavailable", f"no answer from the relay {self._shown}: {words}{doubt}") from None
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise AdminRefusal("failed", f"HTTP {status}, and no JSON: is this the address of a relay?")
        if status != _OK:
            raise _refused(status, answer)
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, actor: str) -> tuple[int, bytes]:
        connection = self._connection()
        headers: dict[str, str | bytes] = {"Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = b"Bearer " + self._token
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-Relay-Actor": actor.encode("utf-8", "replace")}
        try:
            connection.request(method, f"{self._prefix}/admin/api/{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_ANSWER_BYTES_MAX)
        finally:
            connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, url.port, timeout=_PATIENCE_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, url.port, timeout=_PATIENCE_S)


def _refused(status: int, answer: Json) -> AdminRefusal:
    """What a relay refused, as if it had been refused here."""
    code, words = str(answer.get("error")), str(answer.get("words") or f"HTTP {status}, {answer.get('error')}")
    if code == "not_found" and "words" not in answer:
        words = "this relay has no admin API: start it with RELAY_ADMIN_TOKEN"
    return AdminRefusal(admin_code(code), words)


@asynccontextmanager
async def _spool_desk(url: str, settings: Settings) -> AsyncIterator[Desk]:
    if not is_shared(url) and url.startswith("sqlite:///") and not path_of(url).exists():
        raise SpoolError(f"there is no spool {path_of(url)}")
    try:
        opened = await open_spool(
            url,
            hooks_max=settings.spool_hooks_max,
            bytes_max=settings.spool_bytes_max,
            queue_hooks_max=settings.accept_queue_hooks_max,
            history=settings.history_age_max_s > 0 and settings.history_max > 0,
            unsynced_ok=True,  # nothing is accepted through it
        )
    except SpoolError as error:
        if "open in another process" not in str(error):
            raise
        raise SpoolError(
            f"{error}, and no relay answers on the socket beside it (RELAY_ADMIN_SOCKET): use --url, which needs the "
            "relay's RELAY_ADMIN_TOKEN"
        ) from None
    async with opened as spool:
        try:
            yield DeliveryService(spool, clock=time.time)
        except (SpoolError, OSError) as fault:
            raise spool_refused(fault) from None


def _named(spool: str, environ: Mapping[str, str]) -> str:
    """A spool's URL, or the one in the variable that ``@NAME`` names."""
    if not spool.startswith("@"):
        return spool
    url = environ.get(spool[1:])
    if not url:
        raise ConfigError(f"the environment has no {spool[1:]}")
    return url


def _own_url(settings: Settings) -> str:
    host = _OF_EVERY_INTERFACE.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _token(reference: str, environ: Mapping[str, str]) -> bytes:
    if not reference.startswith(("env:", "file:")):
        raise ConfigError("--token is given as env:NAME or file:PATH, never as itself")
    try:
        value = References(environ, Path()).resolve(reference)
    except ConfigError as error:
        raise ConfigError(f"the admin token {reference}: {error}") from None
    if not value or not value.isascii() or not value.decode().isprintable():
        raise ConfigError(f"the admin token {reference}: it is empty, or not printable ASCII")
    return value


def login() -> str:
    """Who sits at this terminal, for the audit: ``RELAY_ACTOR``, else the login, else whoever answers when asked."""
    for name in (ACTOR, "SUDO_USER", "LOGNAME", "USER"):
        if found := os.environ.get(name):
            return found
    if sys.stdin.isatty():  # in a container nobody has a name
        return str(click.prompt("Your name, for the audit", err=True))
    return f"uid {os.getuid()}"
