"""The shim of ``shim.c``: building it, and telling it what to do to a process that runs with it.

It needs Linux and a C compiler. Where one is missing the torture fails: what it cannot do it does not pass over.
"""

import mmap
import os
import shlex
import shutil
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_WORDS = 5
_BYTES = 8
_CLOCK_OFFSET_NS, _POINT, _PASSES, _SPRUNG, _FULL = range(_WORDS)


class Point(IntEnum):
    """Where a process can be killed exactly. The numbers are those of ``shim.c``."""

    NOWHERE = 0
    VERIFIED = 1
    WRITING = 2
    COMMITTING = 3
    COMMITTED = 4
    ANSWERING = 5
    SETTLING = 6
    CHECKPOINTING = 7


def build(folder: Path, source: Path = SOURCE) -> Path:
    """Compile it, or another one, into ``folder``; the path of the library.

    Raises:
        RuntimeError: there is no compiler here, or it does not compile.
    """
    if sys.platform != "linux":
        raise RuntimeError("the torture's shim is for Linux (LD_PRELOAD): run it there")
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("no C compiler (cc, gcc, clang or $CC): the torture cannot build its shim")
    library = folder / f"{source.stem}.so"
    command = [
        *shlex.split(compiler),
        "-O2",
        "-Wall",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(source),
        "-ldl",
        "-pthread",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the torture's shim does not compile:\n{done.stderr}")
    library.chmod(0o755)
    return library


class Shim:
    """One process, or one after another, under the shim; ``folder`` gets the control file."""

    def __init__(self, library: Path, folder: Path, *, spool: Path | None = None, record: Path | None = None) -> None:
        path = folder / "control"
        path.write_bytes(bytes(_WORDS * _BYTES))
        path.chmod(0o666)  # a PostgreSQL may run as another user
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), _WORDS * _BYTES)).cast("q")
        self.environ = {"LD_PRELOAD": str(library), "TORTURE_CONTROL": str(path)}
        """What the process has to be started with."""
        if spool is not None:
            self.environ["TORTURE_SPOOL"] = str(spool)
        if record is not None:
            self.environ["TORTURE_RECORD"] = str(record)

    def arm(self, point: Point, *, passes: int = 0) -> None:
        """Kill it at that point, once it has passed it so many times."""
        self._words[_SPRUNG] = Point.NOWHERE
        self._words[_PASSES] = passes
        self._words[_POINT] = point

    def disarm(self) -> None:
        """Kill it nowhere."""
        self._words[_POINT] = Point.NOWHERE

    @property
    def sprung(self) -> Point:
        """Where it was killed."""
        return Point(self._words[_SPRUNG])

    def set_clock(self, seconds: float) -> None:
        """Its wall clock is ahead by so much (behind, if negative)."""
        self._words[_CLOCK_OFFSET_NS] = round(seconds * 1e9)

    def fill_disk(self, *, full: bool) -> None:
        """Whether none of its files can grow (ENOSPC)."""
        self._words[_FULL] = full
