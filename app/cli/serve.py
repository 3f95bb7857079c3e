"""``relay serve``: the service, from its first signal handler to its exit status."""

import asyncio
import faulthandler
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import get_args

import click
import structlog
import uvloop

from app import logs
from app.addresses import host_and_port
from app.errors import CannotListen, ConfigError
from app.main import Relay, Role, create_app, server_limits_of
from app.server.admission import SPARE_PLACES
from app.server.limits import ServerLimits
from app.server.listener import Door, Listener
from app.settings import Settings, load_settings

_log = structlog.get_logger()

EXIT_FAILED = 1
"""It could not start, or a part died that it cannot work without."""
LOOKUP_THREADS = "64"
"""Of libuv, which gives half of them to looking up names. Of its usual four, two names whose server does not answer
take all there is, and no destination is found any more.
"""
LAST_WAIT_S = 3.0
"""Such a lookup cannot be called off. Once everything is done the process does not stay for it."""
CLOSING_S = 1.0
"""What closing the port may take, beside the two times that settings give to an end."""
OVERDUE_S = 2.5
"""So long after those two times an end that is not over is broken off; the log gets two seconds of what is left ..."""
NO_LONGER_S = 5.0
"""... and whatever hangs, even the interpreter, the process is gone."""
ADMIN_PLACES = 64
"""Connections of the admin API, where it has an address of its own."""


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
    does the same without the delay. A second signal skips what waiting is left. Whatever hangs, the process is gone
    5 s after these two times.
    """
    try:
        settings = load_settings(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    writer = logs.configure(settings.log_format, settings.log_level)
    limits = _affordable(server_limits_of(settings), open_files=_raise_open_files())
    os.environ.setdefault("UV_THREADPOOL_SIZE", LOOKUP_THREADS)
    try:
        status = uvloop.run(_run(Service(settings, role, limits=limits, writer=writer), writer))
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
    """One run of the relay under uvicorn, with signals of its own.

    What SIGTERM does, in this order:

     1. ``_stop``: readiness goes off; every answer closes its connection from now on (``Listener.drain``); hooks are
        accepted for RELAY_DRAIN_DELAY_S more. From here ``_Deadline`` counts.
     2. ``_exit``: uvicorn leaves its loop and calls ``Listener.shutdown``: who connects from now on is refused,
        whose handshake has begun still gets in, idle connections are kept a second for what is on its way, requests
        under way get ``requests_end_s``.
     3. The lifespan ends, and ``Relay._parts`` backwards: the watch over the tenants file, then the deliveries under
        way (what is left of RELAY_DRAIN_DEADLINE_S, ``Supervisor.drain``), the admin socket, the spool.
     4. ``run`` returns the exit status; threads that still wait for a name server are left behind.

    Whatever of that hangs, the process is gone NO_LONGER_S after the two settings' times.
    """

    def __init__(self, settings: Settings, role: Role, *, limits: ServerLimits, writer: logs.LineWriter) -> None:
        self._settings = settings
        self._limits = limits
        self._status = EXIT_FAILED
        self._relay = create_app(settings, role=role, on_fatal=self._fatal)
        self._server: Listener | None = None
        self._deadline = _Deadline(writer)

    async def run(self) -> int:
        """Serve until told to stop; the exit status."""
        loop = asyncio.get_running_loop()
        server = Listener(*doors_of(self._settings, self._relay, self._limits), refused=self._relay.refused)
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
        except CannotListen as fault:
            return _not_started(f"it cannot listen on {fault.setting}: {fault}")
        except SystemExit:  # what uvicorn makes of a start that failed
            return _not_started(self._relay.fault or "nobody knows why")
        return self._status

    def _stop(self, number: int) -> None:
        """The first signal begins an orderly end, the next one hurries it."""
        health, settings = self._relay.health, self._settings
        again = health is not None and health.draining
        self._status = 128 + number
        _log.info("relay.stopping", signal=signal.Signals(number).name)
        delay_s = 0.0 if again or number != signal.SIGTERM else settings.drain_delay_s
        self._begin_end(delay_s)
        if delay_s and self._server is not None:
            self._server.drain()
        asyncio.get_running_loop().call_later(delay_s, self._exit)

    def _begin_end(self, delay_s: float) -> None:
        if self._relay.health is not None:
            self._relay.health.draining = True
        whole_s = delay_s + self._settings.drain_deadline_s
        self._relay.end_at = asyncio.get_running_loop().time() + whole_s + CLOSING_S
        self._deadline.begin(whole_s, self._status)

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
        self._begin_end(0.0)
        self._exit()


class _Deadline:
    """The end of an end: whatever hangs, the process goes."""

    def __init__(self, writer: logs.LineWriter) -> None:
        self._writer = writer
        self._timer: threading.Timer | None = None

    def begin(self, whole_s: float, status: int) -> None:
        """The end has begun and may take ``whole_s``; a later call replaces an earlier one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(whole_s + OVERDUE_S, self._break_off, [status])
        self._timer.daemon = True
        self._timer.start()
        # A thread of the C library's: it needs no interpreter, and says where every thread stands.
        faulthandler.dump_traceback_later(whole_s + NO_LONGER_S, exit=True)

    def _break_off(self, status: int) -> None:
        _log.critical("relay.overdue", words="the end took too long and is broken off; what was accepted is kept")
        self._writer.close()
        os._exit(status)


def doors_of(settings: Settings, relay: Relay, limits: ServerLimits) -> list[Door]:
    """Where the relay listens."""
    where = f"RELAY_HOST {settings.host!r}, RELAY_PORT {settings.port}"
    doors = [Door(application=relay, host=settings.host, port=settings.port, limits=limits, setting=where)]
    if settings.admin_address:
        host, port = host_and_port(settings.admin_address)
        where = f"RELAY_ADMIN_ADDRESS {settings.admin_address!r}"
        own = replace(limits, connections_max=ADMIN_PLACES)
        doors.append(Door(application=relay.admin_only, host=host, port=port, limits=own, setting=where))
    return doors


def _not_started(why: str) -> int:
    _log.critical("relay.failed", words=why)
    sys.stderr.write(f"relay cannot start: {why}\n")
    return EXIT_FAILED


def _affordable(limits: ServerLimits, *, open_files: int) -> ServerLimits:
    """A quarter of all open files, and some, are for the spool and for Splunk: senders cannot have them."""
    most = max(1, open_files - open_files // 4 - SPARE_PLACES - ADMIN_PLACES)
    if limits.connections_max <= most:
        return limits
    _log.warning("connections.limited", connections_max=most, open_files=open_files)
    return replace(limits, connections_max=most)


def _raise_open_files() -> int:
    """Every destination in use has connections of its own: take all the open files that the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
