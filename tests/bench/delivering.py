"""What the figures of delivering have in common: a spool on disk, a supervisor on it, and who counts."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from app import logs
from app.delivery.supervisor import Supervisor
from app.main import delivery_limits_of, retention_limits_of, wire_limits_of
from app.metrics import Metrics
from app.model import Hook, Secret, Stream
from app.settings import load_settings
from app.splunk.client import HecClients
from app.spool.sqlite.spool import SqliteSpool
from app.tenants.model import Destination, Snapshot, Tenant
from app.transform import transform

PAYLOADS = Path(__file__).parents[1] / "fixtures" / "payloads"


class Seen(Metrics):
    """Counts what is delivered, and how late."""

    def __init__(self) -> None:
        super().__init__("bench")
        self.delivered_count = 0
        self.others_count = 0
        """Of all tenants but the first."""
        self.wanted = 0
        self.done = asyncio.Event()
        self.delays_s: list[float] | None = None
        """Of those others, once it is a list."""

    def delivered(self, stream: Stream, *, delays_s: Sequence[float]) -> None:
        """As delivering tells it."""
        self.delivered_count += len(delays_s)
        if stream.tenant != "tenant-0":
            self.others_count += len(delays_s)
            if self.delays_s is not None:
                self.delays_s.extend(delays_s)
        if self.delivered_count >= self.wanted:
            self.done.set()


@dataclass
class Tenants:
    """The tenants in force, which never change."""

    snapshot: Snapshot

    def refresh(self, *, tenant: str | None = None) -> bool:  # noqa: ARG002 - as delivering calls it
        """Nothing to read."""
        return False

    def on_change(self, callback: Callable[[Snapshot], None]) -> None:
        """Never."""


def tenants(url: str, count: int) -> Tenants:
    """So many tenants, each with one destination and a hec_token of its own at one address."""
    made = {}
    for number in range(count):
        name = f"tenant-{number}"
        destination = Destination(
            tenant=name,
            name="main",
            url=url,
            hec_token=Secret(f"env:{name}", name.encode()),
            hec_token_ref=f"env:{name}",
            index="sentry",
        )
        made[name] = Tenant(name=name, destinations=(destination,), destination_names=("main",))
    return Tenants(Snapshot(tenants=made, by_installation={}))


@dataclass
class Hooks:
    """Hooks of one resource, each new to the spool."""

    resource: str
    payload: bytes
    seed: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(time.time_ns() + self.seed)  # noqa: S311 - ids for a measurement

    def __call__(self, tenant: str) -> Hook:
        """Another one."""
        number = self._random.getrandbits(128)
        return Hook(
            delivery_id=f"{number:032x}",
            tenant=tenant,
            resource=self.resource,
            received_at=time.time(),
            key_digest=number.to_bytes(16, "big"),
            payload=self.payload,
        )


def hooks(name: str) -> Hooks:
    """Of the sample payload of that name."""
    return Hooks(name.partition(".")[0], (PAYLOADS / f"{name}.json").read_bytes())


@asynccontextmanager
async def spool(folder: Path) -> AsyncIterator[SqliteSpool]:
    """A spool in this folder, as the relay has it."""
    opened = await SqliteSpool.open(folder / "spool.db", hooks_max=10_000_000, bytes_max=10**12, queue_hooks_max=10_000)
    try:
        yield opened
    finally:
        await opened.close()


async def fill(into: SqliteSpool, make: Hooks, tenant: str, count: int) -> None:
    """Accept so many hooks."""
    for begin in range(0, count, 1_000):
        some = range(min(1_000, count - begin))
        await asyncio.gather(*(into.accept(make(tenant), ("main",)) for _ in some))


@asynccontextmanager
async def supervisor(
    on: SqliteSpool, known: Tenants, seen: Seen, *, transform_: Callable[..., object] = transform, **settings: str
) -> AsyncIterator[None]:
    """Delivering, with the settings of a relay that was told these."""
    told = load_settings(settings)
    died: list[str] = []
    running = Supervisor(
        spool=on,
        tenants=known,
        limits=delivery_limits_of(told),
        retention=retention_limits_of(told),
        open_client=HecClients(wire_limits_of(told)).open,
        on_fatal=died.append,
        observer=seen,
        transform=transform_,  # type: ignore[arg-type] # one that hands out what was made before is one too
    )
    running.start()
    try:
        yield
    finally:
        await running.drain(0.1)
    assert not died


@contextmanager
def silent_log() -> Iterator[None]:
    """The log is written as ever, to nowhere."""
    with Path(os.devnull).open("wb") as nowhere:
        logs.configure("json", "info", nowhere)
        yield
