"""Who may wait waits, a few at a time; and what many ask for is made once."""

import asyncio

import pytest

from app.recent import Recent
from app.turns import AT_ONCE_MAX, Turns


async def test_a_round_of_the_loop_has_so_many_turns() -> None:
    """In the order of coming; who hung up is passed over."""
    turns, seen = Turns(), []

    async def go(number: int) -> None:
        await turns.turn()
        seen.append(number)

    tasks = [asyncio.create_task(go(number)) for number in range(3 * AT_ONCE_MAX)]
    await asyncio.sleep(0)
    assert seen == list(range(AT_ONCE_MAX))
    tasks[AT_ONCE_MAX].cancel()
    await asyncio.wait(tasks)
    assert seen == [number for number in range(3 * AT_ONCE_MAX) if number != AT_ONCE_MAX]


async def test_what_many_ask_for_is_made_once() -> None:
    """At the same time, and for a while after; who hangs up takes it from nobody."""
    made, go_on = [], asyncio.Event()

    async def make() -> int:
        made.append(1)
        await go_on.wait()
        return len(made)

    recent = Recent(make, fresh_s=3600)
    asking = [asyncio.create_task(recent.get()) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await asyncio.gather(*asking[1:]) == [1] * 4
    assert await recent.get() == 1
    recent.forget()
    assert await recent.get() == 2


async def test_a_fault_is_everybodys_and_is_not_kept() -> None:
    """The next one who asks has it made anew."""
    made = []

    async def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise ValueError("not yet")
        return len(made)

    recent = Recent(make, fresh_s=3600)
    with pytest.raises(ValueError, match="not yet"):
        await recent.get()
    assert await recent.get() == 2
