"""``relay spool``: what an operator types to move a spool or to migrate its schema."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from app.__main__ import main
from app.spool.engines import open_spool
from app.spool.postgres.schema import SCHEMA_VERSION
from tests.contract.engines import PostgresPlace, hook, make_place


@pytest.fixture
async def place(postgres_url: str) -> AsyncIterator[PostgresPlace]:
    """An empty schema, dropped at the end."""
    async with make_place(postgres_url) as made:
        yield made


async def relay(*words: str, **environ: str) -> Result:
    """The command, on a thread: it has an event loop of its own."""

    def run() -> Result:
        return CliRunner().invoke(main, ["spool", *words], env=environ)

    return await anyio.to_thread.run_sync(run)


async def test_migrating_says_which_version_there_is_now(place: PostgresPlace) -> None:
    """By argument or by RELAY_SPOOL_URL; the second time nothing is to do."""
    await place.run("CREATE TABLE theirs (n integer)")
    first = await relay("migrate", place.url)
    assert (first.exit_code, first.output) == (0, f"schema version {SCHEMA_VERSION}, was 0\n")
    second = await relay("migrate", RELAY_SPOOL_URL=place.url)
    assert (second.exit_code, second.output) == (0, f"schema version {SCHEMA_VERSION}\n")
    assert "by itself" in (await relay("migrate", "sqlite:///x.db")).output


async def test_copying_says_what_was_copied(tmp_path: Path, place: PostgresPlace) -> None:
    """A URL, or the variable that holds it."""
    source = f"sqlite:///{tmp_path}/spool.db"
    async with await open_spool(source, hooks_max=10, bytes_max=10_000, queue_hooks_max=10) as spool:
        await spool.accept(hook(1), ["main", "audit"])
    done = await relay("copy", source, "@NEW_SPOOL", NEW_SPOOL=place.url)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("copied and compared: 1 hooks, 2 deliveries, 1 dedup keys, 0 in the history, 0 in")
    again = await relay("copy", source, place.url)
    assert again.exit_code == 1
    assert "is not empty" in again.output


@pytest.mark.parametrize("url", ["postgresql://u:hun/ter2@h/x", "postgresql://u:hunter2@127.0.0.1:1/x", "hunter2"])
async def test_no_refusal_shows_a_password(url: str, tmp_path: Path) -> None:
    """A sentence and status 1, whatever is wrong with the URL."""
    for words in (("migrate", url), ("copy", f"sqlite:///{tmp_path}/a.db", url), ("copy", url, "@NO_SUCH")):
        done = await relay(*words)
        assert done.exit_code == 1
        assert done.output.startswith("Error: ")
        assert "ter2" not in done.output


async def test_copying_a_damaged_file_says_what_was_not_copied(tmp_path: Path) -> None:
    """What can be read is copied; the exit status tells a script that it was not all."""
    path = tmp_path / "spool.db"
    async with await open_spool(f"sqlite:///{path}", hooks_max=10, bytes_max=10**6, queue_hooks_max=10) as spool:
        for number in range(3):
            await spool.accept(hook(number, payload=b"<%d>" % number * 20_000), ["main"])
    content = bytearray(path.read_bytes())
    page = content.index(b"<1><1><1>") // 8192 * 8192
    content[page : page + 8192] = bytes(8192)
    path.write_bytes(content)
    done = await relay("copy", f"sqlite:///{path}", f"sqlite:///{tmp_path / 'new.db'}")
    assert done.exit_code == 2
    assert "copied and compared: 3 hooks, 3 deliveries" in done.output
    assert "is damaged, and not all of it could be read: the payloads of 1 hooks" in done.output
