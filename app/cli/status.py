"""``relay status``: is all right, and if not, what is wrong, since when, whose it is and what to do."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import click
import orjson

from app.admin.serialization import Json
from app.cli.deliveries.client import Access, open_desk
from app.cli.deliveries.output import safe, wrapped
from app.errors import AdminRefusal, RelayError
from app.verdict import Level, age

SHOWN_MAX: Final = 20
"""Troubles that are printed; the rest is counted."""
_COLOURS: Final = {"losing": "red", "not delivering": "red", "late": "yellow", "needs a person": "yellow"}
_EXIT: Final = {Level.ALL_RIGHT.words: 0, Level.LOSING.words: 2}


@click.command("status")
@click.option("--url", help="The relay to ask: http://HOST:PORT, or https:// through a proxy.")
@click.option("--token", metavar="REF", help="Its admin token, env:NAME or file:PATH. [default: RELAY_ADMIN_TOKEN]")
@click.option("--spool", metavar="URL", help="The relay that has this spool open; @NAME for a variable with its URL.")
@click.option("--json", "as_json", is_flag=True, help="JSON, as the admin API answers.")
@click.option("--watch", is_flag=True, help="Look again every few seconds, until it is broken off.")
@click.option(
    "--every", type=click.FloatRange(0.5, 3_600), default=5.0, show_default=True, help="Seconds between two looks."
)
def status_command(*, as_json: bool, watch: bool, every: float, **access: str | None) -> None:
    """Say whether all is right, and if not, what to do about it.

    Asks the running relay as `relay deliveries` does. Exit status: 0 all is right, 1 there is trouble, 2 hooks are
    being lost (also: no relay answers).
    """
    where = Access(**access)
    while True:
        status = _status(where)
        _show(status, as_json=as_json, clear=watch and not as_json)
        if not watch:
            raise SystemExit(_EXIT.get(status["level"], 1))
        time.sleep(every)


def _status(where: Access) -> Json:
    async def ask() -> Json:
        async with open_desk(where, os.environ) as desk:
            return await desk.status()

    try:
        return asyncio.run(ask())
    except AdminRefusal as refused:
        if refused.code != "spool_unavailable":
            raise click.ClickException(refused.words) from None
        return _no_relay(refused.words)
    except RelayError as error:
        raise click.ClickException(str(error)) from None


def _no_relay(words: str) -> Json:
    """What is said where nobody answers: a hook that comes now is lost."""
    todo = {
        "level": Level.LOSING.words,
        "for": "",
        "state": "no relay",
        "words": words,
        "must_act": "relay",
        "advice": "Start it, and read the last lines of its log.",
        "count": 0,
        "since": None,
        "next_in_s": None,
    }
    return {"level": Level.LOSING.words, "verdict": "Losing: no relay answers", "detail": "", "todo": [todo]}


def _show(status: Json, *, as_json: bool, clear: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(status, option=orjson.OPT_INDENT_2))
        return
    if clear:
        click.clear()
    first, *lines = lines_of(status, now=time.time())
    click.secho(safe(first), fg=_COLOURS.get(status["level"], "green"), bold=True)
    for line in lines:
        click.echo(safe(line))


def lines_of(status: Json, *, now: float) -> Iterator[str]:
    """The status as lines for people."""
    yield status["verdict"]
    if status["detail"]:
        yield status["detail"]
    for item in status["todo"][:SHOWN_MAX]:
        yield ""
        yield from _todo(item, now)
    more = len(status["todo"][SHOWN_MAX:]) + status.get("todo_more", 0)
    if more:
        yield ""
        yield f"and {more} more; --json has them"
    if status.get("books"):
        yield ""
        yield _books(status["books"], now)


def _todo(item: dict[str, Any], now: float) -> Iterator[str]:
    whose = f"{item['for']}  " if item["for"] else ""
    yield f"{whose}{item['state']}: {item['words']}"
    said = []
    if item["count"]:
        said.append(f"{item['count']:,} concerned")
    if item["since"]:
        at = datetime.fromisoformat(item["since"])
        said.append(f"since {at:%Y-%m-%d %H:%M:%S} UTC ({age(now - at.timestamp())})")
    if item["next_in_s"] is not None:
        said.append(f"next try in {item['next_in_s']:.0f} s")
    if item["must_act"] not in ("", "nobody"):
        said.append(f"who must act: {item['must_act']}")
    if said:
        yield f"    {'; '.join(said)}"
    yield from (f"    {line}" for line in wrapped(item["advice"]))


def _books(books: dict[str, Any], now: float) -> str:
    oldest = ""
    if books["oldest_waiting_at"]:
        oldest = f", the oldest for {age(now - datetime.fromisoformat(books['oldest_waiting_at']).timestamp())}"
    return (
        f"{books['accepted']:,} accepted: {books['delivered']:,} delivered, {books['filtered']:,} filtered, "
        f"{books['waiting']:,} waiting{oldest}, {books['dead']:,} dead, {books['discarded']:,} discarded"
    )
