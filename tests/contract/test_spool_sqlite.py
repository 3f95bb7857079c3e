"""What is particular to the spool on SQLite: its file, its one owner, its writer."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from app.errors import SpoolError
from app.model import Accepted, Burial, Cause, Delivery, Search, State
from app.spool.sql import Queries
from app.spool.sqlite.file import APPLICATION_ID, COPYING_ID, SCHEMA_VERSION, check_file, connect, lay_out, lock_file
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import ANNA, budgets_of, hook


async def _open(path: Path) -> SqliteSpool:
    return await SqliteSpool.open(path, hooks_max=1000, bytes_max=10**9, queue_hooks_max=1000)


async def test_its_folder_is_made_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Payloads hold what users of somebody's service did."""
    path = tmp_path / "new" / "spool.db"
    async with await _open(path) as spool:
        await spool.accept(hook(1), ["main"])
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


async def test_every_commit_is_synced(tmp_path: Path) -> None:
    """WAL with synchronous=FULL: the log is synced before an accept returns."""
    async with await _open(tmp_path / "spool.db"):
        pass
    connection = connect(tmp_path / "spool.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


async def test_freed_pages_are_not_overwritten(tmp_path: Path) -> None:
    """However SQLite was built: with zeros a delivered payload would be written twice."""
    async with await _open(tmp_path / "spool.db"):
        pass
    connection = connect(tmp_path / "spool.db")
    assert connection.execute("PRAGMA secure_delete").fetchone() == (2,), "FAST"
    connection.close()


async def test_it_has_one_owner(tmp_path: Path) -> None:
    """A second process (here: a second opening) is refused, and the first goes on."""
    path = tmp_path / "spool.db"
    async with await _open(path) as spool:
        with pytest.raises(SpoolError, match="one owner"):
            await _open(path)
        assert (await spool.accept(hook(1), ["main"])).fresh
    async with await _open(path):
        pass


async def test_a_lock_that_was_removed_is_taken_again(tmp_path: Path) -> None:
    """Whoever takes it for stale and removes it lets no second owner in."""
    path = tmp_path / "spool.db"
    async with await _open(path) as spool:
        (tmp_path / "spool.db.lock").unlink()
        await claimed(spool)
        with pytest.raises(SpoolError, match="one owner"):
            await _open(path)
        assert (await spool.accept(hook(1), ["main"])).fresh


async def test_an_owner_whose_lock_is_anothers_by_now_ends(tmp_path: Path) -> None:
    """In words, and it claims nothing more: two owners would send everything twice."""
    path = tmp_path / "spool.db"
    told: list[str] = []
    async with await _open(path) as spool:
        spool.on_fatal(told.append)
        await spool.accept(hook(1), ["main"])
        (tmp_path / "spool.db.lock").unlink()
        with lock_file(path):
            with pytest.raises(SpoolError, match="another process"):
                await claimed(spool)
            assert "the lock of the spool was removed" in told[0]


async def test_the_lock_follows_no_link_and_empties_nothing(tmp_path: Path) -> None:
    """A folder that others may write in must not turn the relay against a file of somebody else."""
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / "spool.db.lock").symlink_to(theirs)
    with pytest.raises(SpoolError, match=r"spool\.db cannot be opened"):
        await _open(tmp_path / "spool.db")
    assert theirs.read_text() == "theirs"


