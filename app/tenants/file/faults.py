"""What is wrong with a tenants file, where, and how that is told. Pure; never repeats a value of the file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from app.errors import ConfigError

Where = tuple[str | int, ...]
"""The way to a place in the file: keys and list positions, ``("tenants", "acme", "splunk", 0, "url")``."""

FAULTS_SHOWN_MAX: Final = 20
_KEY_SHOWN_MAX: Final = 64


class Spot(NamedTuple):
    """A place in the text. Both count from 1, as editors do."""

    line: int
    column: int


class Fault(NamedTuple):
    """One thing that a person has to mend."""

    where: Where
    words: str


Locate = Callable[[], Mapping[Where, Spot]]
"""Gives the spot of every place in the file. Called only when there is a fault to show."""


def nowhere() -> Mapping[Where, Spot]:
    """The ``Locate`` of a document that was never text."""
    return {}


def spelled(where: Where) -> str:
    """The path as people write it: ``tenants.acme.splunk[0].url``."""
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        shown = step if step.isprintable() and len(step) <= _KEY_SHOWN_MAX else repr(step[:_KEY_SHOWN_MAX])
        text += f".{shown}" if text else shown
    return text


def config_error(faults: Sequence[Fault], *, file: str, locate: Locate = nowhere) -> ConfigError:
    """One error that tells every fault, each as ``file:line:column: path: words``, in the file's order."""
    spots = locate()
    placed = sorted(((_spot(fault.where, spots), fault) for fault in faults), key=lambda each: each[0])
    lines = [
        f"{file}{f':{spot.line}:{spot.column}' if spot.line else ''}: "
        f"{f'{spelled(fault.where)}: ' if fault.where else ''}{fault.words}"
        for spot, fault in placed[:FAULTS_SHOWN_MAX]
    ]
    if len(faults) > FAULTS_SHOWN_MAX:
        lines.append(f"{file}: and {len(faults) - FAULTS_SHOWN_MAX} faults more")
    return ConfigError("\n".join(lines))


def _spot(where: Where, spots: Mapping[Where, Spot]) -> Spot:
    """The spot of the place, or of the nearest place around it that the text has."""
    while where and where not in spots:
        where = where[:-1]
    return spots.get(where, Spot(0, 0))
