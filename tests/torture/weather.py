"""How a Splunk misbehaves during a trial: single spoilt answers, bad spells, dead hec_tokens, a port that closes."""

import asyncio
from random import Random

from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.torture.ports import number, reserved_port

SCRIPTED_MAX = 4
"""No more single faults wait at a time, so that a healed Splunk is soon well."""
_BETWEEN_S = (0.03, 0.4)
_AMBIGUOUS, _POISONOUS = 0.4, 0.1
_STORED = 0.6
"""Of the ambiguous ones, so many store what they do not confirm."""


class Station:
    """A stand-in Splunk on a port that stays its own while it is closed."""

    def __init__(self, tokens: list[HecToken]) -> None:
        self.tokens = tokens
        self.splunk = StandInSplunk(tokens)
        self.cuts: list[tuple[float, float]] = []
        """From when to when its connections were cut, on the loop's clock."""
        self._reserved = reserved_port()
        self._port = number(self._reserved)
        self._is_open = False

    @property
    def url(self) -> str:
        """Where it listens, or would."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The same as a number."""
        return self._port

    async def open(self) -> None:
        """Listen, unless it does."""
        if not self._is_open:
            await self.splunk.start(port=self._port)
            self._is_open = True

    async def shut(self) -> None:
        """Refuse connections, and cut those there are."""
        self._is_open = False
        at = asyncio.get_running_loop().time()
        self.cuts.append((at, at))
        await self.splunk.stop()

    async def close(self) -> None:
        """For good."""
        await self.splunk.stop()
        self._reserved.close()


class Weather:
    """Bad weather over one Splunk, from ``run`` until ``clear``. ``hang_s`` outlasts the relay's patience."""

    def __init__(self, station: Station, rng: Random, *, hang_s: float) -> None:
        self._station = station
        self._splunk = station.splunk
        self._rng = rng
        self._hang_s = hang_s
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until cleared; then the Splunk is well, but for the few faults that may be left in its script."""
        spells = (self._single, self._spell, self._token_off, self._port_shut)
        while not self._over.is_set():
            [spell] = self._rng.choices(spells, (12, 3, 1, 1))
            await spell()
            await self._for_s(self._rng.uniform(*_BETWEEN_S))

    def clear(self) -> None:
        """End it soon."""
        self._over.set()

    async def _for_s(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return

    async def _single(self) -> None:
        if self._splunk.faults_left < SCRIPTED_MAX:
            token = self._rng.choice([None, self._rng.choice(self._station.tokens).value])
            self._splunk.script(self._fault(), token=token)

    async def _spell(self) -> None:
        self._splunk.always(self._fault())
        await self._for_s(self._rng.uniform(0.05, 0.6))
        self._splunk.always(None)

    async def _token_off(self) -> None:
        token = self._rng.choice(self._station.tokens)
        if self._rng.choice([True, False]):
            self._splunk.set_token(HecToken(token.value, disabled=True))
        else:
            self._splunk.remove_token(token.value)
        await self._for_s(self._rng.uniform(0.1, 0.5))
        self._splunk.set_token(token)

    async def _port_shut(self) -> None:
        await self._station.shut()
        await self._for_s(self._rng.uniform(0.05, 0.5))
        await self._station.open()

    def _fault(self) -> Fault:
        share = self._rng.random()
        if share < _AMBIGUOUS:
            return _ambiguous(self._rng, self._hang_s)
        return _poisonous(self._rng) if share < _AMBIGUOUS + _POISONOUS else _clean(self._rng)


def _clean(rng: Random) -> Fault:
    """Answers that say what was taken and what was not."""
    return rng.choice(
        [
            Fault.busy(),
            Fault.busy(after=rng.randint(1, 6)),
            Fault.busy(retry_after=0),
            Fault.status(429, retry_after=rng.choice([0, 1])),
            Fault.status(503, retry_after=1),
            Fault.status(503),
            Fault.status(404, html=False),
            Fault.code(26),
            Fault.code(rng.choice([18, 20])),
            Fault.shutting_down(),
            Fault.accept_then(24),
            Fault.slow(rng.uniform(0.05, 0.4)),
        ]
    )


def _poisonous(rng: Random) -> Fault:
    """Refusals that blame what was sent; some of it may end as a dead letter."""
    return rng.choice(
        [
            Fault.code(rng.choice([6, 12, 13, 15]), number=rng.randint(0, 3)),
            Fault.code(rng.choice([5, 6])),
            Fault.code(7, number=1),
            Fault.status(400),
            Fault.status(413),
        ]
    )


def _ambiguous(rng: Random, hang_s: float) -> Fault:
    """No success is seen, whether or not anything was stored."""
    stored = rng.random() < _STORED
    return rng.choice(
        [
            Fault.hang(stored, hang_s),
            Fault.stall(hang_s),
            Fault.slow(hang_s),
            Fault.cut(stored),
            Fault.cut(stored, partial_answer=True),
            Fault.cut(stored, reset=True),
            Fault.code(8, stored=stored),
            Fault.status(500, stored=stored),
            Fault.status(502, stored=stored),
            Fault.status(504, stored=stored),
            Fault.ok_html(stored),
            Fault.ok_empty(stored),
            Fault.code(6, number=999),
            Fault.code(9, number=999),
        ]
    )
