"""Log lines: they wait for nobody, and tell no secret."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from app.logs import LINES_MAX, LineWriter

_PROGRAM = """
import sys
import structlog
from app import logs

def verify(secret):
    raise ValueError("no")

logs.configure(sys.argv[1], "info")
log = structlog.stdlib.get_logger()
log.debug("hook.looked_at")
log.info("hook.accepted", tenant="acme", resource=None)
try:
    verify("hunter2" + "hunter2")
except ValueError:
    log.exception("hook.failed")
"""


def _lines(log_format: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, log_format], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_line_is_one_json_object_with_time_level_and_event_first() -> None:
    """Below the level nothing is written; what is not known is left out; a trace is a field."""
    accepted, failed = (orjson.loads(line) for line in _lines("json"))
    assert list(accepted) == ["time", "level", "event", "tenant"]
    assert (failed["level"], failed["event"]) == ("error", "hook.failed")
    assert failed["exception"].endswith("ValueError: no")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_trace_never_holds_the_values_that_were_worked_on(log_format: str) -> None:
    """Among them are secrets and payloads, and some formatters show them wherever a certain library is installed."""
    said = "\n".join(_lines(log_format))
    assert "ValueError" in said
    assert "hunter2hunter2" not in said


def test_who_logs_never_waits_for_a_reader_that_stalls(tmp_path: Path) -> None:
    """What does not fit is counted, and the count is written once somebody reads."""
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    line = b"x" * 100
    with pipe.open("wb", buffering=0) as file:
        writer = LineWriter(file)
        for _ in range(LINES_MAX * 3):
            writer.write(line)
        os.set_blocking(reading, True)
        with os.fdopen(reading, "rb") as reader:
            kept = dropped = 0
            while kept + dropped < LINES_MAX * 3:
                got = reader.readline()
                if got == line + b"\n":
                    kept += 1
                else:
                    dropped += orjson.loads(got)["lines"]
            writer.close()
    assert dropped > 0
    assert kept >= LINES_MAX


def test_a_process_ends_although_nobody_reads_its_log() -> None:
    """With its own status, and not by an abort over a lock that the log's thread holds."""
    program = f"""
import structlog
from app import logs
logs.configure("json", "info")
log = structlog.stdlib.get_logger()
for _ in range({LINES_MAX}):
    log.info("hook.accepted", tenant="acme")
raise SystemExit(7)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stalled:
        assert stalled.wait(30) == 7
        assert stalled.stderr is not None
        assert stalled.stderr.read() == b""
