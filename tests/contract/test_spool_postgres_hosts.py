"""A database with several hosts: one that is silent, which is what a machine that is lost looks like, delays little."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from app.errors import SpoolError
from app.spool.postgres.connection import Connection, ReconnectingConnection
from app.spool.postgres.url import password_in, read_url
from tests.soon import soon


@pytest.fixture
def silent() -> Iterator[int]:
    """A port at which nobody answers: what is sent there is dropped, as the queue of those who wait is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def with_silent(url: str, port: int, *, first: bool) -> str:
    """The server of ``url`` (which has a socket) and a silent host, as libpq takes several."""
    folder = parse_qs(urlsplit(url).query)["host"][0]
    hosts = [("127.0.0.1", str(port)), (folder, "5432")]
    names, ports = zip(*(hosts if first else hosts[::-1]), strict=True)
    return f"postgresql://postgres@/postgres?host={','.join(names)}&port={','.join(ports)}"


async def one(connection: Connection) -> object:
    """Ask it something."""
    return (await connection.fetch("SELECT 1"))[0][0]


@pytest.mark.parametrize("first", [True, False])
async def test_a_silent_host_delays_the_other_little(postgres_url: str, silent: int, *, first: bool) -> None:
    """Whichever comes first; and once it is known which is good, not at all."""
    link = ReconnectingConnection(read_url(with_silent(postgres_url, silent, first=first)), Random(1))  # noqa: S311
    assert await soon(link.run(one, timeout_s=2), 2.5) == 1
    link.drop()
    assert await soon(link.run(one, timeout_s=2), 2.5) == 1
    await link.close()


async def test_hosts_that_are_all_silent_are_told_within_their_deadline(silent: int) -> None:
    """And asked again afterwards."""
    url = f"postgresql://u@127.0.0.1:{silent},127.0.0.1:{silent}/x"
    link = ReconnectingConnection(read_url(url), Random(1))  # noqa: S311
    with pytest.raises(SpoolError, match="no answer in time"):
        await soon(link.connect(), 5)
    await link.close()


def test_each_host_has_a_url_of_its_own() -> None:
    """Wherever the hosts stand; user, password and parameters are the same."""
    assert read_url("postgresql://u:p@a:1,b/x?sslmode=require").dsns == (
        "postgresql://u:p@a:1/x?sslmode=require",
        "postgresql://u:p@b/x?sslmode=require",
    )
    assert read_url("postgresql://u@/x?host=a,b&port=1,2").dsns == (
        "postgresql://u@/x?host=a&port=1",
        "postgresql://u@/x?host=b&port=2",
    )
    assert read_url("postgresql://u@/x").dsns == ("postgresql://u@/x",)
    assert read_url("postgresql://[::1]:5/x").dsns == ("postgresql://[::1]:5/x",)


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://u@h/x", "one"),
        ("postgresql://u@other:6/x", "two:colon"),
        ("postgresql://u:own@h/x", None),
        ("postgresql://nobody@h/x", None),
    ],
)
def test_a_password_file_is_read_whatever_its_mode(tmp_path: Path, url: str, password: str | None) -> None:
    """As Kubernetes mounts it: readable for a group."""
    file = tmp_path / "passfile"
    file.write_text("# a comment\nh:5432:x:u:one\n*:6:*:u:two\\:colon\n")
    file.chmod(0o440)
    assert password_in(f"{url}?passfile={file}") == password
    assert password_in(url) is None
