"""``relay serve``: the service, from its first signal handler to its exit status."""

import asyncio
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import get_args

import click
import structlog
import uvloop

from app import logs
from app.cli.server import Listener
from app.errors import ConfigError
from app.main import Role, create_app
from app.settings import Settings, load_settings

_log = structlog.get_logger()

EXIT_FAILED = 1
"""It could not start, or a part died that it cannot work without."""
EXIT_TERMINATED = 128 + signal.SIGTERM
LOOKUP_THREADS = "64"
"""Of libuv, which gives half of them to looking up names. Of its usual four, two names whose server does not answer
take all there is, and no destination is found any more.
"""
LAST_WAIT_S = 3.0
"""Such a lookup cannot be called off. Once everything is done the process does not stay for it."""


@click.command("serve")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    default="all",
    show_default=True,
    help="What this replica does; other than all needs a spool on PostgreSQL.",
)
def serve_command(*, role: Role) -> None:
    """Run the service until it is told to stop.

    SIGTERM: readiness goes off, hooks are still accepted for RELAY_DRAIN_DELAY_S, then no more; deliveries under
    way get RELAY_DRAIN_DEADLINE_S; the rest stays in the spool; exit status 143. Ctrl-C, or closing the terminal,
    does the same without the delay. A second signal skips what waiting is left.
    """
    try:
        settings = load_settings(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    writer = logs.configure(settings.log_format, settings.log_level)
    _raise_open_files()
    os.environ.setdefault("UV_THREADPOOL_SIZE", LOOKUP_THREADS)
    try:
        status = uvloop.run(_run(Service(settings, role), writer))
    finally:
        writer.close()
    sys.exit(status)


async def _run(service: "Service", writer: logs.LineWriter) -> int:
    status = await service.run()

    def leave() -> None:
        writer.close()
        os._exit(status)

    last = threading.Timer(LAST_WAIT_S, leave)
    last.daemon = True
    last.start()
    return status


class Service:
    """One run of the relay under uvicorn, with signals of its own."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self._settings = settings
        self._status = EXIT_FAILED
        self._relay = create_app(settings, role=role, on_fatal=self._fatal)
        self._server: Listener | None = None

    async def run(self) -> int:
        """Serve until told to stop; the exit status."""
        settings, loop = self._settings, asyncio.get_running_loop()
        server = Listener(self._relay, host=settings.host, port=settings.port, graceful_s=settings.body_deadline_s)
        self._server = server
        threading.excepthook = partial(self._thread_died, loop)
        loop.add_signal_handler(signal.SIGTERM, self._stop, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGINT, self._stop, signal.SIGINT)
        if sys.stdin is not None and sys.stdin.isatty():
            loop.add_signal_handler(signal.SIGHUP, self._stop, signal.SIGHUP)
        else:  # "Read your files again", by the habit of other services: they are watched, and hooks must not be lost
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            await server.serve()
        except SystemExit as end:  # what uvicorn makes of a start that failed
            why = self._relay.fault or _not_listening(settings, end.__context__)
            _log.critical("relay.failed", words=why)
            sys.stderr.write(f"relay cannot start: {why}\n")
            return EXIT_FAILED
        return self._status

    def _stop(self, number: int) -> None:
        """The first signal begins an orderly end, the next one hurries it."""
        health = self._relay.health
        again = health is not None and health.draining
        self._status = 128 + number
        if health is not None:
            health.draining = True
        _log.info("relay.stopping", signal=signal.Signals(number).name)
        delay_s = 0.0 if again or number != signal.SIGTERM else self._settings.drain_delay_s
        asyncio.get_running_loop().call_later(delay_s, self._exit)

    def _exit(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    def _thread_died(self, loop: asyncio.AbstractEventLoop, end: threading.ExceptHookArgs) -> None:
        """The net under every thread: one that ends unseen would leave those waiting who wait for it."""
        name = end.thread.name if end.thread is not None else "without a name"
        words = f"thread {name} died: {end.exc_type.__name__}: {end.exc_value}"
        _log.error("worker.died", worker=name, exc_info=end.exc_value)
        sys.stderr.write(f"{words}\n")  # it may have been the one that writes the log
        with suppress(RuntimeError):  # the loop is closed: it ends already
            loop.call_soon_threadsafe(self._fatal, words)

    def _fatal(self, words: str) -> None:
        """A part has died: rather no process, which everybody sees, than one that answers and does not deliver."""
        _log.critical("relay.failed", words=words)
        self._status = EXIT_FAILED
        if self._relay.health is not None:
            self._relay.health.draining = True
        self._exit()


def _not_listening(settings: Settings, fault: BaseException | None) -> str:
    """Why it cannot listen, with the names of the settings that say where."""
    reason = (fault.strerror or str(fault)).rpartition(": ")[2] if isinstance(fault, OSError) else "nobody knows why"
    return f"it cannot listen on RELAY_HOST {settings.host!r}, RELAY_PORT {settings.port}: {reason}"


def _raise_open_files() -> None:
    """Every destination in use has connections of its own: take all the open files that the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
