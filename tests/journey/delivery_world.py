"""A whole delivery for a test: a stand-in Splunk, a spool on disk, a tenants file, and a supervisor between them."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import MappingProxyType, TracebackType
from typing import Any

import orjson
import structlog
from structlog.testing import capture_logs

from app.delivery.limits import DeliveryLimits
from app.delivery.supervisor import Supervisor
from app.errors import SpoolError
from app.metrics import Metrics
from app.model import Attempt, Burial, Delivery, DeliveryRecord, Hook, RetentionLimits, Search, State, Stream
from app.sandbox.splunk import HecToken, Indexed, StandInSplunk
from app.splunk.client import HecClients, WireLimits
from app.spool.sqlite.spool import SqliteSpool
from app.tenants.registry import Registry
from tests.torture.ports import number, reserved_port

DELIVERY = DeliveryLimits(
    batch_bytes_max=1_000_000,
    batch_hec_events_max=500,
    linger_s=0.01,
    gzip_level=1,
    concurrency_max=8,
    in_flight_bytes_max=64_000_000,
    lease_s=30,
    poll_interval_s=0.05,
    retry_base_s=0.02,
    retry_max_s=0.2,
    retry_after_max_s=5,
    pause_probe_max_s=0.2,
    event_bytes_max=500_000,
)
RETENTION = RetentionLimits(
    waiting_age_max_s=3600,
    dedup_window_s=3600,
    dedup_keys_max=1_000_000,
    dead_age_max_s=3600,
    dead_bytes_max=1_000_000_000,
    history_age_max_s=3600,
    history_max=10_000,
)
CLIENT = WireLimits(
    connect_timeout_s=2, timeout_s=5, keepalive_s=8, connection_age_max_s=180, connections_max=DELIVERY.concurrency_max
)


@dataclass
class Part:
    """One destination of one tenant, as the tenants file is to name it."""

    tenant: str
    url: str
    token_value: str
    index: str = "sentry"
    routes: tuple[dict[str, Any], ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other keys of the destination."""


