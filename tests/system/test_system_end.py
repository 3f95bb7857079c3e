"""The end of a relay: from SIGTERM on answers close their connections, and whatever hangs, the process goes in time."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.attack.honest import SECRET, request
from tests.postgres_server import PostgresServer
from tests.system.spawned import (
    DRAIN_DEADLINE_S,
    DRAIN_DELAY_S,
    LATE_S,
    PATIENCE_S,
    ROOT,
    answer,
    ended_after,
    port_of,
    read_log,
    spawned,
)


def test_every_answer_closes_its_connection_once_the_relay_is_told_to_stop(tmp_path: Path) -> None:
    """Idle connections stay until the delay is over, and a hook that comes on one of them is accepted."""
    with spawned(tmp_path, DRAIN_DELAY_S="3") as process:
        port = port_of(process)
        read_log(process)
        with contextlib.ExitStack() as stack:
            used, idle, new = (
                stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S)) for _ in range(3)
            )
            assert b"connection: close" not in answer(used, 1)
            assert b"connection: close" not in answer(idle, 2)
            process.send_signal(signal.SIGTERM)
            until_draining(port)
            for connection, number in ((used, 3), (new, 4)):
                got = answer(connection, number)
                assert got.startswith(b"HTTP/1.1 202")
                assert b"connection: close" in got
                assert connection.recv(1) == b""
            assert b"HTTP/1.1 202" in answer(idle, 5)
        assert process.wait(PATIENCE_S) == 128 + signal.SIGTERM


def until_draining(port: int) -> None:
    """Readiness is off."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as look:
            look.sendall(b"GET /readyz HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
            if look.makefile("rb").read().startswith(b"HTTP/1.1 503"):
                return
    raise AssertionError("readiness stays on")


def test_an_end_with_nothing_to_do_takes_no_longer_than_the_delay(tmp_path: Path) -> None:
    """The deadlines are for what hangs."""
    with spawned(tmp_path) as process:
        port_of(process)
        read_log(process)
        assert ended_after(process) < DRAIN_DELAY_S + DRAIN_DEADLINE_S + LATE_S
        assert process.returncode == 128 + signal.SIGTERM


def test_a_splunk_that_does_not_answer_holds_up_no_end(tmp_path: Path) -> None:
    """A post under way waits for its answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        splunk = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with spawned(tmp_path, splunk=splunk) as process:
            port = port_of(process)
            read_log(process)
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                assert b" 202 " in answer(connection, 1)
                silent.settimeout(PATIENCE_S)
                with silent.accept()[0]:
                    assert ended_after(process) < DRAIN_DELAY_S + DRAIN_DEADLINE_S + 2 * LATE_S
        assert process.returncode == 128 + signal.SIGTERM


def test_a_sender_that_does_not_finish_holds_up_no_end(tmp_path: Path) -> None:
    """Half a head, half a body, an answer that nobody reads."""
    with spawned(tmp_path, BODY_DEADLINE_S="300", HEAD_DEADLINE_S="300") as process:
        port = port_of(process)
        read_log(process)
        with contextlib.ExitStack() as stack:
            for raw in (request(1)[:40], request(2)[:-40], b"GET /metrics HTTP/1.1\r\n\r\n" * 16):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
                connection.sendall(raw)
            assert ended_after(process) < DRAIN_DELAY_S + DRAIN_DEADLINE_S + 2 * LATE_S
        assert process.returncode == 128 + signal.SIGTERM


def test_a_log_that_nobody_reads_holds_up_no_end(tmp_path: Path) -> None:
    """The pipe is full."""
    with spawned(tmp_path) as process:
        port = port_of(process)
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            for number in range(600):
                assert b" 202 " in answer(connection, number)
        assert ended_after(process) < DRAIN_DELAY_S + DRAIN_DEADLINE_S + 2 * LATE_S
        assert process.returncode == 128 + signal.SIGTERM


def test_a_database_that_stands_still_holds_up_no_end(tmp_path: Path) -> None:
    """Its packets are taken and never answered."""
    with PostgresServer() as server, spawned(tmp_path, SPOOL_URL=server.url) as process:
        port = port_of(process)
        read_log(process)
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            assert b" 202 " in answer(connection, 1)
        pids = postgres_processes(server)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert ended_after(process) < DRAIN_DELAY_S + DRAIN_DEADLINE_S + 2 * LATE_S
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        assert process.returncode == 128 + signal.SIGTERM


def postgres_processes(server: PostgresServer) -> list[int]:
    """The server and its children."""
    parent = server.pid
    found = [parent]
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if re.search(rf"^PPid:\s+{parent}$", status.read_text(), re.MULTILINE):
                found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux'")
def test_connections_leave_open_files_for_the_spool_and_for_splunk(tmp_path: Path) -> None:
    """However many come, a hook is stored; the log says that there are fewer places than wanted."""
    with spawned(tmp_path) as process:
        port_of(process)
    shell = 'ulimit -n 400; exec "$0" -m app serve'
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    own = {"PYTHONPATH": str(ROOT), "SECRET_OF_ACME": SECRET, "RELAY_PORT": "0", "RELAY_DRAIN_DELAY_S": "0"}
    with subprocess.Popen(
        ["/bin/sh", "-c", shell, sys.executable], env=kept | own, cwd=tmp_path, stdout=subprocess.PIPE
    ) as few:
        try:
            assert few.stdout is not None
            limited = json.loads(few.stdout.readline())
            assert (limited["event"], limited["open_files"]) == ("connections.limited", 400)
            port = port_of(few)
            read_log(few)
            with contextlib.ExitStack() as stack:
                for _ in range(390):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
                for number in range(20):
                    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
                        assert b" 202 " in answer(connection, number)
        finally:
            few.kill()
