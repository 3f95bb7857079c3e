"""Reading what references name. The one place that opens secret files and looks into the environment."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from app.errors import ConfigError

FILE_BYTES_MAX: Final = 4 * 1024**2
"""More than any secret or bundle of CA certificates has."""


class FileVersion(NamedTuple):
    """What tells one version of a file from another, without reading it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    mode: int
    """Type and permissions, as ``st_mode``."""


Marks = Mapping[Path, FileVersion | None]
"""``None`` where there is no such file."""


def mark_of(path: Path) -> FileVersion | None:
    """The mark of the file that ``path`` leads to now, through every symbolic link."""
    try:
        return _mark(path.stat())
    except OSError:
        return None


def marks_of(paths: Iterable[Path]) -> dict[Path, FileVersion | None]:
    """The mark of each."""
    return {path: mark_of(path) for path in paths}


def read_file(path: Path, *, bytes_max: int) -> tuple[bytes, FileVersion]:
    """The bytes of a regular file, and the mark it had before they were read.

    Raises:
        ConfigError: it cannot be read, or is larger than ``bytes_max``. The path is not in the text.
    """
    try:
        # Non-blocking, so that a pipe in the place of a file cannot hold the relay up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError("it is not a regular file")
            raw = file.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"it cannot be read: {getattr(error, 'strerror', None) or 'no such path'}") from None
    if len(raw) > bytes_max:
        raise ConfigError(f"it is larger than {bytes_max:_} bytes")
    return raw, _mark(status)


class References:
    """Resolves references against an environment and a folder, each once, and notes which files it met."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.marks: dict[Path, FileVersion | None] = {}
        """Every file that was asked for, with the mark it had before it was read."""
        self._environ = environ
        self._folder = folder
        self._values: dict[str, bytes | ConfigError] = {}

    def resolve(self, reference: str) -> bytes:
        """The value of ``env:NAME`` or ``file:PATH`` (relative to the folder), newlines at its end taken off.

        Raises:
            ConfigError: it cannot be resolved; the text says why and holds no value.
        """
        if reference not in self._values:
            try:
                self._values[reference] = self._read(reference).rstrip(b"\r\n")
            except ConfigError as error:
                self._values[reference] = error
        value = self._values[reference]
        if isinstance(value, ConfigError):
            raise ConfigError(str(value))
        return value

    def _read(self, reference: str) -> bytes:
        kind, _, name = reference.partition(":")
        if kind == "env":
            if name not in self._environ:
                raise ConfigError("the environment has no such variable")
            return self._environ[name].encode("utf-8", "surrogateescape")
        path = self.path(reference)
        self.marks[path] = None
        raw, self.marks[path] = read_file(path, bytes_max=FILE_BYTES_MAX)
        return raw

    def path(self, reference: str) -> Path:
        """The file that a ``file:`` reference names."""
        return self._folder / reference.removeprefix("file:")


def _mark(status: os.stat_result) -> FileVersion:
    return FileVersion(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode
    )