@dataclass
class SpoolClock:
    """The spool's clock, which a test can put forward: leases run out then."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        """Unix seconds."""
        return time.time() + self.ahead_s


@dataclass
class World:
    """Everything that a test of delivering looks at or turns."""

    folder: Path
    spool: SqliteSpool
    clock: SpoolClock
    registry: Registry
    limits: DeliveryLimits
    retention: RetentionLimits
    client: WireLimits
    log: list[Any]
    fatal: list[str] = field(default_factory=list)
    supervisor: Supervisor = field(init=False)
    accepted: int = 0

    def run(self, **changes: Any) -> Supervisor:
        """Start a supervisor."""
        clients = HecClients(replace(self.client, connections_max=self.limits.concurrency_max))
        parts: dict[str, Any] = {
            "spool": self.spool,
            "tenants": self.registry,
            "limits": self.limits,
            "retention": self.retention,
            "open_client": clients.open,
            "on_fatal": self.fatal.append,
            "observer": Metrics("test"),
            "rng": Random(7),  # noqa: S311  jitter, the same in every run
        }
        self.supervisor = Supervisor(**(parts | changes))
        self.supervisor.start()
        return self.supervisor

    async def accept(
        self, count: int = 1, *, tenant: str = "acme", size: int = 0, project: str = "", ago_s: float = 0
    ) -> list[str]:
        """Put hooks into the spool, as ingest would; their delivery ids."""
        made = [self.hook(tenant=tenant, size=size, project=project, ago_s=ago_s) for _ in range(count)]
        await asyncio.gather(*(self.spool.accept(each, ["main"]) for each in made))
        return [each.delivery_id for each in made]

    def hook(self, *, tenant: str = "acme", size: int = 0, project: str = "", ago_s: float = 0) -> Hook:
        """One hook that no other is like."""
        self.accepted += 1
        issue = {
            "id": str(self.accepted),
            "title": f"hook {self.accepted}",
            "padding": "x" * size,
            "project": {"id": "1", "slug": project or "shop"},
        }
        return Hook(
            delivery_id=f"{self.accepted:032x}",
            tenant=tenant,
            resource="unheard_of" if size else "issue",
            received_at=time.time() - ago_s,
            key_digest=self.accepted.to_bytes(16, "big"),
            payload=orjson.dumps({"action": "created", "data": {"issue": issue}}),
        )

    async def until_settled(self, *, timeout_s: float = 180.0) -> None:
        """Wait until nothing waits in the spool, and the observer was told of everything."""
        await until_async(self._nothing_waits, timeout_s=timeout_s)

    async def _nothing_waits(self) -> bool:
        return await self.waiting() == 0 and not self.supervisor.claimed

    async def waiting(self, tenant: str | None = None) -> int:
        """How many deliveries wait."""
        stats = await self.spool.stats()
        return sum(each.waiting for each in stats.streams if tenant in (None, each.stream.tenant))

    async def delivered(self, tenant: str = "acme") -> int:
        """How many the books say are delivered."""
        stats = await self.spool.stats()
        return sum(each.delivered for each in stats.streams if each.stream == Stream(tenant, "main"))

    async def dead(self) -> list[DeliveryRecord]:
        """The dead letters."""
        return list(await self.spool.find(Search(states=frozenset({State.DEAD})), limit=10_000))

    async def life(self, delivery_id: str) -> DeliveryRecord:
        """What became of one delivery."""
        (found,) = await self.spool.find(Search(delivery_ids=frozenset({delivery_id})), limit=2)
        return found

    async def steal(self) -> list[Delivery]:
        """What is claimed is claimed by somebody else, as if its leases had run out."""
        self.clock.ahead_s += self.limits.lease_s + 1
        return await self.spool.claim(limit=1000, per_stream=1000, bytes_max=10**9, lease_s=3600)

    def rotate(self, tenant: str, token_value: str) -> None:
        """Put another hec_token into the tenant's secret file."""
        fresh = self.folder / f"{tenant}.token.new"
        fresh.write_text(token_value)
        fresh.replace(self.folder / f"{tenant}.token")

    def said(self, event: str) -> list[Any]:
        """The log lines of that name."""
        return [line for line in self.log if line["event"] == event]


class StayingSplunk(StandInSplunk):
    """A stand-in whose port stays its own while it is stopped, so that it can start there again."""

    _reserved: socket.socket | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """On a port that nobody else is given before the context ends."""
        del port
        self._reserved = self._reserved or reserved_port()
        await super().start(host, number(self._reserved))

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, fault, trace)
        if self._reserved is not None:
            self._reserved.close()


def ids_of(indexed: list[Indexed]) -> list[str]:
    """The delivery ids, in the order in which they were indexed."""
    return [str(each.fields["relay_delivery_id"]) for each in indexed]


def tenants_file(
    folder: Path, parts: list[Part], *, installations: Mapping[str, list[str]] = MappingProxyType({})
) -> Path:
    """Write a tenants file with a secret file a tenant."""
    tenants: dict[str, Any] = {}
    for part in parts:
        (folder / f"{part.tenant}.token").write_text(part.token_value)
        tenants[part.tenant] = {
            "sentry": {"client_secrets": ["env:SENTRY"], "installations": installations.get(part.tenant, [])},
            "splunk": [
                {
                    "name": "main",
                    "url": part.url,
                    "hec_token": f"file:{folder / part.tenant}.token",
                    "index": part.index,
                    **({"routes": list(part.routes)} if part.routes else {}),
                    **part.more,
                }
            ],
        }
    path = folder / "tenants.yaml"
    fresh = path.with_suffix(".new")
    shared = [{"client_secrets": ["env:SHARED"]}] if installations else []
    fresh.write_bytes(orjson.dumps({"tenants": tenants, "shared_integrations": shared}))
    fresh.replace(path)
    return path


