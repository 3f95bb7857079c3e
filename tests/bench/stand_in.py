"""The stand-in Splunk as a process that says nothing: ``python -m tests.bench.stand_in [HANGING_HEC_TOKEN ...]``.

It knows every hec_token ``tenant-0`` to ``tenant-999``; what is posted under one that hangs is never answered.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from app.sandbox.splunk import Fault, HecToken, StandInSplunk

TENANTS = 1_000


async def main(hanging: list[str]) -> None:
    """Serve until killed."""
    tokens = [HecToken(f"tenant-{number}") for number in range(TENANTS)]
    async with StandInSplunk(tokens, remember="count") as splunk:
        for each in hanging:
            splunk.always(Fault.hang(stored=False), token=each)
        sys.stdout.write(f"{splunk.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


@contextmanager
def stand_in(*hanging: str) -> Iterator[str]:
    """Its address while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stand_in", *hanging], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
