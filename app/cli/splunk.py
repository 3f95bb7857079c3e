"""``relay splunk``: the stand-in Splunk on a port, for people who test their own senders."""

import asyncio
import json
import math
import re
import signal
import ssl
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import yaml

from app.sandbox.splunk import IDLE_CLOSE_S, Fault, HecToken, Indexed, RequestSeen, StandInSplunk
from app.sandbox.splunk.fault_script import FaultScript, fault_script
from app.sandbox.splunk.protocol import BODY_BYTES_MAX

_SHOWN_TOKEN_CHARACTERS = 4
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 6265: a token."""


def _finite(_context: click.Context, _option: click.Parameter, given: float) -> float:
    if not math.isfinite(given):
        raise click.BadParameter(f"{given} is not a number of seconds")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options of one run, as given."""

    host: str
    port: int
    tokens: tuple[str, ...]
    ack: bool
    ack_delay_s: float
    cloud: bool
    faults: Path | None
    existing: tuple[str, ...]
    indexers: int
    sticky_cookie: str | None
    idle_close_s: float
    body_bytes_max: int
    tls_cert: Path | None
    tls_key: Path | None
    show: bool


@click.command("splunk", context_settings={"max_content_width": 110})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8088, show_default=True, help="0 takes a free one.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    default=("stand-in",),
    show_default=True,
    metavar="NAME[:INDEX,...]",
    help="A hec_token and the indexes it may write to (none named: any; the first is its default).",
)
@click.option("--ack", is_flag=True, help="Indexer acknowledgment for every hec_token.")
@click.option(
    "--ack-delay-s",
    type=click.FloatRange(0),
    callback=_finite,
    default=1.0,
    show_default=True,
    help="From stored to acknowledged.",
)
@click.option("--cloud", is_flag=True, help="Code 28 instead of 10 for a missing channel, as on Splunk Cloud.")
@click.option("--faults", type=_FILE, metavar="FILE", help="A fault script, YAML or JSON: docs/stand-in-splunk.md.")
@click.option(
    "--index",
    "existing",
    multiple=True,
    metavar="NAME",
    help="An index that exists; may be given several times. Others swallow what they get. [default: all]",
)
@click.option(
    "--indexers", type=click.IntRange(1, 100), default=1, show_default=True, help="Behind a round-robin front."
)
@click.option("--sticky-cookie", metavar="NAME", help="A cookie by which the front keeps to one indexer.")
@click.option(
    "--idle-close-s",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    default=IDLE_CLOSE_S,
    show_default=True,
    help="How long an idle connection stays open; a busy Splunk's is 12.",
)
@click.option(
    "--body-bytes-max",
    type=click.IntRange(1),
    default=BODY_BYTES_MAX,
    show_default=True,
    help="A larger body gets a 413.",
)
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM); turns TLS on.")
@click.option("--tls-key", type=_FILE, help="Its key, where the chain file does not hold it.")
@click.option("--show", is_flag=True, help="Print every hec_event as it is indexed, one JSON object a line.")
def splunk_command(**options: Any) -> None:  # noqa: ANN401 - click hands over what the options above declare
    """Run a stand-in Splunk: its HTTP Event Collector, and nothing behind it.

    Point a sender at http://127.0.0.1:8088 with the hec_token "stand-in" (or those given). It answers as Splunk
    does, batch prefixes, acknowledgment and odd codes included, and fails as told by a fault script. One line a
    request says what came and what became of it. Nothing is kept. SIGINT or SIGTERM ends it.
    """
    wanted = _Wanted(**options)
    asyncio.run(_run(_stand_in(wanted), wanted))


def _stand_in(wanted: _Wanted) -> StandInSplunk:
    """The stand-in as wanted; usage errors are raised before anything listens."""
    _refuse_odd(wanted)
    tokens = [_token(each, use_ack=wanted.ack) for each in wanted.tokens]
    if len({each.value for each in tokens}) < len(tokens):
        raise click.BadParameter(
            "a hec_token is given twice; all of its indexes go after one colon", param_hint="--token"
        )
    splunk = StandInSplunk(
        tokens,
        existing_indexes=wanted.existing or None,
        cloud=wanted.cloud,
        body_bytes_max=wanted.body_bytes_max,
        idle_close_s=wanted.idle_close_s,
        tls=_tls(wanted),
        indexers=wanted.indexers,
        sticky_cookie=wanted.sticky_cookie,
        ack_delay_s=wanted.ack_delay_s,
        remember="count",
    )
    if wanted.faults is not None:
        _fault_script(wanted.faults).tell(splunk)
    splunk.on_request = lambda seen: click.echo(described(seen))
    if wanted.show:
        splunk.on_indexed = lambda indexed: click.echo(_shown(indexed))
    return splunk


