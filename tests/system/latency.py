"""Two places with a wire between them that takes its time: network namespaces, two TUN devices, and a program.

Real TCP on both sides, so that handshakes and closes take as long as data does: no forwarding of streams can show that.
Needs root, Linux, and the commands ``ip``, ``unshare`` and ``nsenter``.
"""

import asyncio
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

NEAR, FAR = "10.77.0.1", "10.77.0.2"
PATIENCE_S = 30.0
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 65_536


def missing() -> str:
    """What this machine lacks for a wire; empty: nothing."""
    if os.geteuid() != 0:
        return "root"
    commands = [command for command in ("ip", "unshare", "nsenter") if shutil.which(command) is None]
    return commands[0] if commands else ("" if Path("/dev/net/tun").exists() else "/dev/net/tun")


@dataclass(frozen=True)
class Place:
    """A network namespace."""

    pid: int

    def command(self, *words: str) -> list[str]:
        """The command that runs ``words`` there."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *words]


@contextmanager
def wire(delay_s: float) -> Iterator[tuple[Place, Place]]:
    """The near place, at ``NEAR``, and the far one, at ``FAR``; a packet takes ``delay_s`` from one to the other."""
    with _place() as near, _place() as far:
        command = [sys.executable, "-m", "tests.system.latency", str(delay_s), str(near.pid), str(far.pid)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
            try:
                assert program.stdout is not None
                assert program.stdout.readline() == b"there\n"
                yield near, far
            finally:
                program.kill()


@contextmanager
def _place() -> Iterator[Place]:
    own = Path("/proc/self/ns/net").readlink()
    command = ["unshare", "-n", "--", "sh", "-c", "echo there; exec sleep 3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"there\n"
            assert Path(f"/proc/{holder.pid}/ns/net").readlink() != own
            yield Place(holder.pid)
        finally:
            holder.kill()


def _device(pid: int, address: str, peer: str) -> int:
    """A TUN device in that process's namespace, up; its file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        assert libc.setns(namespace.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
    for words in (
        ["link", "set", "lo", "up"],
        ["addr", "add", address, "peer", peer, "dev", "wire"],
        ["link", "set", "wire", "up"],
    ):
        subprocess.run(["ip", *words], check=True)  # noqa: S607 - the system's
    return device


async def _carry(delay_s: float, devices: list[int]) -> None:
    loop = asyncio.get_running_loop()

    def take(source: int, target: int) -> None:
        with suppress(BlockingIOError):
            while packet := os.read(source, _PACKET_BYTES):
                loop.call_later(delay_s, put, target, packet)

    def put(target: int, packet: bytes) -> None:
        with suppress(OSError):
            os.write(target, packet)

    for source, target in (devices, devices[::-1]):
        loop.add_reader(source, take, source, target)
    sys.stdout.write("there\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    near_pid, far_pid = map(int, sys.argv[2:4])
    asyncio.run(_carry(float(sys.argv[1]), [_device(near_pid, NEAR, FAR), _device(far_pid, FAR, NEAR)]))
