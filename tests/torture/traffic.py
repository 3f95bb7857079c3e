"""Sentry's side of a trial: hooks from several posters at once, and what each was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import orjson

from app.sandbox.sentry import CONNECTION_FAILED, TIMED_OUT, Answer, Sample, StandInSentry, hook_request
from tests.torture.world import Door, World

ATTEMPTS_MAX = 3
"""What a published integration gets (tasks of getsentry/sentry)."""
RETRY_AFTER_S = (0.2, 1.2)
"""In place of Sentry's five minutes."""
_REFUSED_PAUSE_S = 0.15
"""A poster whose hook was not accepted waits so long on average: a relay that starts has better things to do."""
_PUBLISHED, _REPEATED, _KEYLESS = 0.5, 0.08, 0.2
_IN_TIME_S = {"integration": 1.0, "service_hook": 5.0, "legacy": 5.0}
"""A sender that had its 202 within this had it in time by any clock (options and tasks of getsentry/sentry)."""
_ALWAYS_THE_SAME = frozenset({"installation.deleted"})
"""Samples whose bytes are the same for every hook: without a key nobody could tell which one came again."""
_ANSWER_DEADLINE_S = 30.0
_ACCEPTED, _NOT_STORED = 202, 500


@dataclass(slots=True, kw_only=True)
class Post:
    """One try of a hook. Times are the loop's."""

    url: str
    began_at: float
    ended_at: float = 0.0
    delivery_id: str | None = None
    """From its 202."""
    in_time: bool = False
    """Its sender had the 202, and soon enough that the relay cannot take it for late."""


@dataclass(slots=True, kw_only=True)
class Hook:
    """A hook that was posted at least once.

    With an idempotency key all its posts are one hook. Without one a post after an answer is a hook of its own.
    """

    door: Door
    sample: Sample
    seed: int
    at: float
    published: bool
    """Sentry tries again after a 500 or no answer at all; else it forgets."""
    body: bytes
    keyed: bool
    """Each post carries the same ``Idempotency-Key``, as Sentry's do since mid 2026 but for service hooks."""
    posts: list[Post] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    """Every delivery id of a 202, and when it was first told, on the loop's clock; empty: nothing was promised."""


@dataclass(slots=True)
class Counts:
    """What came of it so far."""

    hooks: list[Hook] = field(default_factory=list)
    posts: int = 0
    repeats: int = 0
    """Posts of a hook that had its 202 already."""
    answered: list[tuple[float, str]] = field(default_factory=list)
    """When (the loop's time) and what: a status, or in words that there was none."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no relay may give to an authentic hook."""

    @property
    def answers(self) -> Counter[str]:
        """How often each answer came."""
        return Counter(word for _, word in self.answered)


