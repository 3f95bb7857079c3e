"""Log lines: one JSON object each (or coloured text for a person), ``noun.verbed``, never a secret.

The event loop hands lines over and goes on: a log reader that stalls must not stall the accepting of hooks.
"""

import atexit
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import MutableMapping
from io import FileIO, RawIOBase
from typing import Any, BinaryIO, Literal

import orjson
import structlog

LINES_MAX = 20_000
"""Lines that may wait for a stalled reader; what comes on top is counted and dropped."""
PAUSE_S = 0.02
"""The writing thread takes what has gathered this often: waking it for each line would cost more than the line."""
CLOSE_S = 2.0
"""So long the end of the process waits for a reader."""

_LEVELS = {"exception": "error", "warn": "warning"}
"""Method names that are not their level's name."""


class LineWriter:
    """Writes lines to a file, and never makes who logs wait for it. To structlog it is the logger at the bottom."""

    def __init__(self, file: BinaryIO | RawIOBase) -> None:
        self._file = file
        self._lines: deque[bytes] = deque()
        self._some = threading.Event()
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take a line, without its newline."""
        if len(self._lines) >= LINES_MAX:
            self._dropped += 1
        else:
            self._lines.append(line)
            if not self._some.is_set():
                self._some.set()

    debug = info = warning = error = critical = exception = write

    def close(self) -> None:
        """Write what is left, as far as the reader takes it in ``CLOSE_S``: one that stalls holds up no end."""
        self._closed = True
        self._some.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closed:
            self._some.wait()
            self._some.clear()
            self._write_out()
            if not self._closed:
                time.sleep(PAUSE_S)
        self._write_out()

    def _write_out(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(orjson.dumps({"event": "log.dropped", "lines": dropped}))
        left = memoryview(b"".join(line + b"\n" for line in lines))
        try:
            while left:
                if (written := self._file.write(left)) is None:  # it would block, and was told not to
                    time.sleep(PAUSE_S)
                    continue
                left = left[written:]
            self._file.flush()
        except (OSError, ValueError):
            return  # nobody reads any more; there is no better place to say so


def configure(log_format: Literal["json", "console"], level: str, file: BinaryIO | None = None) -> LineWriter:
    """Set up logging for the whole process, libraries included; to standard output unless ``file`` is given."""
    # Unbuffered: a buffer has a lock, and a thread that holds it for a reader that stalls would break the exit.
    writer = LineWriter(file or FileIO(sys.stdout.fileno(), "wb", closefd=False))
    atexit.register(writer.close)
    if log_format == "json":
        processors: list[Any] = [_Json()]
    else:
        processors = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S"),
            # Where rich is installed, structlog would show the locals of a trace, and with them secrets and payloads.
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            _encoded,
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: writer,
        cache_logger_on_first_use=True,
    )
    handler = _Bridge()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return writer


class _Bridge(logging.Handler):
    """What libraries log, as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        level = record.levelname.lower()
        getattr(log, level, log.warning)(
            "library.logged", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


class _Json:
    """Renders a line: time, level and event first; what is ``None`` is left out.

    One processor and not a chain of them: every accepted hook pays for a line.
    """

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def __call__(self, _logger: object, level: str, line: MutableMapping[str, Any]) -> bytes:
        if "exc_info" in line:
            line = structlog.processors.format_exc_info(_logger, level, line)
        head = {"time": self._now(), "level": _LEVELS.get(level, level), "event": line.pop("event")}
        head.update({key: value for key, value in line.items() if value is not None})
        return orjson.dumps(head, default=str)

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{int((now - second) * 1000):03d}Z"


def _encoded(_logger: object, _method: str, line: str) -> bytes:
    return line.encode("utf-8", "replace")
