"""The books of a spool as the torture sees them, whatever engine they were read from. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Row = tuple[str, str]
"""Stream (``tenant/destination``, ``/`` while parked) and delivery id."""
STATES = ("waiting", "parked", "dead")
"""By the number that stands for each in both engines."""


@dataclass(frozen=True, slots=True)
class Account:
    """One stream's counts, all of which only grow."""

    accepted: int
    delivered: int
    filtered: int
    discarded: int
    adopted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that a spool holds after its relay has ended."""

    accounts: Mapping[str, Account]
    waiting: Sequence[Row]
    parked: Sequence[Row]
    dead: Sequence[Row]
    causes: Mapping[str, int]
    """Dead letters by cause."""
    faults: Sequence[str]
    """What is wrong with it by itself, in words."""


def imbalances(books: Books) -> list[str]:
    """Where ``accepted = delivered + filtered + discarded + adopted + waiting + dead`` does not hold."""
    rows = [*books.waiting, *books.parked, *books.dead]
    found = []
    for stream in sorted({*books.accounts, *(stream for stream, _ in rows)}):
        account = books.accounts.get(stream, Account(0, 0, 0, 0, 0))
        here = sum(each == stream for each, _ in rows)
        gone = account.delivered + account.filtered + account.discarded + account.adopted
        if account.accepted != gone + here:
            found.append(f"{stream}: accepted {account.accepted}, but {gone} gone and {here} here ({account})")
    return found