class Traffic:
    """Posts to any of ``urls`` until ``stop``. ``on_post`` and ``on_accepted`` are called as it happens."""

    def __init__(
        self,
        world: World,
        urls: Sequence[str],
        rng: Random,
        *,
        on_post: Callable[[], object],
        on_accepted: Callable[[], object],
    ) -> None:
        self.counts = Counts()
        self._world = world
        self._urls = urls
        self._rng = rng
        self._on_post = on_post
        self._on_accepted = on_accepted
        self._sentry = StandInSentry()
        self._stopping = asyncio.Event()
        self._answered = asyncio.Event()

    async def run(self, posters: int, *, pause_s: float) -> None:
        """Until stopped, and until everything begun has its last answer."""
        async with asyncio.TaskGroup() as group:
            for _ in range(posters):
                group.create_task(self._poster(group, pause_s))

    def stop(self) -> None:
        """No new hooks; retries and repeats that are due come at once."""
        self._stopping.set()

    async def answer(self, word: str) -> None:
        """Wait for the next answer that is ``word`` (see ``Counts.answered``).

        Raises:
            TimeoutError: none came for long.
        """
        known = len(self.counts.answered)
        async with asyncio.timeout(_ANSWER_DEADLINE_S):
            while word not in (each for _, each in self.counts.answered[known:]):
                await self._answered.wait()

    async def _poster(self, group: asyncio.TaskGroup, pause_s: float) -> None:
        while not self._stopping.is_set():
            hook = self._new_hook()
            await self._post(hook)
            if self._again(hook):
                group.create_task(self._post_again(hook))
            nobody_there = not hook.accepted
            await self._for_s(self._rng.expovariate(1 / (_REFUSED_PAUSE_S if nobody_there else pause_s)))

    def _new_hook(self) -> Hook:
        door = self._rng.choice(self._world.doors)
        sample, seed, at = self._rng.choice(door.samples), len(self.counts.hooks), time.time()
        keyless = self._rng.random() < _KEYLESS and sample.name not in _ALWAYS_THE_SAME
        hook = Hook(
            door=door,
            sample=sample,
            seed=seed,
            at=at,
            published=self._rng.random() < _PUBLISHED,
            body=sample.body(seed, now=at),
            keyed=not keyless and sample.sender != "service_hook",
        )
        self.counts.hooks.append(hook)
        return hook

    def _again(self, hook: Hook) -> bool:
        if not hook.accepted:
            return hook.published and len(hook.posts) < ATTEMPTS_MAX
        return len(hook.posts) < ATTEMPTS_MAX and self._rng.random() < _REPEATED

    async def _post_again(self, hook: Hook) -> None:
        """Sentry's retries, or a repeat of what was accepted: sometimes two of them at the same time."""
        going_on = True
        while going_on:
            await self._for_s(self._rng.uniform(*RETRY_AFTER_S))
            twice = self._rng.random() < _REPEATED
            await asyncio.gather(*(self._post(hook) for _ in range(1 + twice)))
            going_on = self._again(hook)

    async def _post(self, hook: Hook) -> None:
        post = Post(url=self._rng.choice(self._urls), began_at=asyncio.get_running_loop().time())
        hook.posts.append(post)
        self.counts.posts += 1
        self.counts.repeats += bool(hook.accepted)
        self._on_post()
        attempt = len(hook.posts)
        request = hook_request(hook.sample, hook.door.secret.encode(), seed=hook.seed, now=hook.at, attempt=attempt)
        if not hook.keyed:
            headers = {name: text for name, text in request.headers.items() if name != "Idempotency-Key"}
            request = replace(request, headers=headers)
        answer = await self._sentry.post(post.url + hook.door.path, request)
        post.ended_at = asyncio.get_running_loop().time()
        self._heed(hook, post, answer)

    def _heed(self, hook: Hook, post: Post, answer: Answer) -> None:
        self.counts.answered.append((asyncio.get_running_loop().time(), _word(answer)))
        self._answered.set()
        self._answered = asyncio.Event()
        where = f"{hook.sample.name} to {hook.door.tenant}"
        if answer.status == _ACCEPTED:
            delivery_id = str(orjson.loads(answer.body)["delivery"])
            post.delivery_id = delivery_id
            post.in_time = answer.seconds < _IN_TIME_S[hook.sample.sender]
            hook.accepted.setdefault(delivery_id, post.ended_at)
            if hook.keyed and len(hook.accepted) > 1:
                self.counts.wrong.append(f"{where}: one idempotency key was answered {list(hook.accepted)}")
            self._on_accepted()
        elif answer.status == _NOT_STORED and b'"not_stored"' in answer.body:
            return
        elif answer.status not in (TIMED_OUT, CONNECTION_FAILED):
            self.counts.wrong.append(f"{where}: answered {answer.status} {answer.body[:200]!r}")

    async def _for_s(self, seconds: float) -> None:
        """Sleep, less long once it is stopping."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _word(answer: Answer) -> str:
    names = {TIMED_OUT: "no answer in time", CONNECTION_FAILED: "no connection"}
    return names.get(answer.status, str(answer.status))
