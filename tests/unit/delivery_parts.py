"""What the units of delivering are made of in a test: no spool, no socket, and clocks that only a test moves."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from app.delivery.claims import Claims
from app.delivery.interfaces import DeliveryContext
from app.delivery.limits import DeliveryLimits
from app.delivery.tally import PostTally
from app.metrics import Metrics
from app.model import Attempt, Burial, Delivery, Hook, Secret, Stream
from app.splunk.answers import Answer
from app.tenants.model import Destination, Snapshot

STREAM = Stream("acme", "main")
TOKEN = Secret("env:HEC", b"hec-secret")
DESTINATION = Destination(
    tenant="acme", name="main", url="https://splunk.example", hec_token=TOKEN, hec_token_ref="env:HEC", index="sentry"
)
LIMITS = DeliveryLimits(
    batch_bytes_max=1_000_000,
    batch_hec_events_max=500,
    linger_s=1.0,
    gzip_level=1,
    concurrency_max=8,
    in_flight_bytes_max=64_000_000,
    lease_s=30,
    poll_interval_s=0.5,
    retry_base_s=1.0,
    retry_max_s=60.0,
    retry_after_max_s=300.0,
    pause_probe_max_s=90.0,
    event_bytes_max=500_000,
)


def delivery(seq: int, *, lease: str = "l1", tenant: str = "acme", payload: bytes = b"{}") -> Delivery:
    """A claimed delivery."""
    hook = Hook(delivery_id=f"{seq:032x}", tenant=tenant, payload=payload)
    return Delivery(seq=seq, lease=lease, stream=Stream(tenant, "main"), hook=hook, attempts=0, ambiguous=0)


@dataclass
class BookSpool:
    """A spool that writes down what it is told, and fails as often as it was told to."""

    failing: int = 0
    ours: set[int] | None = None
    """Which are still ours; ``None``: all."""
    told: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    def _note(self, doing: str, deliveries: Sequence[Delivery]) -> int:
        if self.failing:
            self.failing -= 1
            raise OSError("the disk is full")
        self.told.append((doing, tuple(each.seq for each in deliveries)))
        return sum(self.ours is None or each.seq in self.ours for each in deliveries)

    async def settle(
        self, deliveries: Sequence[Delivery], *, filtered: bool = False, tried: Sequence[Attempt] = ()
    ) -> int:
        """As the interface."""
        del tried
        return self._note("filtered" if filtered else "settle", deliveries)

    async def release(self, deliveries: Sequence[Delivery], **how: Any) -> int:
        """As the interface; an attempt in doubt is noted apart."""
        doubt = any(each.ambiguous for each in how.get("tried", ()))
        return self._note("release in doubt" if doubt else "release", deliveries)

    async def bury(self, burials: Sequence[Burial]) -> int:
        """As the interface."""
        return self._note("bury", [each.delivery for each in burials])

    async def renew(self, deliveries: Sequence[Delivery], *, lease_s: float) -> set[int]:
        """As the interface."""
        del lease_s
        self._note("renew", deliveries)
        return {each.seq for each in deliveries if self.ours is None or each.seq in self.ours}


class Directory:
    """Tenants that do not change; counts how often their secrets were asked for again."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.snapshot = Snapshot(tenants={}, by_installation={})

    def refresh(self, *, tenant: str | None = None) -> bool:
        """As the registry."""
        assert tenant == "acme"
        self.refreshed += 1
        return False

    def on_change(self, callback: object) -> None:
        """Nothing changes."""


class Client:
    """A way to Splunk that gives the answers that were laid ready."""

    def __init__(self, *polls: Answer) -> None:
        self.polls = list(polls)
        self.asked: list[tuple[str, list[int]]] = []
        self.channels = frozenset({"c1"})
        self.renewed: list[str] = []

    async def poll(self, ack_ids: Sequence[int], *, channel: str, hec_token: Secret) -> Answer:
        """The next answer; nothing is known once there are none."""
        assert hec_token == TOKEN
        self.asked.append((channel, list(ack_ids)))
        return self.polls.pop(0)

    def renew(self, channel: str) -> None:
        """Another channel from now on."""
        self.renewed.append(channel)
        self.channels = frozenset({f"c{len(self.renewed) + 1}"})

    async def post(self, *_: Any, **__: Any) -> Answer:
        """Not for these tests."""
        raise AssertionError

    probe = post

    async def close(self) -> None:
        """Nothing is open."""


class AtOnce(Random):
    """No jitter: every backoff is over at once."""

    def random(self) -> float:
        """The shortest."""
        return 0.0


class Parts:
    """A context, what it spawned, and its clock (Unix seconds)."""

    def __init__(self) -> None:
        self.spool = BookSpool()
        self.directory = Directory()
        self.now = 1_000.0
        self.tasks: list[asyncio.Task[None]] = []
        self.observer = Metrics("test")
        rng = AtOnce()
        self.claims = Claims(self.spool, observer=self.observer, rng=rng)  # type: ignore[arg-type] # what it asks of one
        self.context = DeliveryContext(
            limits=LIMITS,
            claims=self.claims,
            observer=self.observer,
            tally=PostTally(),
            tenants=self.directory,
            open_client=lambda _: Client(),
            rng=rng,
            clock=lambda: self.now,
            spawn=self._spawn,
            wake=lambda: None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        del name
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def done(self) -> None:
        """Until everything that was spawned is over."""
        while self.tasks:
            await self.tasks.pop(0)
