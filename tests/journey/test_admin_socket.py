"""An operator on the host needs no set-up: the admin API on a Unix socket beside the spool."""

import json
import os
import socket
from pathlib import Path

import pytest

from app.errors import ConfigError
from tests.journey.admin_world import bury_over_socket, relay
from tests.journey.relay_world import world


@pytest.mark.parametrize("long", [False, True])
async def test_a_running_relay_is_asked_through_its_socket(tmp_path: Path, *, long: bool) -> None:
    """Without a token and without an option, by the settings of the relay or by the spool; however long the path is."""
    folder = tmp_path / ("a-folder-with-a-long-name" * 5 if long else "short")
    folder.mkdir()
    spool = f"sqlite:///{folder / 'spool.db'}"
    async with world(folder) as there:
        (delivery_id,) = await bury_over_socket(there, spool, 1)
        path = folder / "spool.db.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        for place in ({"RELAY_SPOOL_URL": spool}, {}):
            listed = await relay("list", "--json", *([] if place else ["--spool", spool]), **place)
            assert listed.exit_code == 0, listed.output
            assert [row["delivery_id"] for row in json.loads(listed.output)["deliveries"]] == [delivery_id]
        done = await relay("redeliver", delivery_id, "--reason", "mended", "--actor", "ada", RELAY_SPOOL_URL=spool)
        assert done.output.splitlines()[-1] == "1 dead letter redelivered"
        await there.landed(1)
    assert not path.exists()


async def test_a_socket_that_a_killed_relay_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """The next start takes its place; without a relay the spool itself is asked."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "spool.db.sock"))
    left.close()
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path):
        assert (await relay("stats", RELAY_SPOOL_URL=spool)).exit_code == 0
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "spool.db.sock"))
    left.close()
    assert (await relay("stats", RELAY_SPOOL_URL=spool)).exit_code == 0


async def test_a_file_that_is_no_socket_stays_and_the_relay_runs(tmp_path: Path) -> None:
    """Hooks matter more than looking at them; the log says what is in the way."""
    (tmp_path / "spool.db.sock").write_text("mine")
    async with world(tmp_path) as there:
        assert there.logged("admin.unreachable")[0]["fault"] == "something that is no socket has this name"
    assert (tmp_path / "spool.db.sock").read_text() == "mine"


async def test_the_socket_can_be_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    """A setting names it, also for a relay whose spool is no file; ``off`` is none."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    elsewhere = str(tmp_path / "admin.sock")
    async with world(tmp_path, ADMIN_SOCKET=elsewhere):
        assert not (tmp_path / "spool.db.sock").exists()
        place = {"RELAY_SPOOL_URL": spool, "RELAY_ADMIN_SOCKET": elsewhere}
        assert (await relay("stats", **place)).exit_code == 0
    async with world(tmp_path, ADMIN_SOCKET="off"):
        assert not (tmp_path / "spool.db.sock").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused_in_words(tmp_path: Path) -> None:
    """The mode of the file is the whole of the rule."""
    spool = f"sqlite:///{tmp_path / 'spool.db'}"
    async with world(tmp_path):
        for folder in (tmp_path, *tmp_path.parents[:-2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65_534)
        try:
            answer = await relay("stats", RELAY_SPOOL_URL=spool)
        finally:
            os.seteuid(0)
    assert answer.exit_code == 1
    assert "belongs to the relay's user" in answer.output
    assert ConfigError.__name__ not in answer.output
