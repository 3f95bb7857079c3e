"""Sentry's side of a trial: hooks from several posters at once, and what each was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
_PUBLISHED, _REPEATED = 0.5, 0.08
_ANSWER_DEADLINE_S = 30.0
_ACCEPTED, _NOT_STORED = 202, 500


@dataclass(slots=True, kw_only=True)
class Hook:
    """A hook that was posted at least once."""

    door: Door
    sample: Sample
    seed: int
    at: float
    published: bool
    """Sentry tries again after a 500 or no answer at all; else it forgets."""
    posts: int = 0
    delivery_id: str | None = None
    """From its 202; ``None`` while nothing was promised."""
    accepted_at: float = 0.0
    """When that was, on the loop's clock."""


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
            nobody_there = hook.delivery_id is None
            await self._for_s(self._rng.expovariate(1 / (_REFUSED_PAUSE_S if nobody_there else pause_s)))

    def _new_hook(self) -> Hook:
        door = self._rng.choice(self._world.doors)
        hook = Hook(
            door=door,
            sample=self._rng.choice(door.samples),
            seed=len(self.counts.hooks),
            at=time.time(),
            published=self._rng.random() < _PUBLISHED,
        )
        self.counts.hooks.append(hook)
        return hook

    def _again(self, hook: Hook) -> bool:
        if hook.delivery_id is None:
            return hook.published and hook.posts < ATTEMPTS_MAX
        return hook.posts < ATTEMPTS_MAX and self._rng.random() < _REPEATED

    async def _post_again(self, hook: Hook) -> None:
        """Sentry's retries, or a repeat of what was accepted: sometimes two of them at the same time."""
        going_on = True
        while going_on:
            await self._for_s(self._rng.uniform(*RETRY_AFTER_S))
            twice = self._rng.random() < _REPEATED
            await asyncio.gather(*(self._post(hook) for _ in range(1 + twice)))
            going_on = self._again(hook)

    async def _post(self, hook: Hook) -> None:
        hook.posts += 1
        self.counts.posts += 1
        self.counts.repeats += hook.delivery_id is not None
        self._on_post()
        request = hook_request(hook.sample, hook.door.secret.encode(), seed=hook.seed, now=hook.at, attempt=hook.posts)
        answer = await self._sentry.post(self._rng.choice(self._urls) + hook.door.path, request)
        self._heed(hook, answer)

    def _heed(self, hook: Hook, answer: Answer) -> None:
        self.counts.answered.append((asyncio.get_running_loop().time(), _word(answer)))
        self._answered.set()
        self._answered = asyncio.Event()
        where = f"{hook.sample.name} to {hook.door.tenant}"
        if answer.status == _ACCEPTED:
            delivery_id = str(orjson.loads(answer.body)["delivery"])
            if hook.delivery_id not in (None, delivery_id):
                self.counts.wrong.append(f"{where}: a repeat was answered {delivery_id}, before {hook.delivery_id}")
            if hook.delivery_id is None:
                hook.accepted_at = asyncio.get_running_loop().time()
            hook.delivery_id = delivery_id
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