def _refuse_odd(wanted: _Wanted) -> None:
    """What a variable that is empty, or a list where one name is asked for, would make of an option."""
    if not wanted.host:
        raise click.BadParameter("an empty one would mean every address; say 0.0.0.0 for that", param_hint="--host")
    if any(not name.strip() or "," in name for name in wanted.existing):
        raise click.BadParameter("one index by its name; give the option once for each", param_hint="--index")
    if wanted.sticky_cookie is not None and not _COOKIE_NAME.fullmatch(wanted.sticky_cookie):
        raise click.BadParameter(f"{wanted.sticky_cookie!r} cannot be a cookie's name", param_hint="--sticky-cookie")


def _token(given: str, *, use_ack: bool) -> HecToken:
    value, _, names = given.partition(":")
    indexes = tuple(name.strip() for name in names.split(",") if name.strip())
    if not value or not value.isascii() or not value.isprintable() or set(value) & {" ", ","}:
        words = "a hec_token is printable ASCII without spaces and commas; its indexes follow a colon"
        raise click.BadParameter(words, param_hint="--token")
    return HecToken(value, indexes, indexes[0] if indexes else "main", use_ack=use_ack)


def _tls(wanted: _Wanted) -> ssl.SSLContext | None:
    if wanted.tls_cert is None:
        if wanted.tls_key is not None:
            raise click.UsageError("--tls-key goes with --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(wanted.tls_cert, wanted.tls_key)
    except (OSError, ssl.SSLError) as fault:
        raise click.BadParameter(f"cannot be used: {fault}", param_hint="--tls-cert") from fault
    return context


def _fault_script(path: Path) -> FaultScript:
    try:
        return fault_script(yaml.safe_load(path.read_bytes()))
    except (yaml.YAMLError, ValueError) as fault:
        raise click.BadParameter(f"{path}: {fault}", param_hint="--faults") from fault


async def _run(splunk: StandInSplunk, wanted: _Wanted) -> None:
    asked_to_stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, asked_to_stop.set)
    try:
        await splunk.start(wanted.host, wanted.port)
    except OSError as fault:
        raise click.ClickException(f"cannot listen on {wanted.host} port {wanted.port}: {fault.strerror}") from fault
    click.echo(f"stand-in Splunk listens on {splunk.url}")
    try:
        await asked_to_stop.wait()
    finally:
        await splunk.stop()
    requests, indexed = _counted(splunk.request_count, "request"), _counted(splunk.indexed_count, "hec_event")
    click.echo(f"stopped after {requests}, {indexed} indexed")


def described(seen: RequestSeen) -> str:
    """A request and what became of it, as one line. Of a hec_token only the beginning is shown."""
    line = f"{seen.number:>5}  {seen.method} {_printable(seen.path)}"
    if seen.token is not None:
        line += f"  hec_token {_shortened(seen.token)}"
    if seen.body_bytes:
        line += f", {_counted(seen.objects, 'object')} in {_counted(seen.body_bytes, 'byte')}"
    line += f": {_answer(seen)}"
    if seen.indexed or seen.objects:
        line += f", {seen.indexed} indexed"
    return line if seen.fault is None else f"{line}  [fault: {_named(seen.fault)}]"


def _answer(seen: RequestSeen) -> str:
    if seen.status is None:
        return "no answer"
    said = f"answered {seen.status}"
    if seen.code is not None:
        said += f", code {seen.code} {seen.text}"
    return said if seen.invalid_event_number is None else f"{said}, number {seen.invalid_event_number}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _shortened(token: str) -> str:
    safe = _printable(token)
    return safe if len(safe) <= 2 * _SHOWN_TOKEN_CHARACTERS else f"{safe[:_SHOWN_TOKEN_CHARACTERS]}…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _named(fault: Fault) -> str:
    """The kind of a fault and whatever of it is not the default."""
    told = [
        f"{each.name}={value}"
        for each in fields(fault)
        if each.name != "kind" and (value := getattr(fault, each.name)) != each.default
    ]
    return f"{fault.kind}({', '.join(told)})" if told else fault.kind


def _shown(indexed: Indexed) -> str:
    shown = {
        "index": indexed.index,
        "time": indexed.time,
        "host": indexed.host,
        "source": indexed.source,
        "sourcetype": indexed.sourcetype,
        "fields": indexed.fields,
        "event": indexed.event,
    }
    return json.dumps(shown, ensure_ascii=True)
