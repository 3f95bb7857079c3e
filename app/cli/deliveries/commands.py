"""``relay deliveries``: which deliveries there are, what became of each, and dead letters put right by hand."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click
import orjson

from app.admin.requests import CALL_MAX, PER_S_MAX, PER_S_MIN, change_of
from app.admin.serialization import Json, iso, moment
from app.admin.service import Action, Desk
from app.cli.deliveries import output
from app.cli.deliveries.client import Access, login, open_desk
from app.errors import AdminRefusal, RelayError
from app.model import Cause, State

_T = TypeVar("_T")
_Command = TypeVar("_Command", bound=Callable[..., Any])
_ANY: Final = "any"
_USAGE: Final = frozenset({"bad_query", "bad_change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which deliveries are meant, as given."""

    tenant: str | None
    destination: str | None
    causes: tuple[str, ...]
    since: str | None
    until: str | None
    ids: tuple[str, ...]

    def pairs(self, ids: tuple[str, ...]) -> list[tuple[str, str]]:
        """As a query of the admin API has them, with these ids. Ages are counted from now."""
        now = time.time()
        said = [("tenant", self.tenant), ("destination", self.destination), *(("cause", each) for each in self.causes)]
        for name, text in (("since", self.since), ("until", self.until)):
            said.append((name, iso(moment(text, now=now)) if text is not None else None))
        return [(name, text) for name, text in said if text is not None] + [("id", each) for each in ids]

    def parts(self) -> Iterator[tuple[str, ...]]:
        """The ids in parts that fit into one request each; one empty part if none are given."""
        for at in range(0, len(self.ids) or 1, CALL_MAX):
            yield self.ids[at : at + CALL_MAX]

    @property
    def is_empty(self) -> bool:
        """Whether every delivery is meant."""
        return not (self.causes or self.ids) and all(
            each is None for each in (self.tenant, self.destination, self.since, self.until)
        )


@click.group("deliveries")
def deliveries_command() -> None:
    """Look at deliveries, and put dead letters right by hand.

    Asks the relay at --url, or the spool at --spool. With neither: the relay whose socket is beside the spool of
    the settings, else the relay of the settings if RELAY_ADMIN_TOKEN is set, else that spool itself.

    Exit status: 0 done, 1 could not or only in part, 2 wrong usage.
    """


