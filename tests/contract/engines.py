"""What the contract tests open and store."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.model import Hook
from app.spool.interface import Spool

OpenSpool = Callable[..., Awaitable[Spool]]


class Clock:
    """Unix seconds that only move when told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Engine:
    """How to open a spool of one engine; opening twice gives the same stored state."""

    open: OpenSpool
    clock: Clock


def hook(number: int = 0, **changes: object) -> Hook:
    """A hook whose identity is its number."""
    fields: dict[str, object] = {
        "delivery_id": f"{number:032x}",
        "tenant": "acme",
        "resource": "issue",
        "received_at": 1_700_000_000.0,
        "dedup_keys": (number.to_bytes(16, "big"),),
        "payload": b'{"n":%d}' % number,
    }
    return Hook(**(fields | changes))  # type: ignore[arg-type] # a test names fields freely