def _limits(settings: dict[str, Any]) -> tuple[DeliveryLimits, RetentionLimits, WireLimits]:
    """The limits of the world with these settings changed."""
    client = {name.removeprefix("hec_"): value for name, value in settings.items() if name.startswith("hec_")}
    retention = {name: value for name, value in settings.items() if hasattr(RETENTION, name)}
    delivery = {name: value for name, value in settings.items() if hasattr(DELIVERY, name)}
    assert len(client) + len(retention) + len(delivery) == len(settings)
    return replace(DELIVERY, **delivery), replace(RETENTION, **retention), replace(CLIENT, **client)


@asynccontextmanager
async def world(folder: Path, parts: list[Part], **limits: Any) -> AsyncIterator[World]:
    """A world with these destinations; nothing runs before ``run``."""
    structlog.reset_defaults()
    registry = Registry.load(
        tenants_file(folder, parts), environ={"SENTRY": "sentry-secret", "SHARED": "shared-secret"}
    )
    clock = SpoolClock()
    spool = await SqliteSpool.open(
        folder / "spool.db",
        hooks_max=100_000,
        bytes_max=1_000_000_000,
        queue_hooks_max=100_000,
        clock=clock,
        steady=clock,
    )
    with capture_logs() as log:
        made = World(folder, spool, clock, registry, *_limits(limits), log)
        try:
            yield made
        finally:
            if hasattr(made, "supervisor"):
                await made.supervisor.drain(0.3)
            await spool.close()


@asynccontextmanager
async def acme(folder: Path, splunk: StandInSplunk, *, batch: int = 0, **limits: Any) -> AsyncIterator[World]:
    """The world of one tenant. With ``batch`` hooks that many make a batch, however slow the machine."""
    if batch:
        limits |= {"batch_hec_events_max": batch, "linger_s": 0.2}
    splunk.set_token(HecToken("acme-token", indexes=("sentry",)))
    async with world(folder, [Part("acme", splunk.url, "acme-token")], **limits) as made:
        yield made


async def until(true: Callable[[], object], *, timeout_s: float = 180.0) -> None:
    """Wait for a condition that has no event of its own."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)


async def until_async(true: Callable[[], Any], *, timeout_s: float = 180.0) -> None:
    """Wait for a condition that has to be asked for."""
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.01)


class Flaky:
    """A real spool whose writes fail for a while, as on a full disk."""

    def __init__(self, spool: Any, *names: str) -> None:
        self.failing = set(names)
        self.failed: Counter[str] = Counter()
        self._spool = spool

    def __getattr__(self, name: str) -> Any:
        """What is not made to fail here."""
        return getattr(self._spool, name)

    async def _maybe(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name in self.failing:
            self.failed[name] += 1
            raise SpoolError("disk_full: database or disk is full")
        return await getattr(self._spool, name)(*args, **kwargs)

    async def claim(self, **kwargs: Any) -> list[Delivery]:
        """As the spool."""
        return list(await self._maybe("claim", **kwargs))

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """As the spool."""
        return set(await self._maybe("renew", deliveries, lease_s=lease_s))

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> int:
        """As the spool."""
        return int(await self._maybe("settle", deliveries, filtered=filtered, tried=tried))

    async def release(self, deliveries: Sequence[Delivery], **kwargs: Any) -> int:
        """As the spool."""
        return int(await self._maybe("release", deliveries, **kwargs))

    async def adopt(self, installation: str, tenant: str, destinations: Sequence[str]) -> int:
        """As the spool."""
        return int(await self._maybe("adopt", installation, tenant, destinations))

    async def bury(self, burials: Sequence[Burial]) -> int:
        """As the spool."""
        return int(await self._maybe("bury", burials))


class Counting(Flaky):
    """A real spool that counts what is claimed of whom."""

    def __init__(self, spool: Any) -> None:
        super().__init__(spool)
        self.claimed: Counter[str] = Counter()

    async def claim(self, **kwargs: Any) -> list[Delivery]:
        """As the spool."""
        deliveries = await super().claim(**kwargs)
        self.claimed.update(each.stream.tenant for each in deliveries)
        return deliveries
