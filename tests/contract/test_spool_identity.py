"""Which posts are one hook (``app/spool/identity.py``), proved against every engine."""

import asyncio

import pytest

from app.errors import NotStored
from app.model import Accepted, Hook, Search
from app.spool.interface import Spool
from tests.contract.engines import Engine, budgets_of, hook
from tests.contract.test_spool_contract import books, claim

MINUTE = 60
BYTES = b"b" * 16


def signed(number: int, *, body: bytes = BYTES, **changes: object) -> Hook:
    """A hook without a key, whose sender may post it again."""
    return hook(number, **({"key_digest": b"", "body_digest": body, "resendable": True} | changes))


def keyed(number: int, key: bytes, *, body: bytes = BYTES) -> Hook:
    """A hook with an idempotency key."""
    return hook(number, key_digest=key * 16, body_digest=body)


def unsigned(number: int, *, body: bytes = BYTES) -> Hook:
    """A hook of a sender that never posts again."""
    return hook(number, key_digest=b"", body_digest=body)


async def accept(spool: Spool, wanted: Hook) -> Accepted:
    """Stored, for one destination."""
    return await spool.accept(wanted, ["main"])


def fresh(wanted: Hook, same_body_as: Hook | None = None) -> Accepted:
    """The answer to a hook of its own."""
    return Accepted(wanted.delivery_id, fresh=True, same_body_as=same_body_as.delivery_id if same_body_as else "")


def repeat(first: Hook) -> Accepted:
    """The answer to a repeat."""
    return Accepted(first.delivery_id, fresh=False)


async def unanswered(spool: Spool, wanted: Hook, first: Hook | None = None) -> None:
    """Nobody read the answer (about a resend of ``first``); and that is written down before the clock is turned."""
    spool.unanswered(wanted, (first or wanted).delivery_id)
    await asyncio.sleep(0)
    await spool.stats()  # on PostgreSQL behind the note, on the same connection


async def test_the_same_key_is_one_hook_whatever_its_bytes(spool: Spool) -> None:
    """At the same time and later, delivered or not: Sentry's retry may count one event more."""
    one, again, changed = keyed(1, b"k"), keyed(1, b"k"), keyed(2, b"k", body=b"c" * 16)
    together = await asyncio.gather(accept(spool, one), accept(spool, again))
    assert list(together) == [fresh(one), repeat(one)]
    assert await accept(spool, changed) == repeat(one)
    await spool.settle(await claim(spool))
    assert await accept(spool, again) == repeat(one)
    assert (await books(spool)).accepted == 1


async def test_two_keys_are_two_hooks_whatever_the_bytes(spool: Spool) -> None:
    """Resolved, unresolved, resolved: the third is stored, and says whose bytes it has."""
    one, two, three = keyed(1, b"k"), keyed(2, b"l"), keyed(3, b"m")
    assert await accept(spool, one) == fresh(one)
    assert await accept(spool, two) == fresh(two, one)
    assert await accept(spool, three) == fresh(three, one)
    assert [each.hook.same_body_as for each in await claim(spool)] == ["", one.delivery_id, one.delivery_id]


async def test_a_repeat_remembers_nothing_of_itself(spool: Spool) -> None:
    """The bytes of a repeat under its own key are not those of a hook: nobody is marked with them."""
    one, changed, other = keyed(1, b"k"), keyed(2, b"k", body=b"c" * 16), keyed(3, b"l", body=b"c" * 16)
    await accept(spool, one)
    assert await accept(spool, changed) == repeat(one)
    assert await accept(spool, other) == fresh(other)


async def test_without_a_key_the_same_bytes_are_another_hook(spool: Spool) -> None:
    """Its sender had its answer, as far as anybody knows: what comes then has happened again."""
    one, two = signed(1), signed(2)
    assert await accept(spool, one) == fresh(one)
    assert await accept(spool, two) == fresh(two, one)
    assert (await books(spool)).accepted == 2


async def test_a_resend_is_the_hook_that_was_not_answered_and_only_once(engine: Engine, spool: Spool) -> None:
    """Answered with its id. Once that answer has reached the sender, the same bytes are another hook."""
    one, again, two = signed(1), signed(2), signed(3)
    await accept(spool, one)
    await unanswered(spool, one)
    engine.clock.now += 5 * MINUTE
    assert await accept(spool, again) == repeat(one)
    assert await accept(spool, two) == fresh(two, one)
    await unanswered(spool, two)
    assert await accept(spool, again) == repeat(two)
    assert (await books(spool)).accepted == 2


async def test_a_resend_whose_answer_is_lost_too_may_come_again(engine: Engine, spool: Spool) -> None:
    """Sentry tries three times, five minutes apart."""
    one = signed(1)
    await accept(spool, one)
    for number in (2, 3):
        await unanswered(spool, one)
        engine.clock.now += 6 * MINUTE
        assert await accept(spool, signed(number)) == repeat(one)
    await unanswered(spool, one)
    engine.clock.now += 9 * MINUTE
    assert await accept(spool, signed(4)) == fresh(signed(4), one)


@pytest.mark.parametrize(("after_s", "is_resend"), [(20 * MINUTE - 1, True), (20 * MINUTE + 1, False)])
async def test_no_resend_comes_after_twenty_minutes(
    engine: Engine, spool: Spool, after_s: float, *, is_resend: bool
) -> None:
    """What comes later has happened again."""
    one, two = signed(1), signed(2)
    await accept(spool, one)
    await unanswered(spool, one)
    engine.clock.now += after_s
    assert await accept(spool, two) == (repeat(one) if is_resend else fresh(two, one))


