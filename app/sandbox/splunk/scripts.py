"""Which fault falls to which request: scripted ones first, one each, then the standing one."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import NamedTuple

from app.sandbox.splunk.faults import Fault
from app.sandbox.splunk.model import Endpoint

INTAKE: frozenset[Endpoint] = frozenset({"event", "raw"})
"""A script for ``event`` is for ``/raw`` too."""


class _For(NamedTuple):
    endpoint: Endpoint
    token: str | None


class Scripts:
    """Faults in waiting, by endpoint and by hec_token (``None``: any). A hec_token's own ones go first."""

    def __init__(self) -> None:
        self._waiting: defaultdict[_For, deque[Fault]] = defaultdict(deque)
        self._standing: dict[_For, Fault] = {}

    def script(self, faults: Iterable[Fault], token: str | None, endpoint: Endpoint) -> None:
        """Add faults, to be used up one a request."""
        self._waiting[_For(endpoint, token)].extend(faults)

    def always(self, fault: Fault | None, token: str | None, endpoint: Endpoint) -> None:
        """Set the standing fault, or take it away."""
        if fault is None:
            self._standing.pop(_For(endpoint, token), None)
        else:
            self._standing[_For(endpoint, token)] = fault

    def next(self, token: str | None, endpoint: Endpoint) -> Fault | None:
        """The fault of the next request."""
        endpoint = "event" if endpoint in INTAKE else endpoint
        keys = [_For(endpoint, token), _For(endpoint, None)]
        for key in keys:
            if self._waiting.get(key):
                return self._waiting[key].popleft()
        return next((self._standing[key] for key in keys if key in self._standing), None)

    @property
    def left(self) -> int:
        """Scripted faults that were not used up yet."""
        return sum(map(len, self._waiting.values()))
