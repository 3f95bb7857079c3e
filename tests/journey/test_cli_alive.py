"""The container's health check against real listeners."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from app.cli.healthcheck import main


@contextmanager
def listener(answer: bytes) -> Iterator[int]:
    """A port that gives one connection this answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = Thread(target=talk)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "0.0.0.0,::"])  # noqa: S104 - what the relay is told, not bound
def test_a_relay_that_answers_200_is_alive(host: str) -> None:
    """Whatever address the relay listens on, the check finds it from inside."""
    with listener(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert main({"RELAY_HOST": host, "RELAY_PORT": str(port)}) == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"200", b""])
def test_any_other_answer_is_not_alive(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """A 503, nonsense or a hang-up is exit status 1 with a line that says what came."""
    with listener(answer) as port:
        assert main({"RELAY_PORT": str(port)}) == 1
    assert "not alive" in capsys.readouterr().err


def test_nobody_there_is_not_alive(capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is exit status 1 with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main({"RELAY_PORT": str(port)}) == 1
    assert "no answer from 127.0.0.1" in capsys.readouterr().err


def test_a_port_that_is_set_to_nothing_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """As for the relay itself: whether one listens there is this machine's business."""
    main({"RELAY_PORT": ""})
    assert "invalid literal" not in capsys.readouterr().err


def test_a_port_that_is_no_number_is_said() -> None:
    """As a process of its own, as the container runs it, it exits 1 and not with a traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli.healthcheck"],
        env={**os.environ, "RELAY_PORT": "http"},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 1
    assert b"not alive" in ended.stderr
    assert b"Traceback" not in ended.stderr
