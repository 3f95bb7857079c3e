"""The time of a hec_event: Splunk's ``time``, in epoch seconds."""

from app.model import Hook
from app.sentry.dates import epoch_text, instant

_EARLIEST = 946_684_800_000_000
"""2000-01-01 in microseconds. Sentry is younger, so an earlier date comes from a clock that was never set."""
_LATEST = 4_102_444_800_000_000
"""2100-01-01 in microseconds: the bound where the time of receipt is unknown."""
_AHEAD = 86_400_000_000
"""A day in microseconds: a date further ahead of the receipt than that counts as none."""


def time_of(occurred_at: int | None, hook: Hook) -> str | None:
    """Epoch seconds as fixed decimal text: the payload's own time, else when it was sent, else received.

    A date before 2000 or more than a day after the hook came in counts as no date. ``None``: not even the time
    of receipt is known, and Splunk takes its own.
    """
    received = instant(hook.received_at) if hook.received_at > 0 else None  # not even for "not a number"
    latest = received + _AHEAD if received is not None else _LATEST
    if occurred_at is not None and _EARLIEST <= occurred_at <= latest:
        return epoch_text(occurred_at)
    for candidate in (instant(hook.sent_at), received):
        if candidate is not None and _EARLIEST <= candidate <= latest:
            return epoch_text(candidate)
    return None
