"""``relay``, and ``python -m app``: each command is imported only when it is the one that runs."""

import os
import signal
import sys
from importlib import import_module
from typing import Any

import click

from app import __version__

_COMMANDS = {
    "serve": "run the service",
    "demo": "everything on this machine: stand-in Splunk, relay, samples of every kind",
    "check": "read settings and tenants, ask every Splunk, say what is wrong",
    "deliveries": "look at deliveries, redeliver or discard dead letters",
    "explain": "what would become of a payload: verification, route, hec_event; nothing is sent",
    "send": "post signed hooks to a running relay, as Sentry would",
    "spool": "migrate the schema on PostgreSQL, copy a spool to another engine",
    "status": "is all right? what is wrong, since when, whose it is, what to do",
    "splunk": "a stand-in Splunk on a port, for trying a sender",
}


class _Commands(click.Group):
    """The commands by name. ``relay check`` shall not wait for what only ``relay serve`` needs."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run, and end as SIGPIPE does where nobody reads on (``relay deliveries list | head``)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the exit
            raise SystemExit(128 + signal.SIGPIPE) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"app.cli.{cmd_name}"), f"{cmd_name}_command")
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """Relay Sentry's webhooks to Splunk's HTTP Event Collector, without losing one."""


if __name__ == "__main__":
    main(prog_name="relay")
