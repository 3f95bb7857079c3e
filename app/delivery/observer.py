"""Who wants to count: the numbers that delivering gives away, for metrics."""

from collections.abc import Sequence
from typing import Protocol

from app.model import Cause, Stream
from app.splunk.answers import Outcome, Scope


class Observer(Protocol):
    """Called on the event loop, after the fact.

    Labels are bounded: outcomes, codes, causes and scopes are closed sets, streams come from the tenants file.
    """

    def attempted(
        self,
        stream: Stream,
        *,
        outcome: Outcome,
        hec_code: str,
        hec_events: int,
        body_bytes: int,
        seconds: float,
    ) -> None:
        """One post ended. ``hec_code`` is a known code, ``none`` or ``other``; ``body_bytes`` is before gzip."""
        ...

    def delivered(self, stream: Stream, *, delays_s: Sequence[float]) -> None:
        """So many deliveries are delivered and settled; each delay is from received to Splunk's answer."""
        ...

    def resent(self, stream: Stream, *, count: int, ambiguous: bool) -> None:
        """So many hec_events will be posted again; ``ambiguous``: Splunk may have them already."""
        ...

    def buried(self, stream: Stream, *, cause: Cause, count: int) -> None:
        """So many deliveries became dead letters."""
        ...

    def filtered(self, stream: Stream, *, count: int) -> None:
        """So many deliveries were settled because a route drops them."""
        ...

    def paused(self, stream: Stream, *, scope: Scope) -> None:
        """A lane, hec_token or destination paused (or is still paused after another try)."""
        ...

    def resumed(self, stream: Stream, *, scope: Scope) -> None:
        """It delivers again."""
        ...

    def awaiting(self, stream: Stream, *, count: int) -> None:
        """So many hec_events are accepted by Splunk and not yet told to be indexed."""
        ...

    def acknowledged(self, stream: Stream, *, ack: str, count: int) -> None:
        """So many wait no longer. ``ack`` is ``indexed``, or why nobody will ever know (a closed set)."""
        ...

    def left_out(self, stream: Stream, *, addresses: int) -> None:
        """So many addresses of a destination with several are left out just now."""
        ...

    def unverified(self, streams: Sequence[Stream]) -> None:
        """The destinations, all of them, whose certificate is not checked."""
        ...

    def spool_failed(self, *, doing: str) -> None:
        """The spool could not do something (``claim``, ``settle``, ...) just now; it is tried again."""
        ...
