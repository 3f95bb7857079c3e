"""What accepting holds in memory: payloads while they are stored, no second copy of all of them, nothing afterwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import hook

_PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from app.spool.sqlite.spool import SqliteSpool
from tests.contract.engines import hook

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def main():
    async with await SqliteSpool.open(Path(sys.argv[1]), hooks_max=100, bytes_max=10**9, queue_hooks_max=100) as spool:
        payload = b"x" * 4_000_000
        hooks = [hook(number, payload=payload) for number in range(50)]
        await spool.accept(hook(99), ["main"])
        before = peak()
        await asyncio.gather(*(spool.accept(each, ["main"]) for each in hooks), return_exceptions=True)
        print(peak() - before)

asyncio.run(main())
"""


def test_storing_many_large_hooks_at_once_makes_no_second_copy_of_them_all(tmp_path: Path) -> None:
    """What is bound to a statement is copied: 200 MB go through statements of a few."""
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "spool.db")], capture_output=True, check=True, text=True
    )
    assert int(said.stdout) < 100_000, "kB"


async def test_a_stored_payload_is_let_go(tmp_path: Path) -> None:
    """Not only when the next hook comes."""
    one = hook(1)
    held = sys.getrefcount(one)
    async with await SqliteSpool.open(
        tmp_path / "spool.db", hooks_max=100, bytes_max=10**9, queue_hooks_max=100
    ) as spool:
        await spool.accept(one, ["main"])
        async with asyncio.timeout(10):
            while sys.getrefcount(one) > held:
                await asyncio.sleep(0.01)
