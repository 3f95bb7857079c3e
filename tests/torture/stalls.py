"""When the machine itself stood still, its disk or its processors: no relay can settle or renew a lease then."""

import asyncio
import os
from pathlib import Path

_EVERY_S = 0.2
_LONG_S = 0.4


class Stalls:
    """Writes and syncs a small file again and again, and notes when that took long."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tick"
        self.spans: list[tuple[float, float]] = []

    async def watch(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.to_thread(self._tick)
            await asyncio.sleep(_EVERY_S)
            ended = loop.time()
            if ended - began > _EVERY_S + _LONG_S:
                self.spans.append((began, ended))

    def _tick(self) -> None:
        with self._path.open("wb") as file:
            file.write(b"tick")
            file.flush()
            os.fsync(file.fileno())
