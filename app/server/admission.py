"""What the connections of one listener share: limits, places, bodies, known senders."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.errors import IngestRefusal
from app.server.bodies import Bodies
from app.server.clients import is_trusted
from app.server.limits import ServerLimits
from app.server.places import Places, Rank
from app.server.senders import Senders

if TYPE_CHECKING:
    from app.server.exchange import ServedExchange

SPARE_PLACES = 64
"""While everybody has a request in progress, so many more are answered that there is no room. More are cut off."""


class Admission:
    """One for a listener. ``Holder`` is a connection."""

    def __init__(self, limits: ServerLimits, *, refused: Callable[[IngestRefusal, str], None]) -> None:
        """``refused`` is told of each request that the server itself refuses, and the peer's address."""
        self.limits = limits
        self.refused = refused
        self.places: Places[object] = Places(limits.connections_max)
        self.bodies: Bodies[ServedExchange] = Bodies(limits.bodies_bytes_max)
        self.senders = Senders()
        self.draining = False
        """Every answer closes its connection from now on."""

    def trusts(self, peer: str) -> bool:
        """Whether ``peer`` says truly whom it asks for."""
        proxies = self.limits.trusted_proxies
        return bool(proxies) and is_trusted(peer, proxies)

    def rank_of(self, address: str, now: float) -> Rank:
        """What an address has shown."""
        return Rank.KNOWN if self.senders.known(address, now) else Rank.UNPROVEN
