"""Where tests put what has to be synced: in memory, where there is enough of it.

An accept has 0.8 s, and a disk that others keep busy takes longer now and then. Nothing is different for a process that
is killed; what a power cut leaves is the torture's business, which records every write and sync.
"""

import shutil
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - folders of their own in it
_BYTES_MIN = 2_000_000_000


def memory() -> Path | None:
    """A file system in memory with room for all that a run writes; ``None`` if there is none."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _BYTES_MIN:
        return _MEMORY
    return None
