"""What is claimed here, and what of it may be posted and written."""

import pytest

from app.model import Attempt, Burial, Cause, Stream
from tests.unit.delivery_parts import Parts, delivery

ACME, GLOBEX = Stream("acme", "main"), Stream("globex", "main")
DOUBT = Attempt(1.0, 1.0, "no answer", ambiguous=True)


def counts(parts: Parts) -> tuple[int, int, int, int]:
    """How many are held, their bytes, and both of acme's."""
    held = parts.claims
    return len(held), held.bytes_held, held.held(ACME), held.bytes_of(ACME)


async def test_what_is_held_is_counted_by_stream_until_the_spool_knows() -> None:
    """Count and bytes, also after the payload is given up."""
    parts = Parts()
    fresh = parts.claims.take([delivery(1, payload=b"12345"), delivery(2, tenant="globex", payload=b"123")])
    assert (counts(parts), parts.claims.held(GLOBEX)) == ((2, 8, 1, 5), 1)
    light = parts.claims.without_payload(fresh[0])
    assert (light.hook.payload, counts(parts)) == (b"", (2, 8, 1, 5))
    await parts.claims.settle([light])
    assert (counts(parts), parts.spool.told) == ((1, 3, 0, 0), [("settle", (1,))])
    assert repr(parts.claims) == (
        "<Claims 1 deliveries of 1 streams, 3 bytes, 0 stolen, 0 outcomes unwritten, leases safe>"
    )


async def test_what_is_claimed_again_is_not_delivered_twice() -> None:
    """Its lease ran out meanwhile: it goes on under the new one, and what is written is written under that."""
    parts = Parts()
    parts.claims.take([delivery(1, lease="old")])
    parts.claims.stolen.add(1)
    assert parts.claims.take([delivery(1, lease="new"), delivery(2)]) == [delivery(2)]
    assert (len(parts.claims), parts.claims.stolen) == (2, set())


async def test_what_a_renewal_does_not_give_back_is_stolen_until_it_is_forgotten() -> None:
    """Nobody posts it here any more, and no count keeps it."""
    parts = Parts()
    both = parts.claims.take([delivery(1), delivery(2)])
    parts.spool.ours = {2}
    await parts.claims.renew(lease_s=30)
    assert parts.claims.stolen == {1}
    parts.claims.forget(both[:1])
    assert (parts.claims.stolen, len(parts.claims), parts.spool.told) == (set(), 1, [("renew", (1, 2))])


@pytest.mark.parametrize("doing", ["settle", "bury", "release in doubt"])
async def test_what_happened_is_written_until_it_is(doing: str) -> None:
    """A full disk delays it; meanwhile it is held, and said."""
    parts = Parts()
    held = parts.claims.take([delivery(1)])
    parts.spool.failing = 3
    if doing == "bury":
        await parts.claims.bury([Burial(held[0], Cause.REJECTED, "no")])
    elif doing == "settle":
        await parts.claims.settle(held)
    else:
        await parts.claims.release(held, retry_in_s=1, tried=[DOUBT])
    assert (parts.spool.told, parts.spool.failing, len(parts.claims)) == ([(doing, (1,))], 0, 0)
    assert parts.claims.trouble is None


async def test_what_is_merely_given_back_is_tried_once() -> None:
    """Its lease runs out anyway, and then somebody has it."""
    parts = Parts()
    held = parts.claims.take([delivery(1)])
    parts.spool.failing = 1
    await parts.claims.release(held, retry_in_s=1)
    assert (parts.spool.told, len(parts.claims)) == ([], 0)


async def test_nothing_is_posted_while_a_lease_may_have_run_out() -> None:
    """The first claim says until when; a later one does not make what is held already safer; a renewal does."""
    parts = Parts()
    told = [(parts.claims.lease_is_safe, parts.claims.trouble)]
    parts.claims.take([delivery(1)], safe_until=0.0)
    parts.claims.take([delivery(2)], safe_until=float("inf"))
    told.append((parts.claims.lease_is_safe, str(parts.claims.trouble)[:70]))
    await parts.claims.renew(lease_s=3600)
    told.append((parts.claims.lease_is_safe, parts.claims.trouble))
    doubt = "nothing is posted: the leases of 2 claimed deliveries could not be renewed"
    assert told == [(True, None), (False, doubt[:70]), (True, None)]
