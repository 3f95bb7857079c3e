"""The admin API on a Unix socket beside the spool, for operators on the same host: no token, the same user or root.

Who may connect is the file's mode (0600), so that there is nothing to set up and nothing to hand out.
"""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import structlog
import uvicorn

from app.asgi import Application

KEEP_ALIVE_S = 5
"""Seconds that an idle connection of an operator's command is kept."""

_log = structlog.get_logger()


class _Server(uvicorn.Server):
    """uvicorn on a socket that is open already. Signals are somebody else's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def local_socket(path: Path, application: Application) -> AsyncIterator[None]:
    """Serve ``application`` on a Unix socket at ``path`` while the block runs.

    A relay that cannot have the socket runs all the same, and says so: hooks matter more than looking at them.
    """
    try:
        listener = bind(path)
    except OSError as fault:
        _log.warning("admin.unreachable", socket=str(path), fault=fault.strerror or str(fault))
        yield
        return
    config = uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="admin-socket")
    try:
        yield
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
        listener.close()
        _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def bind(path: Path) -> socket.socket:
    """A listening socket at ``path``, mode 0600 from its first moment.

    A socket that is there is taken for one that a relay left behind: the caller owns the spool beside it. Anything
    else that is there stays.

    Raises:
        OSError: it cannot be made, or something that is no socket has the name.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(17, "something that is no socket has this name", str(path))
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(listener.fileno(), 0o600)  # Linux gives the file the mode of the socket that is bound to it
        with _short(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """A connection to the relay whose socket is at ``path``.

    Raises:
        OSError: no relay listens there, or this user may not ask it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _short(path) as name:
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for ``path`` that fits into the 108 bytes that Unix sockets have for one (unix(7))."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
