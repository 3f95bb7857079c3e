"""``relay send``: post signed samples, or a file, to a running relay as Sentry would."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import click

from app.errors import ConfigError
from app.model import Sender
from app.sandbox.sentry import (
    INSTALLATION,
    Answer,
    HookRequest,
    Sample,
    StandInSentry,
    hook_request,
    legacy_headers,
    sample,
    samples,
    signed,
    verdict,
)
from app.secrets.references import References

_NAMES = tuple(each.name for each in samples())
_ACCEPTED = 202
_SUCCESS = 2
_SHOWN_BYTES = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options of one run, as given."""

    url: str
    secret_ref: str | None
    names: tuple[str, ...]
    every: bool
    file: BinaryIO | None
    resource: str
    count: int
    legacy_ref: str | None
    installation: str


@dataclass(frozen=True, slots=True)
class _Post:
    """One thing to post and what to call it. ``url`` may hold the legacy key and is never shown."""

    name: str
    url: str
    request: HookRequest


def _checked_url(_context: click.Context, _option: click.Parameter, url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("must begin with http:// or https://, such as http://127.0.0.1:8080/sentry/TENANT")
    return url


@click.command("send", context_settings={"max_content_width": 110})
@click.option(
    "--url", required=True, callback=_checked_url, help="Where Sentry would post: http://127.0.0.1:8080/sentry/TENANT"
)
@click.option("--secret", "secret_ref", metavar="REF", help="What signs the hooks: env:NAME or file:PATH.")
@click.option(
    "--sample",
    "names",
    multiple=True,
    type=click.Choice(_NAMES),
    metavar="NAME",
    help="A sample by name, such as issue.created (the default); may be given several times.",
)
@click.option("--all", "every", is_flag=True, help="Every sample (the legacy one only with --legacy-key).")
@click.option("--file", type=click.File("rb"), help="The bytes to sign and post as they are; - is standard input.")
@click.option("--resource", default="", help="Sentry-Hook-Resource for --file.")
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Rounds.")
@click.option("--legacy-key", "legacy_ref", metavar="REF", help="The key in the legacy plugin's URL: env: or file:.")
@click.option("--installation", default=INSTALLATION, show_default=True, help="The uuid that samples name.")
def send_command(**options: Any) -> None:  # noqa: ANN401 - click hands over what the options above declare
    """Post signed hooks to a running relay, as Sentry would.

    One try each, a second's patience, no redirects. One line per post: sample, status, time, delivery, or
    what Sentry would make of the answer. Exit status 0 only if every post was accepted.
    """
    wanted = _Wanted(**options)
    accepted = asyncio.run(_post_all(_posts(wanted)))
    raise SystemExit(0 if accepted else 1)


async def _post_all(posts: Iterator[_Post]) -> bool:
    sentry = StandInSentry()
    accepted = 0
    for each in posts:
        answer = await sentry.post(each.url, each.request)
        accepted += _is_accepted(answer)
        click.echo(_line(each, answer))
    click.echo(f"{accepted} of {sentry.posts} accepted")
    return accepted == sentry.posts


def _posts(wanted: _Wanted) -> Iterator[_Post]:
    """What to post, in order; usage errors are raised before the first one."""
    key = None if wanted.legacy_ref is None else _resolved(wanted.legacy_ref)
    if wanted.file is not None:
        yield from _file_posts(wanted, wanted.file, key)
        return
    chosen = _chosen(wanted)
    secret = b"" if all(each.sender == "legacy" for each in chosen) else _signing_secret(wanted)
    # A seed of its own for every run: the same hook again would be answered as a repeat.
    first = secrets.randbits(48)
    for seed in range(first, first + wanted.count):
        for each in chosen:
            request = hook_request(each, secret, seed=seed, now=time.time())
            yield _Post(each.name, _address(wanted.url, each.sender, key), request)


def _file_posts(wanted: _Wanted, file: BinaryIO, key: bytes | None) -> Iterator[_Post]:
    """The bytes of a file as an integration's hook; with a legacy key, as the legacy plugin's."""
    if wanted.names or wanted.every:
        raise click.UsageError("--file goes without --sample and --all")
    sender: Sender = "integration" if key is None else "legacy"
    secret = _signing_secret(wanted) if key is None else b""
    body = file.read()
    for _ in range(wanted.count):
        headers = legacy_headers() if key is not None else _signed_now(body, secret, wanted.resource)
        yield _Post(Path(file.name).name, _address(wanted.url, sender, key), HookRequest(sender, headers, body))


def _signed_now(body: bytes, secret: bytes, resource: str) -> dict[str, str]:
    request_id, timestamp = secrets.token_hex(16), int(time.time())
    return signed(body, secret, resource=resource, request_id=request_id, timestamp=timestamp)


def _chosen(wanted: _Wanted) -> list[Sample]:
    if wanted.every:
        all_of_them = samples(installation=wanted.installation)
        return [each for each in all_of_them if each.sender != "legacy" or wanted.legacy_ref is not None]
    names = wanted.names or ("issue.created",)
    if "legacy" in names and wanted.legacy_ref is None:
        raise click.UsageError("the legacy sample is unsigned and needs --legacy-key")
    return [sample(name, installation=wanted.installation) for name in names]


def _address(url: str, sender: Sender, key: bytes | None) -> str:
    if sender != "legacy" or key is None:
        return url
    return f"{url.rstrip('/')}/legacy/{quote(key, safe='')}"


def _signing_secret(wanted: _Wanted) -> bytes:
    if wanted.secret_ref is None:
        raise click.UsageError("--secret is needed to sign: env:NAME or file:PATH")
    return _resolved(wanted.secret_ref)


def _resolved(reference: str) -> bytes:
    """The bytes that a reference names, read as the tenants file's own are."""
    if not reference.startswith(("env:", "file:")):
        raise click.UsageError("a secret is given as env:NAME or file:PATH, never as itself")
    try:
        value = References(os.environ, Path()).resolve(reference)
    except ConfigError as fault:
        raise click.UsageError(f"{reference}: {fault}") from None
    if not value:
        raise click.UsageError(f"{reference}: it is empty")
    return value


def _is_accepted(answer: Answer) -> bool:
    return answer.status == _ACCEPTED and _delivery_of(answer) != ""


def _delivery_of(answer: Answer) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return ""
    delivery = said.get("delivery") if isinstance(said, dict) else None
    return delivery if isinstance(delivery, str) else ""


def _line(post: _Post, answer: Answer) -> str:
    what = str(answer.status) if answer.status > 0 else answer.fault
    if _is_accepted(answer):
        said = f"accepted as {_delivery_of(answer)}"
    elif answer.status // 100 == _SUCCESS:
        said = f"no delivery in the answer, so nothing is promised; {verdict(answer, post.request.sender)}"
    else:
        said = f"{_quoted(answer.body)}{verdict(answer, post.request.sender)}"
    return f"{post.name:<48} {what}  {answer.seconds * 1000:6.1f} ms  {said}"


def _quoted(body: bytes) -> str:
    """The beginning of an answer, safe to print on a terminal."""
    text = "".join(each for each in body[:_SHOWN_BYTES].decode("utf-8", "replace") if each.isprintable())
    return f"{text}  " if text else ""
