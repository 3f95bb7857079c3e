"""A relay as a process whose log is a pipe, and hooks over plain sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.attack.honest import SECRET, request

ROOT = Path(__file__).parents[2]
TENANTS = """\
tenants:
  acme:
    sentry: {{client_secrets: [env:SECRET_OF_ACME]}}
    splunk: [{{name: main, url: "{splunk}", hec_token: env:SECRET_OF_ACME}}]
"""
DRAIN_DELAY_S = 1.0
DRAIN_DEADLINE_S = 1.0
LATE_S = 5.0
"""What an end may take beside these two; a machine with much else to do gets as much again for its own sake."""
PATIENCE_S = 60.0


@contextmanager
def spawned(
    folder: Path, *, splunk: str = "http://127.0.0.1:1", **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A relay that listens; its log is a pipe."""
    (folder / "tenants.yaml").write_text(TENANTS.format(splunk=splunk))
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")}
    own = {
        "PYTHONPATH": str(ROOT),
        "SECRET_OF_ACME": SECRET,
        "RELAY_PORT": "0",
        "RELAY_DRAIN_DELAY_S": str(DRAIN_DELAY_S),
        "RELAY_DRAIN_DEADLINE_S": str(DRAIN_DEADLINE_S),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "app", "serve"],
        env={**kept, **own, **{f"RELAY_{name}": text for name, text in settings.items()}},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process: "subprocess.Popen[bytes]") -> int:
    """Where it listens, by its log."""
    assert process.stdout is not None
    for text in process.stdout:
        line = json.loads(text)
        if line["event"] == "relay.listening":
            return int(line["port"])
    raise AssertionError("it ended before it listened")


def ended_after(process: "subprocess.Popen[bytes]") -> float:
    """SIGTERM; how many seconds until the process is gone."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
    return time.monotonic() - began


def read_log(process: "subprocess.Popen[bytes]") -> threading.Thread:
    """Somebody reads its log, as always somebody does."""
    reader = threading.Thread(target=lambda: process.stdout and process.stdout.read(), daemon=True)
    reader.start()
    return reader


def answer(connection: socket.socket, number: int) -> bytes:
    """The answer to a hook."""
    connection.sendall(request(number))
    got = b""
    while b"\r\n\r\n" not in got or not got.endswith(b"}"):
        piece = connection.recv(65_536)
        assert piece, f"closed without an answer: {got!r}"
        got += piece
    return got