def _stacked(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, shown in this order."""

    def put(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return put


_where = _stacked(
    click.option("--url", help="The relay to ask: http://HOST:PORT, or https:// through a proxy."),
    click.option("--token", metavar="REF", help="Its admin token, env:NAME or file:PATH. [default: RELAY_ADMIN_TOKEN]"),
    click.option(
        "--spool", metavar="URL", help="The spool to open instead; @NAME for the variable that holds its URL."
    ),
    click.option("--json", "as_json", is_flag=True, help="JSON, as the admin API answers."),
)
_filters = _stacked(
    click.option("--tenant", metavar="NAME", help="Of this tenant; an empty one means parked."),
    click.option("--destination", metavar="NAME", help="To this destination."),
    click.option(
        "--cause", "causes", multiple=True, type=click.Choice([each.value for each in Cause]), help="Why dead."
    ),
    click.option("--since", metavar="WHEN", help="Received at or after: 90s, 30m, 2h, 7d ago, or 2026-11-22T10:00Z."),
    click.option("--until", metavar="WHEN", help="Received before."),
    click.option("--id", "ids", multiple=True, metavar="ID", help="This delivery; may be given several times."),
)
_change = _stacked(
    click.argument("given", nargs=-1, metavar="[ID]..."),
    click.option("--reason", help="Why: it goes into the audit. Needed."),
    click.option("--dry-run", is_flag=True, help="Say what would be changed, and change nothing."),
    click.option("--all", "every", is_flag=True, help="Every dead letter there is."),
    click.option("--actor", metavar="NAME", default=login, help="Who, for the audit. [default: RELAY_ACTOR or login]"),
)


@deliveries_command.command("list")
@click.argument("given", nargs=-1, metavar="[ID]...")
@_filters
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([*(each.value for each in State), _ANY]),
    help="In this state. [default: dead; with an id: any]",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Deliveries at most.")
@click.option("--before", type=click.IntRange(0), metavar="N", help="Go on where the last list ended.")
@_where
def list_command(*, states: tuple[str, ...], limit: int, before: int | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click hands over what the options above declare
    """Dead letters, newest first; other deliveries too with --state."""
    filters, where = _of(options)
    states = states or ((_ANY,) if filters.ids else (State.DEAD.value,))
    pairs = [] if _ANY in states else [("state", each) for each in states]

    async def ask(desk: Desk) -> tuple[list[Json], int | None]:
        return await _listed(desk, filters, pairs, limit=limit, before=before)

    found, cursor = _run(where, ask)
    if as_json:
        _echo_json({"deliveries": found, "next": cursor})
        return
    _echo(output.listed(found))
    if not found:
        click.echo("none")
    elif cursor is not None:
        click.echo(f"there may be more: --before {cursor}")


async def _listed(
    desk: Desk, filters: Filters, pairs: list[tuple[str, str]], *, limit: int, before: int | None
) -> tuple[list[Json], int | None]:
    found: list[Json] = []
    cursor = before
    for ids in filters.parts():
        cursor, more = before, True
        while more and len(found) < limit:
            page = [("limit", str(min(CALL_MAX, limit - len(found))))]
            page += [] if cursor is None else [("before", str(cursor))]
            answer = await desk.deliveries([*filters.pairs(ids), *pairs, *page])
            found += answer["deliveries"]
            cursor = answer["next"]
            more = cursor is not None
    return found, cursor


@deliveries_command.command("show")
@click.argument("delivery_id", metavar="ID")
@_where
def show_command(*, delivery_id: str, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - as above
    """One hook's life, from its receipt to its end."""
    answer = _run(Access(**options), lambda desk: desk.delivery(delivery_id))
    if as_json:
        _echo_json(answer)
    else:
        _echo(output.lived(answer["lives"]))


@deliveries_command.command("redeliver")
@_change
@_filters
@click.option(
    "--per-s",
    type=click.FloatRange(PER_S_MIN, PER_S_MAX),
    default=50.0,
    show_default=True,
    help="So many become due in a second.",
)
@_where
def redeliver_command(**options: Any) -> None:  # noqa: ANN401 - as above
    """Have dead letters delivered again, with their ids kept.

    They are named by ID, or found by the options below, or --all. A reason is needed.
    """
    _change_all("redeliver", options)


@deliveries_command.command("discard")
@_change
@_filters
@_where
def discard_command(**options: Any) -> None:  # noqa: ANN401 - as above
    """Remove dead letters for good, payload included.

    They are named by ID, or found by the options below, or --all. A reason is needed.
    """
    _change_all("discard", options)


@deliveries_command.command("audit")
@click.option("--limit", type=click.IntRange(1, CALL_MAX), default=20, show_default=True, help="Entries at most.")
@click.option("--before", type=click.IntRange(0), metavar="N", help="Only entries with a lower number.")
@_where
def audit_command(*, limit: int, before: int | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - as above
    """What was changed by hand or by a budget, newest first."""
    pairs = [("limit", str(limit)), *([] if before is None else [("before", str(before))])]
    answer = _run(Access(**options), lambda desk: desk.audit(pairs))
    if as_json:
        _echo_json(answer)
        return
    _echo(output.audited(answer["entries"]))
    if not answer["entries"]:
        click.echo("none")
    elif answer["next"] is not None:
        click.echo(f"there may be more: --before {answer['next']}")


@deliveries_command.command("stats")
@_where
def stats_command(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - as above
    """The books of every stream, and dead letters by cause. Exit status 1 if the books do not add up."""
    answer = _run(Access(**options), lambda desk: desk.stats())
    if as_json:
        _echo_json(answer)
    else:
        _echo(output.books(answer))
    raise SystemExit(0 if all(each["adds_up"] for each in answer["streams"]) else 1)


def _change_all(action: Action, options: dict[str, Any]) -> None:
    """Redeliver or discard what is meant, 500 a call, and say what was done."""
    as_json, reason, every = options.pop("as_json"), options.pop("reason"), options.pop("every")
    order = {"reason": reason, "dry_run": options.pop("dry_run"), "limit": CALL_MAX}
    actor, per_s = options.pop("actor"), options.pop("per_s", None)
    filters, where = _of(options)
    if not reason or not reason.strip():
        raise click.UsageError("--reason is needed: it goes into the audit")
    if filters.is_empty and not every:
        raise click.UsageError("name deliveries, narrow them (--tenant, --cause, --since, ...), or say --all")
    if every and not filters.is_empty:
        raise click.UsageError("--all goes without ids and filters")
    try:
        change_of(actor, reason)
    except AdminRefusal as refused:
        raise click.UsageError(refused.words) from None
    done = Done(action=action, dry_run=order["dry_run"])

    async def work(desk: Desk) -> None:
        await _changed(desk, filters, order | ({"all": True} if every else {}), done, actor=actor, per_s=per_s)

    try:
        _run(where, work)
    finally:
        if done.calls:
            done.tell(as_json=as_json)
    missing = [each for each in filters.ids if each not in done.ids]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        click.echo(f"no dead letter (any more): {missing[0]}{more}", err=True)
        raise SystemExit(1)


class Done:
    """What has been changed so far."""

    def __init__(self, *, action: Action, dry_run: bool) -> None:
        self.action = action
        self._dry_run = dry_run
        self._dead: dict[tuple[str, str, str, str], int] = {}
        self.ids: set[str] = set()
        self.calls = self.matched = self.changed = 0

    def add(self, answer: Json) -> None:
        """Take one answer."""
        self.calls += 1
        self.matched += answer["matched"]
        self.changed += answer["changed"]
        self.ids.update(answer["delivery_ids"])
        for each in answer["dead"]:
            group = (each["tenant"], each["destination"], each["cause"], each["must_act"])
            self._dead[group] = self._dead.get(group, 0) + each["count"]
        if answer["next"] is not None:
            click.echo(f"{self.words()} so far", err=True)

    def words(self) -> str:
        """How many, in words."""
        if self._dry_run:
            return f"{output.counted(self.matched, 'dead letter')} would be {_PAST[self.action]}; nothing was changed"
        return f"{output.counted(self.changed, 'dead letter')} {_PAST[self.action]}"

    def tell(self, *, as_json: bool) -> None:
        """Print the sum."""
        names = ("tenant", "destination", "cause", "must_act")
        dead = [dict(zip(names, group, strict=True)) | {"count": count} for group, count in self._dead.items()]
        if as_json:
            whole = {"action": self.action, "dry_run": self._dry_run, "matched": self.matched}
            _echo_json(whole | {"changed": self.changed, "dead": dead, "delivery_ids": sorted(self.ids)})
            return
        _echo(output.groups(dead))
        click.echo(self.words() if self.matched else "no dead letter matches; nothing was changed")


_PAST: Final[dict[Action, str]] = {"redeliver": "redelivered", "discard": "discarded"}


async def _changed(
    desk: Desk, filters: Filters, order: dict[str, Any], done: Done, *, actor: str, per_s: float | None
) -> None:
    """Call after call, until nothing is left; what becomes due goes on spreading where the last call ended."""
    began = time.monotonic()
    for ids in filters.parts():
        search: dict[str, Any] = {}
        for name, text in filters.pairs(ids):
            search.setdefault(name, []).append(text)
        cursor: int | None = None
        while True:
            body = order | {"search": search, "before": cursor}
            if per_s is not None:
                starts_in_s = max(0.0, done.changed / per_s - (time.monotonic() - began))
                body |= {"per_s": per_s, "starts_in_s": starts_in_s}
            answer = await desk.change(done.action, body, actor=actor)
            done.add(answer)
            cursor = answer["next"]
            if cursor is None:
                break


def _of(options: dict[str, Any]) -> tuple[Filters, Access]:
    """Filters and place out of a command's options; ids may be arguments and options."""
    where = Access(**{name: options.pop(name) for name in ("url", "spool", "token")})
    ids = tuple(dict.fromkeys((*options.pop("given"), *options.pop("ids"))))
    return Filters(ids=ids, **options), where


def _run(where: Access, work: Callable[[Desk], Awaitable[_T]]) -> _T:
    """Do it at the desk that is meant; what is refused ends the command in a sentence."""

    async def whole() -> _T:
        async with open_desk(where, os.environ) as desk:
            return await work(desk)

    try:
        return asyncio.run(whole())
    except AdminRefusal as refused:
        if refused.code in _USAGE:
            raise click.UsageError(refused.words) from None
        raise click.ClickException(refused.words) from None
    except RelayError as error:
        raise click.ClickException(str(error)) from None


def _echo(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(output.safe(line))


def _echo_json(answer: Json) -> None:
    click.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
