"""A file system of a few megabytes, which only a real one is: its owner needs the right to mount."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_volume(folder: Path, megabytes: float) -> Iterator[Path]:
    """A folder that holds no more; gone at the end."""
    place = folder / "volume"
    place.mkdir()
    size = f"size={int(megabytes * 1_000_000)},mode=0700"
    mount, umount = shutil.which("mount"), shutil.which("umount")
    assert mount, "no mount command"
    assert umount, "no umount command"
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", size, "tmpfs", place], check=False, capture_output=True)
    if mounted.returncode:
        assert os.geteuid() != 0 or b"permission denied" in mounted.stderr.lower(), mounted.stderr
        pytest.skip("NOT SHOWN HERE: a small volume can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run([umount, "--lazy", place], check=True)
