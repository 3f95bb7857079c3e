"""What delivering needs of other rooms, as protocols. ``main`` supplies the real ones."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from app.delivery.claims import Claims
from app.delivery.limits import DeliveryLimits
from app.delivery.observer import Observer
from app.delivery.tally import PostTally
from app.model import Secret
from app.splunk.answers import Answer
from app.tenants.model import Destination, Snapshot


class DestinationDirectory(Protocol):
    """The tenants in force."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in force."""
        ...

    def refresh(self, *, tenant: str | None = None) -> bool:
        """Resolve the secrets again now; returns whether any value changed."""
        ...

    def on_change(self, callback: Callable[[Snapshot], None]) -> None:
        """Have ``callback`` called on the event loop with every new snapshot."""
        ...


class HecTransport(Protocol):
    """A client for one address of a destination, or for all of them. Trouble on the way is an answer, never raised."""

    async def post(self, body: bytes, *, hec_token: Secret, gzip_level: int) -> Answer:
        """Post a body under that hec_token; ``gzip_level`` 0 sends it plain."""
        ...

    async def probe(self, *, hec_token: Secret) -> Answer:
        """Post an empty body, to see whether Splunk takes the hec_token."""
        ...

    async def poll(self, ack_ids: Sequence[int], *, channel: str, hec_token: Secret) -> Answer:
        """Ask which ids of a channel, in use or not, are indexed. Splunk says ``true`` once and then forgets."""
        ...

    @property
    def channels(self) -> frozenset[str]:
        """The channels in use. Any other one was left by ``renew``, or because the balancer gave another cookie."""
        ...

    def renew(self, channel: str) -> None:
        """Have another channel instead of that one."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


OpenClient = Callable[[Destination], HecTransport]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """What every sender of one supervisor works with."""

    limits: DeliveryLimits
    claims: Claims
    observer: Observer
    tally: PostTally
    tenants: DestinationDirectory
    open_client: OpenClient
    rng: Random
    clock: Callable[[], float]
    """Unix seconds."""
    spawn: Callable[[Coroutine[Any, Any, None], str], None]
    """Run something short as a task; if it dies, the supervisor ends the relay."""
    wake: Callable[[], None]
    """Have the dispatcher look into the spool now."""