async def test_a_sender_that_does_not_retry_is_never_folded(spool: Spool) -> None:
    """GlitchTip's same alert again is an alert again, whatever became of the answer."""
    hooks = [unsigned(number) for number in range(3)]
    for each in hooks:
        answer = await accept(spool, each)
        assert answer == fresh(each, None if each is hooks[0] else hooks[0])
        await unanswered(spool, each)


async def test_a_keyed_hook_is_no_resend_and_hides_none(spool: Spool) -> None:
    """What had a key comes again with that key; between two tries without one it changes nothing."""
    one, between, again = signed(1), keyed(2, b"k"), signed(3)
    await accept(spool, one)
    await unanswered(spool, one)
    assert await accept(spool, between) == fresh(between, one)
    await unanswered(spool, between)
    assert await accept(spool, again) == repeat(one)


async def test_many_with_the_same_bytes_at_once_are_all_stored(spool: Spool) -> None:
    """Each under its own id; all but the first are marked with the first's."""
    hooks = [signed(number) for number in range(150)]
    answers = await asyncio.gather(*(accept(spool, each) for each in hooks))
    assert {answer.delivery_id for answer in answers} == {each.delivery_id for each in hooks}
    assert all(answer.fresh for answer in answers)
    (first,) = [answer.delivery_id for answer in answers if not answer.same_body_as]
    assert {answer.same_body_as for answer in answers} == {"", first}
    assert len(await claim(spool)) == 150


async def test_of_many_resends_at_once_one_is_the_unanswered_hook(spool: Spool) -> None:
    """One answer was lost, so one post is its resend. The others are told apart by nothing and are stored."""
    one = signed(0)
    await accept(spool, one)
    await unanswered(spool, one)
    answers = await asyncio.gather(*(accept(spool, signed(number)) for number in range(1, 9)))
    assert sorted(answer.fresh for answer in answers) == [False, *[True] * 7]
    assert repeat(one) in answers


async def test_what_was_not_answered_is_known_after_a_restart(engine: Engine) -> None:
    """An orderly end writes it down."""
    first = await engine.open()
    one, two = signed(1), signed(2, body=b"c" * 16)
    for each in (one, two):
        await accept(first, each)
    first.unanswered(one, one.delivery_id)
    await first.close()
    second = await engine.open()
    assert await accept(second, signed(3)) == repeat(one)
    other = signed(4, body=b"c" * 16)
    assert await accept(second, other) == fresh(other, two)


async def test_after_a_crash_the_same_bytes_are_a_hook_of_their_own(engine: Engine) -> None:
    """Whether the answer had reached its sender is not known, and doubled is better than lost."""
    first = await engine.open()
    await accept(first, signed(1))
    await first.close()
    second = await engine.open()
    assert await accept(second, signed(2)) == fresh(signed(2), signed(1))


async def test_a_full_spool_answers_repeats_and_resends(engine: Engine) -> None:
    """They need no room."""
    spool = await engine.open(hooks_max=2)
    one, two = keyed(1, b"k"), signed(2, body=b"c" * 16)
    for each in (one, two):
        await accept(spool, each)
    await unanswered(spool, two)
    with pytest.raises(NotStored):
        await accept(spool, keyed(3, b"l"))
    assert await accept(spool, keyed(1, b"k")) == repeat(one)
    assert await accept(spool, signed(4, body=b"c" * 16)) == repeat(two)
    with pytest.raises(NotStored):
        await accept(spool, signed(5, body=b"c" * 16))


async def test_bytes_are_forgotten_a_window_after_they_came_last(engine: Engine, spool: Spool) -> None:
    """Each hook with them keeps them in mind; then nobody is marked any more."""
    budgets = budgets_of(dedup_window_s=100)
    await accept(spool, unsigned(1))
    for number in (2, 3):
        engine.clock.now += 60
        assert (await accept(spool, unsigned(number))).same_body_as == unsigned(1).delivery_id
        await spool.expire(budgets, limit=10)
    engine.clock.now += 101
    await spool.expire(budgets, limit=10)
    assert (await spool.stats()).dedup_keys == 0
    assert await accept(spool, unsigned(4)) == fresh(unsigned(4))


async def test_no_more_digests_are_remembered_than_there_may_be(spool: Spool) -> None:
    """The oldest go first, in bounded steps, and what is counted is what there is."""
    for number in range(30):
        await accept(spool, hook(number, body_digest=(1000 + number).to_bytes(16, "big")))
    assert (await spool.stats()).dedup_keys == 60
    budgets, steps = budgets_of(dedup_keys_max=20), 0
    while (await spool.expire(budgets, limit=7)).changed:
        steps += 1
    assert steps == 6
    assert (await spool.stats()).dedup_keys == 20
    assert not (await accept(spool, hook(29))).fresh
    assert (await accept(spool, hook(0))).fresh


async def test_a_mark_is_told_with_the_delivery_wherever_it_is_seen(spool: Spool) -> None:
    """Claimed, found while it waits, and after its end; other fields are not disturbed by it."""
    one, two = unsigned(1), hook(2, key_digest=b"", body_digest=BYTES, verified_with="env:K", request_id='"quoted"')
    await accept(spool, one)
    await accept(spool, two)
    claimed = {each.hook.delivery_id: each for each in await claim(spool)}
    again = claimed[two.delivery_id].hook
    assert (again.same_body_as, again.verified_with, again.request_id) == (one.delivery_id, "env:K", '"quoted"')
    for _ in range(2):
        found = await spool.find(Search(delivery_ids=frozenset({two.delivery_id})), limit=9)
        assert [(each.verified_with, each.same_body_as) for each in found] == [("env:K", one.delivery_id)]
        await spool.settle(list(claimed.values()))