async def test_a_folder_that_others_may_write_in_is_told(tmp_path: Path) -> None:
    """They could put another file in place of the spool."""
    tmp_path.chmod(0o777)  # noqa: ASYNC240 - a test's folder
    async with await _open(tmp_path / "spool.db") as spool:
        assert any("others may write in" in words for words in spool.evidence().remarks)
    tmp_path.chmod(0o700)  # noqa: ASYNC240 - a test's folder
    async with await _open(tmp_path / "spool.db") as spool:
        assert not any("others may write in" in words for words in spool.evidence().remarks)


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Checked before any write."""
    path = tmp_path / "spool.db"
    async with await _open(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="schema version"):
        await _open(path)
    assert path.read_bytes() == before


async def test_what_an_older_relay_stored_is_all_there(tmp_path: Path) -> None:
    """The schema of version 1 is brought to this one at the start; waiting, parked and dead deliveries stay."""
    path = tmp_path / "spool.db"
    with sqlite3.connect(path, isolation_level=None) as old:
        old.executescript(Queries.text("sqlite/sql/migrations/0001_spool.sql"))
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        for seq, tenant, state, cause, buried_at in (
            (1, "acme", 0, None, None),
            (2, "", 1, None, None),
            (3, "acme", 2, "rejected", 1_700_000_500.0),
        ):
            about = '["integration","issue","","","","env:S"]'
            stored = (seq, f"{seq:032x}", tenant, "u", 1_700_000_000.0, 2, about, b"{}")
            old.execute("INSERT INTO hooks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", stored)
            stream = f"{tenant}/main" if tenant else "/"
            old.execute(
                "INSERT INTO deliveries VALUES (?, ?, ?, 0, 1700000000, 2, 3, 1, 'code 6', ?, ?, ?)",
                (seq * 64, state, stream, f"{seq:032x}", cause, buried_at),
            )
        old.execute("INSERT INTO ledger (stream, accepted) VALUES ('acme/main', 2), ('/', 1)")
        old.execute("UPDATE fill SET hooks = 3, bytes = 6")
        keys = ((b"k" * 16, "a1", 1_700_000_000.0), (b"s" * 16, "a1", 1_700_000_000.0))
        old.executemany("INSERT INTO seen (dedup_key, delivery_id, at) VALUES (?, ?, ?)", keys)
    old.close()
    async with await _open(path) as spool:
        lives = await spool.find(Search(), limit=10)
        assert [each.state for each in lives] == [State.DEAD, State.PARKED, State.WAITING]
        assert {(each.attempts, each.ambiguous, each.fault, each.verified_with) for each in lives} == {
            (3, 1, "code 6", "env:S")
        }
        assert (await spool.stats()).dead_bytes == 2
        (delivery,) = await spool.claim(limit=9, per_stream=9, bytes_max=99, lease_s=9)
        assert await spool.settle([delivery]) == 1
        assert await spool.redeliver([lives[0].seq], change=ANNA) == 1
        repeat, alike = hook(1, key_digest=b"k" * 16), hook(2, key_digest=b"", body_digest=b"s" * 16, resendable=True)
        assert await spool.accept(repeat, ["main"]) == Accepted("a1", fresh=False)
        assert await spool.accept(alike, ["main"]) == Accepted(alike.delivery_id, fresh=True, same_body_as="a1")
        assert (await spool.stats()).dedup_keys == 2
    with sqlite3.connect(path) as migrated:
        assert migrated.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    migrated.close()


class Hands:
    """A wall's clock that people set, beside one that they do not."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.steady = 50.0

    def pass_by(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.steady += seconds

    async def open(self, path: Path) -> SqliteSpool:
        """A spool that goes by them."""
        limits: dict[str, Any] = {"hooks_max": 1000, "bytes_max": 10**9, "queue_hooks_max": 1000}
        return await SqliteSpool.open(path, clock=lambda: self.wall, steady=lambda: self.steady, **limits)


async def claimed(spool: SqliteSpool) -> list[Delivery]:
    """Everything that is due."""
    return await spool.claim(limit=9, per_stream=9, bytes_max=999, lease_s=60)


async def test_a_clock_that_is_put_ahead_ends_no_lease(tmp_path: Path) -> None:
    """Leases go by a clock that nobody sets: what is under way is not handed out a second time."""
    hands = Hands()
    async with await hands.open(tmp_path / "spool.db") as spool:
        await spool.accept(hook(1), ["main"])
        deliveries = await claimed(spool)
        hands.wall += 7_200
        assert await claimed(spool) == []
        hands.pass_by(59)
        assert await spool.renew(deliveries, lease_s=60) == {deliveries[0].seq}
        hands.pass_by(59)
        assert await spool.settle(deliveries) == 1


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_clock_that_is_set_back_delays_nothing_by_as_much(tmp_path: Path, *, restarted: bool) -> None:
    """What was due in a minute is due in a minute, also if it is set while nobody runs; nothing waits for hours."""
    hands = Hands()
    spool = await hands.open(tmp_path / "spool.db")
    await spool.accept(hook(1), ["main"])
    await spool.accept(hook(2), ["main"])
    first, _ = await claimed(spool)
    await spool.release([first], retry_in_s=40)
    if restarted:
        await spool.close()
    hands.wall -= 7_200
    if restarted:
        spool = await hands.open(tmp_path / "spool.db")
    hands.pass_by(1)
    await claimed(spool)
    hands.pass_by(38)
    assert await claimed(spool) == []
    hands.pass_by(2)
    assert [each.seq for each in await claimed(spool)] == [first.seq]
    await spool.close()


@pytest.mark.parametrize("written", ["accepted", "released"])
async def test_a_crash_right_after_the_clock_was_set_back_delays_nothing(tmp_path: Path, written: str) -> None:
    """Nobody has looked at the clock since, and what came in last has the right time already."""
    hands = Hands()
    spool = await hands.open(tmp_path / "spool.db")
    await spool.accept(hook(1), ["main"])
    (first,) = await claimed(spool)
    hands.wall += 7_200
    if written == "accepted":
        await spool.accept(hook(2), ["main"])
    await spool.release([first], retry_in_s=40)
    hands.wall -= 7_200
    await spool.accept(hook(3), ["main"])
    await spool.close()
    async with await hands.open(tmp_path / "spool.db") as again:
        hands.pass_by(42)
        assert len(await claimed(again)) == (3 if written == "accepted" else 2)


async def test_a_clock_that_was_set_back_is_tried_again_to_be_followed(tmp_path: Path) -> None:
    """A disk that is full just then does not make deliveries wait for as long."""
    hands = Hands()
    path = tmp_path / "spool.db"
    async with await hands.open(path) as spool:
        await spool.accept(hook(1), ["main"])
        hands.wall -= 7_200
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("CREATE TRIGGER full BEFORE UPDATE ON fill BEGIN SELECT raise(ABORT, 'full'); END")
            with pytest.raises(SpoolError):
                await claimed(spool)
            other.execute("DROP TRIGGER full")
        other.close()
        assert len(await claimed(spool)) == 1


async def test_the_audit_cannot_be_changed_even_by_hand(tmp_path: Path) -> None:
    """Whoever has the file can still replace it; nothing that works on it removes an entry."""
    path = tmp_path / "spool.db"
    async with await _open(path) as spool:
        await spool.accept(hook(1), ["main"])
        (delivery,) = await spool.claim(limit=9, per_stream=9, bytes_max=99, lease_s=9)
        await spool.bury([Burial(delivery, Cause.REJECTED, "code 6")])
        await spool.discard([delivery.seq], change=ANNA)
    with sqlite3.connect(path) as connection:
        for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'nobody'"):
            with pytest.raises(sqlite3.IntegrityError, match="the audit only grows"):
                connection.execute(statement)
    connection.close()


async def test_what_cannot_be_audited_is_not_done(tmp_path: Path) -> None:
    """The change and its entry are one transaction, by hand and by budget."""
    path = tmp_path / "spool.db"
    async with await _open(path) as spool:
        await spool.accept(hook(1), ["main"])
        (delivery,) = await spool.claim(limit=9, per_stream=9, bytes_max=99, lease_s=9)
        await spool.bury([Burial(delivery, Cause.REJECTED, "code 6")])
        with sqlite3.connect(path) as other:
            other.execute("CREATE TRIGGER shut BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'shut'); END")
        other.close()
        with pytest.raises(SpoolError, match="shut"):
            await spool.redeliver([delivery.seq], change=ANNA)
        with pytest.raises(SpoolError, match="shut"):
            await spool.discard([delivery.seq], change=ANNA)
        with pytest.raises(SpoolError, match="shut"):
            await spool.expire(budgets_of(dead_bytes_max=0), limit=9)
        (life,) = await spool.find(Search(), limit=9)
        assert (life.state, life.cause) == (State.DEAD, Cause.REJECTED)
        (count,) = (await spool.stats()).streams
        assert (count.dead, count.discarded) == (1, 0)


async def test_what_is_forgotten_makes_room_in_the_file(tmp_path: Path) -> None:
    """A history at its limit takes no more of the disk, however much goes through it."""
    path = tmp_path / "spool.db"
    sizes = []
    async with await _open(path) as spool:
        for round_ in range(8):
            for number in range(50):
                await spool.accept(hook(round_ * 50 + number), ["main"])
            await spool.settle(await spool.claim(limit=99, per_stream=99, bytes_max=10**6, lease_s=9))
            while (await spool.expire(budgets_of(history_max=100, dedup_window_s=0), limit=50)).changed:
                pass
            (await asyncio.to_thread(_checkpoint, path)).close()
            sizes.append(path.stat().st_size)
        assert (await spool.stats()).history == 100
    assert sizes[-1] == sizes[3]


def _checkpoint(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return connection


def test_an_older_relays_half_copy_is_still_one(tmp_path: Path) -> None:
    """Bringing its schema forward does not make a whole spool of it."""
    with sqlite3.connect(tmp_path / "spool.db", isolation_level=None) as connection:
        connection.executescript(Queries.text("sqlite/sql/migrations/0001_spool.sql"))
        connection.execute(f"PRAGMA application_id = {COPYING_ID}")
        connection.execute("PRAGMA user_version = 1")
        lay_out(connection, new=False)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        with pytest.raises(SpoolError, match="has not ended"):
            check_file(tmp_path / "spool.db", connection)
    connection.close()


async def test_another_programs_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A typo in the URL must not write tables into somebody's database."""
    path = tmp_path / "browser.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE history (url TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="another program"):
        await _open(path)
    assert path.read_bytes() == before
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all " * 100)
    with pytest.raises(SpoolError, match="cannot be opened"):
        await _open(text)
    assert {each.name for each in tmp_path.iterdir()} == {"browser.db", "notes.txt"}  # noqa: ASYNC240 - a test's folder


async def test_an_unwritable_place_is_told_in_words(tmp_path: Path) -> None:
    """The sentence names the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="file/spool"):
        await _open(tmp_path / "file" / "spool.db")
