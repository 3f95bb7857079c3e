"""The disk that the power cuts of the torture rebuild: what it keeps, and what it may forget."""

from random import Random

import pytest

from tests.torture.write_log import DATABASE, FOLDER, LOG, SECTOR, Disk, Op, Record, Remains

SEEDS = range(30)


def disk(*records: tuple[Op, int, int, bytes]) -> Disk:
    """After these: operation, file, offset, content."""
    made = Disk()
    for place, (op, file, offset, content) in enumerate(records):
        made.apply(place, Record(0.0, op, file, offset, content))
    return made


def left(made: Disk, remains: Remains, seed: int = 0) -> dict[int, bytes]:
    """What a power cut leaves."""
    return made.left(remains, Random(seed))  # noqa: S311 - repeatable on purpose


NEW = ((Op.CREATE, DATABASE, 0, b""), (Op.SYNC_BEGIN, FOLDER, 1, b""), (Op.SYNC_END, FOLDER, 1, b""))
SYNCED = (Op.SYNC_BEGIN, DATABASE, 1, b""), (Op.SYNC_END, DATABASE, 1, b"")


@pytest.mark.parametrize("remains", Remains)
def test_what_was_synced_is_there_whatever_else_is_lost(remains: Remains) -> None:
    """A sync that returned covers every write before it."""
    made = disk(*NEW, (Op.WRITE, DATABASE, 0, b"kept"), *SYNCED, (Op.WRITE, DATABASE, 4, b"new"))
    assert all(left(made, remains, seed)[DATABASE][:4] == b"kept" for seed in SEEDS)


def test_a_write_after_the_sync_began_may_be_lost() -> None:
    """A sync promises nothing for what was written while it went on."""
    begin, end = SYNCED
    made = disk(*NEW, begin, (Op.WRITE, DATABASE, 0, b"late"), end)
    assert left(made, Remains.NONE) == {DATABASE: b""}
    assert left(made, Remains.ALL) == {DATABASE: b"late"}


def test_a_file_whose_folder_was_not_synced_may_be_gone() -> None:
    """Syncing a file says nothing of its name."""
    made = disk((Op.CREATE, DATABASE, 0, b""), (Op.WRITE, DATABASE, 0, b"text"), *SYNCED)
    assert left(made, Remains.NONE) == {}
    assert left(made, Remains.ALL) == {DATABASE: b"text"}


def test_a_file_that_was_removed_may_be_back() -> None:
    """With what it had, and in place of the one that was made after it."""
    log = (Op.CREATE, LOG, 0, b""), (Op.WRITE, LOG, 0, b"old"), (Op.SYNC_BEGIN, LOG, 1, b""), (Op.SYNC_END, LOG, 1, b"")
    folder = NEW[1:]
    made = disk(*log, *folder, (Op.UNLINK, LOG, 0, b""), (Op.CREATE, LOG, 0, b""), (Op.WRITE, LOG, 0, b"new"))
    assert left(made, Remains.NONE) == {LOG: b"old"}
    assert left(made, Remains.ALL) == {LOG: b"new"}


def test_a_write_may_tear_between_sectors_and_only_there() -> None:
    """Each sector is old or new, and every mixture comes up."""
    made = disk(*NEW, (Op.WRITE, DATABASE, 0, b"a" * 2 * SECTOR), *SYNCED, (Op.WRITE, DATABASE, 0, b"b" * 2 * SECTOR))
    old, new = b"a" * SECTOR, b"b" * SECTOR
    assert {left(made, Remains.RANDOM, seed)[DATABASE] for seed in SEEDS} == {
        old + old,
        old + new,
        new + old,
        new + new,
    }
    assert {left(made, Remains.TORN, seed)[DATABASE] for seed in SEEDS} == {old + old, new + old, new + new}


def test_a_truncation_may_be_lost_like_a_write() -> None:
    """The size is part of what a sync covers."""
    made = disk(*NEW, (Op.WRITE, DATABASE, 0, b"long"), *SYNCED, (Op.TRUNCATE, DATABASE, 1, b""))
    assert left(made, Remains.NONE) == {DATABASE: b"long"}
    assert left(made, Remains.ALL) == {DATABASE: b"l"}
