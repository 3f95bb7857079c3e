"""``relay serve`` as a process: what it says when it cannot start, and what signals do to it."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TENANTS = """\
tenants:
  acme:
    sentry: {client_secrets: [env:SECRET_OF_A_TEST]}
    splunk: [{name: main, url: "https://127.0.0.1:1", hec_token: env:SECRET_OF_A_TEST}]
"""
END_DEADLINE_S = 60


def environ(folder: Path, **settings: str) -> dict[str, str]:
    """What the process is told."""
    (folder / "tenants.yaml").write_text(TENANTS)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    own = {"PYTHONPATH": str(ROOT), "SECRET_OF_A_TEST": "a-secret-of-a-test", "RELAY_PORT": "0"}
    return kept | own | {f"RELAY_{name.upper()}": text for name, text in settings.items()}


@contextmanager
def serving(folder: Path, *, stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """A relay that listens; killed at the end if it still runs."""
    command = [sys.executable, "-m", "app", "serve"]
    with subprocess.Popen(
        command, env=environ(folder), cwd=folder, stdin=stdin, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said_by(process, "relay.listening")
            yield process
        finally:
            process.kill()


def said_by(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The next line of its log that tells of this event."""
    assert process.stdout is not None
    for text in process.stdout:
        line: dict[str, Any] = json.loads(text)
        if line["event"] == event:
            return line
    raise AssertionError(f"it ended without {event}")


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.1", "no-such-host.invalid"])
def test_a_relay_that_cannot_listen_says_where_and_why(host: str, tmp_path: Path) -> None:
    """With the settings' names, on standard error and as the reason in the log; without a trace."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "app", "serve"],
            env=environ(tmp_path, host=host, port=str(port)),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=END_DEADLINE_S,
        )
    assert done.returncode == 1
    start = f"it cannot listen on RELAY_HOST {host!r}, RELAY_PORT {port}: "
    [failed] = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "relay.failed"]
    assert failed["level"] == "critical"
    assert failed["words"].startswith(start)
    assert len(failed["words"]) > len(start)
    assert done.stderr == f"relay cannot start: {failed['words']}\n"


def test_a_relay_that_cannot_start_says_why_in_its_log(tmp_path: Path) -> None:
    """Once, by a name of its own: whoever collects logs sees no standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve"],
        env=environ(tmp_path, tenants_file="nowhere.yaml"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=END_DEADLINE_S,
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines if "nowhere.yaml" in str(line)] == ["relay.failed"]
    assert "RELAY_TENANTS_FILE" in done.stderr


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    """Host, port and database are told, and what is wrong; what of the URL is secret is not."""
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve"],
        env=environ(tmp_path, spool_url=f"postgresql://ann:hunter2@127.0.0.1:{port}/relay"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=END_DEADLINE_S,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"relay cannot start: the spool cannot be used: postgresql://127.0.0.1:{port}/relay: "
    )
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_relay_in_the_background_lives_through_sighup(tmp_path: Path) -> None:
    """Its files are watched, and while nothing listens hooks are lost."""
    with serving(tmp_path) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGINT)
        assert said_by(process, "relay.stopping")["signal"] == "SIGINT"
        assert process.wait(END_DEADLINE_S) == 128 + signal.SIGINT


def test_a_relay_at_a_terminal_ends_in_order_when_that_is_closed(tmp_path: Path) -> None:
    """It would hold port and spool for ever otherwise."""
    ours, theirs = pty.openpty()
    try:
        with serving(tmp_path, stdin=theirs) as process:
            process.send_signal(signal.SIGHUP)
            said_by(process, "relay.stopped")
            assert process.wait(END_DEADLINE_S) == 128 + signal.SIGHUP
    finally:
        os.close(ours)
        os.close(theirs)
