"""Arbitrary posts through every door, answered or not, at arbitrary times: each happening is there exactly as promised.

What the relay has to make of them is said here once more, in a few lines that know nothing of how it does it. ``make
property`` runs many times as many examples; a failure prints how to repeat it.
"""

import asyncio
import hmac
import tempfile
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson
from hypothesis import assume, given
from hypothesis import strategies as st

from app.asgi import EXTENSION, Message, PlainExchange, Scope
from app.ingest.accept import Ingest, IngestLimits
from app.metrics import Metrics
from app.tenants.registry import Registry
from tests.contract.engines import Engine, postgres_engine, sqlite_engine
from tests.contract.test_spool_contract import claim
from tests.examples import examples

MINUTE = 60
INSTALLATION = "5b7d1f3e-90aa-4a5f-8c21-3f6f0d1e7a42"
TENANTS = """
tenants:
  acme:
    sentry: {client_secrets: [file:signed], legacy_keys: [file:legacy], installations: [INSTALLATION]}
    splunk:
      - {name: main, url: "http://127.0.0.1:9", hec_token: file:signed, index: main}
shared_integrations:
  - client_secrets: [file:shared]
""".replace("INSTALLATION", INSTALLATION)
SECRETS = {"signed": "signed-secret-of-acme", "legacy": "legacy-key-of-acme-1", "shared": "secret-of-the-shared"}
PATHS = {"signed": "/sentry/acme", "legacy": f"/sentry/acme/legacy/{SECRETS['legacy']}", "shared": "/sentry"}
LIMITS = IngestLimits(body_bytes_max=10**6)


class Post(NamedTuple):
    """One post, so long after the one before."""

    door: str
    key: str
    body: int
    answered: bool
    """Its sender waits for the answer; else it has hung up before."""
    after_s: int
    restarted: bool
    """The relay was stopped and started in between."""


posts = st.builds(
    Post,
    door=st.sampled_from(["signed", "signed", "signed", "shared", "legacy"]),
    key=st.sampled_from(["", "", "", "k1", "k2"]),
    body=st.sampled_from([1, 1, 1, 2]),
    answered=st.booleans(),
    after_s=st.sampled_from([0, 0, 5 * MINUTE, 5 * MINUTE, 11 * MINUTE, 21 * MINUTE]),
    restarted=st.sampled_from([False] * 9 + [True]),
)


@dataclass
class Promise:
    """What is promised of a sequence of posts. The answers' ids go in as they come."""

    by_key: dict[tuple[str, str], str] = field(default_factory=dict)
    first: dict[tuple[str, int], str] = field(default_factory=dict)
    """By door and bytes: the first hook with them."""
    unanswered: dict[tuple[str, int], tuple[str, float]] = field(default_factory=dict)
    """By door and bytes: which hook was posted last without a key and had no answer, and when it was accepted."""
    hooks: dict[str, str | None] = field(default_factory=dict)
    """Every happening, and whose bytes it has."""

    def heed(self, post: Post, now: float, delivery_id: str) -> None:
        """A post was answered with this id."""
        key, bytes_ = (post.door, post.key), (post.door, post.body)
        if post.key and key in self.by_key:
            assert delivery_id == self.by_key[key], "the same key of the same door is one hook"
            return
        at = now
        if not post.key and post.door != "legacy":
            resent, at = self.unanswered.pop(bytes_, ("", now))
            if resent and now - at <= 20 * MINUTE:
                assert delivery_id == resent, "the same bytes that nobody answered are a resend"
            else:
                at = now
                self._add(bytes_, delivery_id)
            if not post.answered:
                self.unanswered[bytes_] = (delivery_id, at)
            return
        self._add(bytes_, delivery_id)
        if post.key:
            self.by_key[key] = delivery_id

    def _add(self, bytes_: tuple[str, int], delivery_id: str) -> None:
        assert delivery_id not in self.hooks, "a happening of its own has an id of its own"
        self.hooks[delivery_id] = self.first.get(bytes_)
        self.first.setdefault(bytes_, delivery_id)


class Sender(PlainExchange):
    """What the server knows of a post."""

    def __init__(self, scope: Scope, *, gone: bool) -> None:
        super().__init__(scope)
        self.gone = gone


async def deliver(ingest: Ingest, post: Post) -> str:
    """Post it; the id that it is answered with, whether or not anybody reads that."""
    body = orjson.dumps({"installation": {"uuid": INSTALLATION}, "data": {"n": post.body}})
    headers = [(b"content-length", b"%d" % len(body))]
    if post.door != "legacy":
        signature = hmac.digest(SECRETS[post.door].encode(), body, "sha256").hex().encode()
        headers.append((b"sentry-hook-signature", signature))
    if post.key:
        headers.append((b"idempotency-key", post.key.encode()))
    scope: Scope = {"type": "http", "method": "POST", "path": PATHS[post.door], "headers": headers}
    scope["extensions"] = {EXTENSION: Sender(scope, gone=not post.answered)}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        sent.append(message)

    await ingest(scope, receive, send)
    assume(sent[0]["status"] == 202)  # a machine with much else to do may be too slow for Sentry's second
    return str(orjson.loads(sent[1]["body"])["delivery"])


async def play(opening: AbstractAsyncContextManager[Engine], folder: Path, sequence: Sequence[Post]) -> None:
    """All of it, and then what the spool has to deliver."""
    for name, text in SECRETS.items():
        (folder / name).write_text(text)
    (folder / "tenants.yaml").write_text(TENANTS)
    tenants = Registry.load(folder / "tenants.yaml", environ={})
    promise = Promise()
    async with opening as engine:
        spool = await engine.open()
        ingest = Ingest(tenants, spool, limits=LIMITS, metrics=Metrics("1"))
        for post in sequence:
            if post.after_s:
                await asyncio.sleep(0)
                await spool.stats()  # behind what is being noted, which goes by the clock
                engine.clock.now += post.after_s
            if post.restarted:
                await spool.close()
                spool = await engine.open()
                ingest = Ingest(tenants, spool, limits=LIMITS, metrics=Metrics("1"))
            promise.heed(post, engine.clock.now, await deliver(ingest, post))
        claimed = await claim(spool)
    assert len(claimed) == len(promise.hooks)
    assert {each.hook.delivery_id: each.hook.same_body_as or None for each in claimed} == promise.hooks


@examples(100)
@given(sequence=st.lists(posts, min_size=10, max_size=30))
def test_every_happening_is_there_exactly_as_often_as_promised_on_sqlite(sequence: list[Post]) -> None:
    """Happenings, retries and replays."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(sqlite_engine(Path(folder)), Path(folder), sequence))


@examples(25)
@given(sequence=st.lists(posts, min_size=10, max_size=30))
def test_every_happening_is_there_exactly_as_often_as_promised_on_postgres(
    postgres_url: str, sequence: list[Post]
) -> None:
    """The same."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(postgres_engine(postgres_url), Path(folder), sequence))
