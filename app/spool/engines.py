"""Which engine a URL names, and opening it. Where the rest of the relay stops knowing engines."""

from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from app.errors import SpoolError
from app.spool.interface import Spool
from app.spool.postgres.url import SCHEMES, read_url
from app.spool.shares import WIDE, Held

SQLITE: Final = "sqlite:///"
NO_SOCKET: Final = "off"
"""What ``RELAY_ADMIN_SOCKET`` says where no socket is wanted."""
IN_FLIGHT_MAX: Final = 2_000
"""Deliveries of one stream under lease at once, over all replicas."""


class OpenSpool(Spool, Protocol):
    """A spool that closes at the end of its ``async with``."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def is_shared(url: str) -> bool:
    """Whether several processes may have it open: PostgreSQL. A SQLite file has one owner."""
    return url.partition(":")[0] in SCHEMES


def check_url(url: str) -> None:
    """Refuse a URL that no engine answers to.

    Raises:
        ValueError: it is wrong; the text begins with a verb and holds no part of the URL, which may hold a password.
    """
    if is_shared(url):
        read_url(url)
        return
    path = url.removeprefix(SQLITE)
    if path == url or not path or path.startswith(":memory:") or "?" in path or "#" in path:
        raise ValueError(
            "must be sqlite:///PATH (three slashes and a relative path, four and an absolute one) "
            "or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )


def path_of(url: str) -> Path:
    """The file that a SQLite URL names."""
    return Path(url.removeprefix(SQLITE))


def admin_socket_of(setting: str, url: str) -> Path | None:
    """Where the admin API's Unix socket is: what ``RELAY_ADMIN_SOCKET`` says, else beside a SQLite spool."""
    if setting:
        return None if setting == NO_SOCKET else Path(setting)
    if is_shared(url):
        return None
    path = path_of(url)
    return path.with_name(f"{path.name}.sock")


async def open_spool(
    url: str,
    *,
    hooks_max: int,
    bytes_max: int,
    queue_hooks_max: int,
    parked: Held = WIDE,
    history: bool = True,
    unsynced_ok: bool = False,
) -> OpenSpool:
    """The spool at ``url``, open; made if there is none. ``async with`` it. The limits are the engines'.

    An engine is imported when a URL names it: who has no PostgreSQL pays nothing for its driver.

    Raises:
        SpoolError: the URL is wrong, or the engine cannot open it.
    """
    try:
        check_url(url)
    except ValueError as error:
        raise SpoolError(f"the spool's URL {error}") from None
    if is_shared(url):
        from app.spool.postgres.spool import PostgresSpool  # noqa: PLC0415 - see above

        return await PostgresSpool.open(
            url,
            hooks_max=hooks_max,
            bytes_max=bytes_max,
            queue_hooks_max=queue_hooks_max,
            parked=parked,
            in_flight_max=IN_FLIGHT_MAX,
            history=history,
            unsynced_ok=unsynced_ok,
        )
    from app.spool.sqlite.spool import SqliteSpool  # noqa: PLC0415 - see above

    return await SqliteSpool.open(
        path_of(url),
        hooks_max=hooks_max,
        bytes_max=bytes_max,
        queue_hooks_max=queue_hooks_max,
        parked=parked,
        history=history,
    )
