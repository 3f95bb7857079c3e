"""Hooks aimed at the idle moment: ``python -m tests.system.idle_hooks PORT HOOKS IDLE_S…`` prints what they got.

Before each ``IDLE_S`` so many hooks are posted at once; after it as many again, each on a connection of its own.
"""

import asyncio
import json
import sys
from dataclasses import asdict

import uvloop

from tests.attack.honest import Seen, Sender


async def run(port: int, count: int, idles_s: list[float]) -> Seen:
    """Post, be silent, post again."""
    sender = Sender(port)
    for number, idle_s in enumerate([*idles_s, 0.0]):
        await asyncio.gather(*(sender.post(number * count + place) for place in range(count)))
        await asyncio.sleep(idle_s)
    return sender.seen


if __name__ == "__main__":
    got = uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), [float(idle) for idle in sys.argv[3:]]))
    sys.stdout.write(json.dumps(asdict(got)) + "\n")
