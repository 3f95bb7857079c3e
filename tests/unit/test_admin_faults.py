"""The admin API where the spool, or the relay itself, is at fault; and the token before there is a relay."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from app.admin.api import AdminApi
from app.admin.token import AdminToken
from app.errors import ConfigError, SpoolError

TOKEN = "an-admin-token-of-a-test"
ENVIRON = {"ADMIN": TOKEN}


class Broken:
    """A desk at which looking at the books ends in a fault."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    async def stats(self) -> dict[str, Any]:
        """Raise."""
        raise self._fault


async def answered(desk: Any) -> tuple[int, dict[str, Any]]:
    """Status and body for a look at the books."""
    refused: list[str] = []
    api = AdminApi(desk, AdminToken.load("env:ADMIN", environ=ENVIRON), refused=refused.append)
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/admin/api/stats", "query_string": b"", "headers": headers}
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    receive: Callable[[], Awaitable[MutableMapping[str, Any]]] = asyncio.Event().wait  # type: ignore[assignment] # never asked
    await api(scope, receive, send)
    body = orjson.loads(sent[1]["body"])
    assert refused == [body["error"]]
    return sent[0]["status"], body


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SpoolError("the database does not answer"), "the database does not answer"),
        (OSError(28, "No space"), "No space"),
    ],
)
async def test_a_spool_that_does_not_answer_is_told_in_its_words(fault: Exception, words: str) -> None:
    """With the status that says to try again."""
    assert await answered(Broken(fault)) == (503, {"error": "spool_unavailable", "words": words})


async def test_a_fault_of_the_relays_own_is_in_the_log_and_not_in_the_answer() -> None:
    """Whatever it was."""
    with capture_logs() as lines:
        status, body = await answered(Broken(KeyError("secret")))
    assert (status, body["error"]) == (500, "failed")
    assert "secret" not in str(body)
    assert [line["event"] for line in lines] == ["admin.failed"]


@pytest.mark.parametrize("value", [b"fifteen-bytes-x", b"", b"fifteen-bytes-x\n"])
def test_a_token_is_long_enough_or_refused_without_repeating_it(value: bytes, tmp_path: Path) -> None:
    """The newline at the end of a file does not count."""
    (tmp_path / "admin").write_bytes(value)
    with pytest.raises(ConfigError) as refused:
        AdminToken.load(f"file:{tmp_path}/admin", environ={})
    assert "at least 16 bytes" in str(refused.value)
    assert "fifteen" not in str(refused.value)


def test_only_the_whole_token_is_right() -> None:
    """Neither a part of it nor more."""
    token = AdminToken.load("env:ADMIN", environ=ENVIRON)
    assert token.matches(TOKEN.encode())
    assert not any(token.matches(each.encode()) for each in (TOKEN[:-1], f"{TOKEN}x", "", TOKEN.upper()))
