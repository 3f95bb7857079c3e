"""``relay check``: is everything set up so that hooks would reach their Splunk?"""

import asyncio
import difflib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import click
import orjson

from app.admin.token import AdminToken
from app.cli.check.findings import Finding, State
from app.cli.check.probe import Prober
from app.errors import ConfigError
from app.secrets.last_good import values_of
from app.settings import PREFIX, Settings, load_settings
from app.splunk.client import WireLimits
from app.tenants.model import Destination, Snapshot
from app.tenants.registry import Registry

_AT_ONCE_MAX: Final = 32
"""Destinations asked at the same time."""
_COLOURS: Final[Mapping[State, str]] = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "cyan"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A finding and whose it is; empty where it is everybody's."""

    tenant: str
    destination: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class _Asking:
    """How the Splunks are asked."""

    send: bool
    ack_wait_s: float


@click.command("check")
@click.option("--offline", is_flag=True, help="Stop before the network.")
@click.option("--tenant", metavar="NAME", help="Ask the Splunks of this tenant only.")
@click.option(
    "--send/--no-send",
    default=True,
    show_default=True,
    help="Whether to post a marked test hec_event to each index; without it nothing is indexed.",
)
@click.option(
    "--ack-wait-s",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="How long to wait for the ack of a test hec_event, where the tenants file asks for acks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def check_command(*, offline: bool, tenant: str | None, send: bool, ack_wait_s: float, as_json: bool) -> None:
    """Say whether settings, tenants, secrets and every Splunk are as they should be.

    Reads what `relay serve` would read, then asks each destination: DNS, TCP, TLS, health, and whether the
    hec_token is accepted (by an empty post). Then one test hec_event goes to each index that the destination and
    its routes name (not with --no-send), and the Splunk search that finds it is printed. Exit status: 0 fine or
    warnings only, 1 something is wrong, 2 wrong usage.
    """
    report = _Report(quiet=as_json)
    _look(os.environ, report, None if offline else _Asking(send, ack_wait_s), tenant=tenant)
    report.end()
    raise SystemExit(1 if report.count("failed") else 0)


class _Report:
    """Shows each finding as it comes, or all of them as JSON at the end."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._lines: list[_Line] = []

    def tell(self, finding: Finding, destination: Destination | None = None) -> None:
        """Take a finding about this destination, or about what is everybody's."""
        line = _Line(destination.tenant, destination.name, finding) if destination else _Line("", "", finding)
        self._lines.append(line)
        if not self._quiet:
            _show(line)

    def faults(self, step: str, error: ConfigError, advice: str) -> None:
        """Take each line of the error as a finding; the advice goes with the last."""
        words = str(error).split("\n")
        for each in words[:-1]:
            self.tell(Finding(step, "failed", each))
        self.tell(Finding(step, "failed", words[-1], advice))

    def count(self, state: State) -> int:
        """How many findings are in this state."""
        return sum(line.finding.state == state for line in self._lines)

    def end(self) -> None:
        """Write the summary."""
        failed, warnings = self.count("failed"), self.count("warning")
        if not self._quiet:
            click.echo(f"{_counted(failed, 'fault')}, {_counted(warnings, 'warning')}")
            return
        steps = [
            {"tenant": each.tenant, "destination": each.destination, **asdict(each.finding)} for each in self._lines
        ]
        whole = {"fine": not failed, "failed": failed, "warnings": warnings, "steps": steps}
        click.echo(orjson.dumps(whole, option=orjson.OPT_INDENT_2))


def _look(environ: Mapping[str, str], report: _Report, asking: _Asking | None, *, tenant: str | None) -> None:
    """Settings, then tenants and secrets, then the network if it is to be asked; each needs what is before it."""
    try:
        settings = load_settings(environ)
    except ConfigError as error:
        report.faults("settings", error, "docs/settings.md lists every setting with its bounds.")
        return
    given = sum(bool(environ.get(PREFIX + field.upper())) for field in Settings.model_fields)
    report.tell(Finding("settings", "ok", f"{given} set, {len(Settings.model_fields) - given} by default"))
    try:
        if settings.admin_token:
            AdminToken.load(settings.admin_token, environ=environ)
    except ConfigError as error:
        report.faults("settings", error, "docs/http.md explains the admin API and its token.")
    try:
        snapshot = Registry.load(settings.tenants_file, environ=environ).snapshot
    except ConfigError as error:
        report.faults("tenants", error, "docs/tenants.md explains every key.")
        return
    wanted = _wanted(snapshot, tenant)
    tenants = _counted(len(snapshot.tenants), "tenant")
    destinations = _counted(len(_wanted(snapshot, None)), "destination")
    report.tell(Finding("tenants", "ok", f"{settings.tenants_file}: {tenants}, {destinations}"))
    report.tell(Finding("secrets", "ok", f"{_counted(len(values_of(snapshot)), 'reference')} resolved"))
    for words in snapshot.warnings:
        report.tell(Finding("tenants", "warning", words))
    if asking is not None:
        asyncio.run(_ask(wanted, settings, report, asking))


def _wanted(snapshot: Snapshot, tenant: str | None) -> list[Destination]:
    """The destinations to ask.

    Raises:
        click.BadParameter: no tenant has this name.
    """
    if tenant is None:
        return [each for one in snapshot.tenants.values() for each in one.destinations]
    if tenant not in snapshot.tenants:
        near = difflib.get_close_matches(tenant, snapshot.tenants, n=1)
        hint = f"; the nearest one is {near[0]}" if near else ""
        raise click.BadParameter(f"the file has no tenant {tenant!r}{hint}", param_hint="--tenant")
    return list(snapshot.tenants[tenant].destinations)


async def _ask(destinations: list[Destination], settings: Settings, report: _Report, asking: _Asking) -> None:
    """Ask every destination, some at a time; told in the file's order, as soon as the order allows."""
    limits = WireLimits(
        connect_timeout_s=settings.hec_connect_timeout_s,
        timeout_s=settings.hec_timeout_s,
        keepalive_s=settings.hec_keepalive_s,
        connection_age_max_s=settings.hec_connection_age_max_s,
        connections_max=1,
    )
    prober = Prober(limits, send=asking.send, ack_wait_s=asking.ack_wait_s)
    turns = asyncio.Semaphore(_AT_ONCE_MAX)

    async def ask(destination: Destination) -> list[Finding]:
        async with turns:
            return await prober.ask(destination)

    async with asyncio.TaskGroup() as group:
        tasks = [(each, group.create_task(ask(each))) for each in destinations]
        for destination, task in tasks:
            for finding in await task:
                report.tell(finding, destination)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _show(line: _Line) -> None:
    """One line for people, and those under it if there is something to do. Colour where a terminal is."""
    finding = line.finding
    state = click.style(f"{finding.state:8}", fg=_COLOURS[finding.state])
    who = f"{line.tenant}/{line.destination} " if line.tenant else ""
    click.echo(f"{state} {who}{finding.step}: {finding.words}")
    for under in (finding.advice, finding.search):
        if under:
            click.echo(f"         {under}")
