"""``relay spool``: the schema of a spool on PostgreSQL, and moving from one spool to another."""

import asyncio
import os
import sys

import click

from app.errors import ConfigError, SpoolError
from app.settings import load_settings
from app.spool.copy.copy import copy
from app.spool.engines import check_url, is_shared
from app.spool.postgres.schema import migrate_url

EXIT_DAMAGED = 2
"""What could be read was copied, and that is not all."""


@click.group("spool")
def spool_command() -> None:
    """Work on the spool itself, while no relay is running on it."""


@spool_command.command("migrate")
@click.argument("url", required=False)
def migrate_command(url: str | None) -> None:
    """Bring the schema in the database at URL to what this version needs; it cannot be taken back.

    Without URL: RELAY_SPOOL_URL, which keeps its password out of the list of processes.
    """
    url = url or _configured()
    _check(url)
    if not is_shared(url):
        click.echo("a SQLite spool migrates by itself when it is opened")
        return
    try:
        before, after = asyncio.run(migrate_url(url))
    except SpoolError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"schema version {after}" + ("" if before == after else f", was {before}"))


@spool_command.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy_command(source: str, target: str) -> None:
    """Copy the spool at FROM into the empty one at TO: deliveries, dead letters, dedup keys, books, history, audit.

    Each is a URL as in RELAY_SPOOL_URL, or @NAME for the environment variable that holds it, which keeps a password
    out of the list of processes. Counts and a digest over everything are compared in the end. A copy that was cut off
    goes on when the same command is run again. FROM is left as it is: start no relay on it any more. Of a damaged file
    what can be read is copied; exit status 2, and a line that says what could not be read.
    """
    urls = [_url(each) for each in (source, target)]
    for url in urls:
        _check(url)
    try:
        found = asyncio.run(copy(*urls, say=_say))
    except SpoolError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"copied and compared: {found}, digest {found.words}")
    if found.lost:
        click.echo(f"{source} is damaged, and not all of it could be read: {'; '.join(found.lost)}", err=True)
        sys.exit(EXIT_DAMAGED)


def _say(words: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{words}", nl=False, err=True)


def _url(text: str) -> str:
    if not text.startswith("@"):
        return text
    url = os.environ.get(text[1:])
    if not url:
        raise click.ClickException(f"the environment has no {text[1:]}")
    return url


def _configured() -> str:
    try:
        return load_settings(os.environ).spool_url.get_secret_value()
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def _check(url: str) -> None:
    try:
        check_url(url)
    except ValueError as error:
        raise click.ClickException(f"the URL {error}") from None
