"""When it happened, as Splunk's ``time``."""

from app.model import Hook
from app.sentry.dates import epoch_text, instant

_EARLIEST = 946_684_800_000_000
"""2000-01-01: Sentry is younger, so an earlier date is a clock that was never set."""
_LATEST = 4_102_444_800_000_000
"""2100-01-01, where even the relay's own clock is not known."""
_AHEAD = 86_400_000_000
"""A day: how far a sender's clock may run ahead of ours before it is not believed."""


def time_of(own: int | None, hook: Hook) -> str | None:
    """Epoch seconds as fixed decimal text: the payload's own time, else when it was sent, else received.

    A date before 2000 or more than a day after the hook came in counts as no date. ``None``: not even the time
    of receipt is known, and Splunk takes its own.
    """
    received = instant(hook.received_at) if hook.received_at > 0 else None  # not even for "not a number"
    latest = received + _AHEAD if received is not None else _LATEST
    if own is not None and _EARLIEST <= own <= latest:
        return epoch_text(own)
    for each in (instant(hook.sent_at), received):
        if each is not None and _EARLIEST <= each <= latest:
            return epoch_text(each)
    return None
