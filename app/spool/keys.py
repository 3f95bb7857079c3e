"""How both engines and the copy number deliveries and spell streams. Pure."""

from app.model import Stream

DESTINATIONS_MAX = 64
"""Destinations a hook can go to: a delivery's number has that many places for each hook."""
WAITING, PARKED, DEAD = range(3)
"""The states that are stored with a payload, as numbers; ``rows.STATES`` has all of them."""


def delivery_seq(hook_seq: int, place: int) -> int:
    """The number of the delivery of hook ``hook_seq`` to its destination number ``place`` (0 to 63)."""
    return hook_seq * DESTINATIONS_MAX + place


def hook_seq_of(seq: int) -> int:
    """The number of the hook that delivery ``seq`` belongs to."""
    return seq // DESTINATIONS_MAX


def place_of(seq: int) -> int:
    """Which destination of its hook delivery ``seq`` goes to, from 0."""
    return seq % DESTINATIONS_MAX


def stream_key(tenant: str, destination: str) -> str:
    """A stream as one text. Names hold no slash."""
    return f"{tenant}/{destination}"


def stream_of(key: str) -> Stream:
    """The stream behind its key."""
    tenant, _, destination = key.partition("/")
    return Stream(tenant, destination)
