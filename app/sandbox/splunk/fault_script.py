"""A fault script, once its YAML or JSON has been loaded: the constructors of ``Fault`` by name (pure).

script:                            # one a request, in order
  - busy: {after: 3}               # arguments by name ...
  - status: 502                    # ... or the first one alone
    times: 3
  - hang: {stored: true, s: 30}
    token: acme                    # only for requests that name this hec_token
  - none                           # this request is served normally
always:                            # whenever the script has nothing
  - slow: 0.2
    endpoint: ack                  # event (the default, with raw), ack or health
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from app.sandbox.splunk.faults import Fault
from app.sandbox.splunk.model import Endpoint
from app.sandbox.splunk.server import StandInSplunk

NAMES = (
    "none",
    "busy",
    "status",
    "code",
    "accept_then",
    "shutting_down",
    "hang",
    "stall",
    "cut",
    "ok_html",
    "ok_empty",
    "slow",
    "redirect",
)
_BESIDE = frozenset({"times", "token", "endpoint"})
_TIMES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """A fault, how often it is used, and for whom."""

    fault: Fault
    times: int = 1
    token: str | None = None
    endpoint: Endpoint = "event"


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What a fault script asks for."""

    script: tuple[ScriptedFault, ...] = ()
    always: tuple[ScriptedFault, ...] = ()

    def tell(self, splunk: StandInSplunk) -> None:
        """Give the faults to a stand-in."""
        for each in self.script:
            splunk.script(*[each.fault] * each.times, token=each.token, endpoint=each.endpoint)
        for each in self.always:
            splunk.always(each.fault, token=each.token, endpoint=each.endpoint)


def fault_script(loaded: object) -> FaultScript:
    """The script of a loaded file; a bare list is its ``script``.

    Raises:
        ValueError: something in it is wrong; the text says where and what would be right.
    """
    if isinstance(loaded, list):
        loaded = {"script": loaded}
    if not isinstance(loaded, dict) or not loaded.keys() <= {"script", "always"}:
        raise ValueError("a fault script is a list of faults, or has `script` and `always` and no other keys")
    return FaultScript(_entries("script", loaded.get("script")), _entries("always", loaded.get("always")))


def _entries(section: str, entries: object) -> tuple[ScriptedFault, ...]:
    if not isinstance(entries, list | None):
        raise ValueError(f"{section}: not a list")  # noqa: TRY004 - promised: whatever is wrong in a file is one error
    scripted = []
    for number, entry in enumerate(entries or ()):
        try:
            scripted.append(_scripted(entry))
        except (ValueError, TypeError) as wrong:
            raise ValueError(f"{section}[{number}]: {wrong}") from wrong
    return tuple(scripted)


def _scripted(entry: object) -> ScriptedFault:
    entry = {entry: None} if isinstance(entry, str) else entry
    if not isinstance(entry, dict):
        raise TypeError("not a fault")
    names = [name for name in entry if name not in _BESIDE]
    if len(names) != 1 or names[0] not in NAMES:
        raise ValueError(f"needs exactly one fault, one of {', '.join(NAMES)}")
    times, token, endpoint = entry.get("times", 1), entry.get("token"), entry.get("endpoint", "event")
    if not _fits(times, int) or not 1 <= times <= _TIMES_MAX:
        raise ValueError(f"times is 1 to {_TIMES_MAX}")
    if not _fits(token, str | None):
        raise ValueError("token is a text")
    if endpoint not in get_args(Endpoint):
        raise ValueError(f"endpoint is one of {', '.join(get_args(Endpoint))}")
    return ScriptedFault(_fault(names[0], entry[names[0]]), times, token, endpoint)


def _fault(name: str, given: object) -> Fault:
    make = getattr(Fault, name)
    by_name = given if isinstance(given, Mapping) else {}
    alone = [] if given is None or isinstance(given, Mapping) else [given]
    signature = inspect.signature(make)
    bound = signature.bind(*alone, **by_name)
    for argument, value in bound.arguments.items():
        if not _fits(value, signature.parameters[argument].annotation):
            raise TypeError(f"{name}: {argument} cannot be {value!r}")
    fault = make(*bound.args, **bound.kwargs)
    if not isinstance(fault, Fault):
        raise TypeError(f"{name} is not a fault")
    return fault


def _fits(value: object, wanted: object) -> bool:
    """Whether a loaded value is of an annotated type. ``true`` is no number; a whole number may be a float."""
    kinds = get_args(wanted) or (wanted,)
    if isinstance(value, bool):
        return bool in kinds
    return any(isinstance(value, kind) for kind in kinds) or (isinstance(value, int) and float in kinds)
