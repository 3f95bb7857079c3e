"""Where a relay listens: several addresses of both families, and the admin API on an address of its own."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.system.spawned import PATIENCE_S, answer, read_log, spawned
from tests.torture.ports import number, reserved_port

TOKEN = "a-token-of-the-tests-0123456789"
HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists()


def listening(process: subprocess.Popen[bytes], count: int) -> list[dict[str, Any]]:
    """The lines that say where."""
    assert process.stdout is not None
    lines = []
    for text in process.stdout:
        line = json.loads(text)
        if line["event"] == "relay.listening":
            lines.append(line)
        if len(lines) == count:
            return lines
    raise AssertionError(f"it ended, and listened on {lines}")


def asked(host: str, port: int, head: str) -> bytes:
    """The answer to a request that closes its connection."""
    with socket.create_connection((host, port), PATIENCE_S) as connection:
        connection.sendall(f"{head}\r\nHost: r\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile("rb").read()


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_a_relay_listens_on_several_addresses_of_both_families(tmp_path: Path) -> None:
    """All on the same port, which the system may choose."""
    with spawned(tmp_path, HOST="127.0.0.1, ::1") as process:
        first, second = listening(process, 2)
        assert [first["host"], second["host"], second["port"]] == ["127.0.0.1", "::1", first["port"]]
        read_log(process)
        for hook, host in enumerate(("127.0.0.1", "::1")):
            with socket.create_connection((host, first["port"]), PATIENCE_S) as connection:
                assert b" 202 " in answer(connection, hook)


def test_the_admin_api_may_have_an_address_of_its_own(tmp_path: Path) -> None:
    """There and nowhere else; a wrong method is told the right one."""
    (tmp_path / "token").write_text(TOKEN)
    reserved = reserved_port()
    own = number(reserved)
    with spawned(tmp_path, ADMIN_ADDRESS=f"127.0.0.1:{own}", ADMIN_TOKEN="file:token") as process:
        (hooks, admin) = listening(process, 2)
        assert admin["port"] == own
        read_log(process)
        bearer = f"\r\nAuthorization: Bearer {TOKEN}"
        stats = f"GET /admin/api/stats HTTP/1.1{bearer}"
        assert asked("127.0.0.1", own, stats).startswith(b"HTTP/1.1 200")
        assert asked("127.0.0.1", hooks["port"], stats).startswith(b"HTTP/1.1 404")
        for path in ("/livez", "/metrics", "/sentry/acme", "/"):
            assert asked("127.0.0.1", own, f"GET {path} HTTP/1.1").startswith(b"HTTP/1.1 404")
        wrong = asked("127.0.0.1", own, f"DELETE /admin/api/stats HTTP/1.1{bearer}").lower()
        assert wrong.startswith(b"http/1.1 405")
        assert b"\r\nallow: get\r\n" in wrong
        with socket.create_connection(("127.0.0.1", hooks["port"]), PATIENCE_S) as connection:
            assert b" 202 " in answer(connection, 1)
    reserved.close()


def test_an_address_that_is_taken_is_named_by_its_setting(tmp_path: Path) -> None:
    """Before anything else has begun."""
    (tmp_path / "token").write_text(TOKEN)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with spawned(tmp_path, ADMIN_ADDRESS=address, ADMIN_TOKEN="file:token") as process:
            _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert (
        said.decode()
        == f"relay cannot start: it cannot listen on RELAY_ADMIN_ADDRESS {address!r}: Address already in use\n"
    )
