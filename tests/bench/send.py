"""How fast a filled spool is delivered, beside a bare loop that posts the same batches, ready and gzipped."""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from app.main import delivery_limits_of
from app.settings import load_settings
from app.splunk.encode import compress, encode, join
from app.tenants.model import Destination
from app.transform import transform
from tests.bench.delivering import Hooks, Seen, Tenants, fill, hooks, silent_log, spool, supervisor, tenants
from tests.bench.stand_in import stand_in
from tests.goldens import only

AIM = 0.7


@dataclass(frozen=True)
class Shape:
    """What is sent."""

    words: str
    sample: str
    count: int
    ready: bool = False
    """Transformed beforehand: what is left is claiming, encoding, posting, settling."""


SHAPES = (
    Shape("issue hooks", "issue.created.typical", 30_000),
    Shape("error hooks", "error.created.typical", 10_000),
    Shape("issue hooks, transformed beforehand", "issue.created.typical", 40_000, ready=True),
)


@dataclass(frozen=True)
class Pair:
    """Hooks a second, one after the other in the same run."""

    floor: float
    relay: float
    cpu_us: float
    """Of the relay's process, a hook."""
    loop_us: float
    """Of its event loop alone, which is what limits it."""
    transform_us: float
    """Of that, the transform."""
    encode_us: float
    """Of that, checking and encoding."""


COLUMNS = ("floor", "relay", "cpu_us", "loop_us", "transform_us", "encode_us")


def measure(rounds: int) -> list[str]:
    """A line a shape: medians, and the median of each pair's own ratio."""
    heads = "".join(f"{each:>10}" for each in ("floor/s", "relay/s", "cpu us", "loop us", "transform", "encode"))
    lines = [f"{'delivered from a filled spool':38}{heads}{'of floor':>10}"]
    with stand_in() as url, silent_log():
        for shape in SHAPES:
            pairs = [uvloop.run(_pair(shape, tenants(url, 1))) for _ in range(rounds)]
            share = statistics.median(each.relay / each.floor for each in pairs)
            medians = "".join(f"{statistics.median(getattr(p, name) for p in pairs):>10.0f}" for name in COLUMNS)
            end = "" if shape.ready else "  reached" if share >= AIM else "  MISSED"
            lines.append(f"{shape.words:38}{medians}{share:>10.2f}{end}")
    return lines


async def _pair(shape: Shape, known: Tenants) -> Pair:
    make = hooks(shape.sample)
    destination = known.snapshot.tenants["tenant-0"].destinations[0]
    floor = await _floor(_batches(make, destination, shape.count), destination, shape.count)
    made = _made_before(make) if shape.ready else transform
    relay, cpu_s, loop_s = await _relay(shape, make, known, made)
    transform_us, encode_us = _making_us(make, destination, made)
    return Pair(
        floor=shape.count / floor,
        relay=shape.count / relay,
        cpu_us=cpu_s / shape.count * 1e6,
        loop_us=loop_s / shape.count * 1e6,
        transform_us=transform_us,
        encode_us=encode_us,
    )


def _making_us(make: Hooks, destination: Destination, made_by: Callable[..., Any]) -> tuple[float, float]:
    """Microseconds of the transform and of encoding, each on its own."""
    some = [make("tenant-0") for _ in range(1_000)]
    begun = time.thread_time()
    events = [made_by(each, destination, event_bytes_max=500_000) for each in some]
    between = time.thread_time()
    for hook, event in zip(some, events, strict=True):
        encode(event, delivery_id=hook.delivery_id)
    return (between - begun) / len(some) * 1e6, (time.thread_time() - between) / len(some) * 1e6


def _batches(make: Hooks, destination: Destination, count: int) -> list[bytes]:
    """What the relay posts when its batches are full."""
    limits = delivery_limits_of(load_settings({}))
    bodies: list[bytes] = []
    batch: list[bytes] = []
    size = 0
    for _ in range(count):
        hook = make("tenant-0")
        made = only(transform(hook, destination, event_bytes_max=limits.event_bytes_max))
        envelope = encode(made, delivery_id=hook.delivery_id)
        if len(batch) == limits.batch_hec_events_max or size + len(envelope) > limits.batch_bytes_max:
            bodies.append(compress(join(batch), limits.gzip_level))
            batch, size = [], 0
        batch.append(envelope)
        size += len(envelope) + 1
    return [*bodies, compress(join(batch), limits.gzip_level)]


async def _floor(bodies: Sequence[bytes], destination: Destination, count: int) -> float:
    """Seconds that a loop takes which does nothing but post, with as many connections as the relay may have."""
    assert destination.hec_token is not None
    connections = delivery_limits_of(load_settings({})).concurrency_max
    host, _, port = destination.url.removeprefix("http://").partition(":")
    left = list(bodies)

    async def post() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while left:
            body = left.pop()
            writer.write(
                b"POST /services/collector/event HTTP/1.1\r\nHost: splunk\r\nUser-Agent: floor\r\n"
                b"Authorization: Splunk tenant-0\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            writer.write(body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(post() for _ in range(min(connections, len(bodies)))))
    return time.perf_counter() - began


async def _relay(shape: Shape, make: Hooks, known: Tenants, made_by: Callable[..., Any]) -> tuple[float, float, float]:
    """Seconds from the start to the last one settled: by the clock, of the processor, of the loop's thread."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        async with spool(Path(folder)) as filled:
            await fill(filled, make, "tenant-0", shape.count)
            gc.collect()
            gc.freeze()  # as the relay does when it has started
            seen = Seen()
            seen.wanted = shape.count
            began, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
            async with supervisor(filled, known, seen, transform_=made_by):
                async with asyncio.timeout(120):
                    await seen.done.wait()
                took = time.perf_counter() - began, time.process_time() - cpu, time.thread_time() - loop
            gc.unfreeze()
            return took


def _made_before(make: Hooks) -> Callable[..., Any]:
    """A transform that has nothing left to do."""
    destination = Destination(tenant="tenant-0", name="main", url="", hec_token=None, hec_token_ref="", index="sentry")
    made = transform(make("tenant-0"), destination, event_bytes_max=500_000)
    return lambda _hook, _destination, *, event_bytes_max: made  # noqa: ARG005 - the names are the caller's
