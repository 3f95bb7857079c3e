"""``relay serve``: the service, from its first signal handler to its exit status."""

import asyncio
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import get_args

import click
import structlog
import uvloop

from app import logs
from app.cli.listening import Listener
from app.errors import ConfigError
from app.main import Role, create_app
from app.settings import Settings, load_settings

_log = structlog.get_logger()

EXIT_FAILED = 1
"""It could not start, or a part died that it cannot work without."""
EXIT_TERMINATED = 128 + signal.SIGTERM


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
    way get RELAY_DRAIN_DEADLINE_S; the rest stays in the spool; exit status 143. Ctrl-C does the same without
    the delay. A second signal skips what waiting is left.
    """
    try:
        settings = load_settings(os.environ)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    writer = logs.configure(settings.log_format, settings.log_level)
    _raise_open_files()
    try:
        status = uvloop.run(Service(settings, role).run())
    finally:
        writer.close()
    sys.exit(status)


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
        loop.add_signal_handler(signal.SIGTERM, self._stop, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGINT, self._stop, signal.SIGINT)
        try:
            await server.serve()
        except SystemExit:  # what uvicorn makes of a start that failed
            why = self._relay.fault or f"it cannot listen on {settings.host} port {settings.port}"
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
        delay_s = 0.0 if again or number == signal.SIGINT else self._settings.drain_delay_s
        asyncio.get_running_loop().call_later(delay_s, self._exit)

    def _exit(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    def _fatal(self, words: str) -> None:
        """A part has died: rather no process, which everybody sees, than one that answers and does not deliver."""
        _log.critical("relay.failed", words=words)
        self._status = EXIT_FAILED
        if self._relay.health is not None:
            self._relay.health.draining = True
        self._exit()


def _raise_open_files() -> None:
    """Every destination in use has connections of its own: take all the open files that the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
