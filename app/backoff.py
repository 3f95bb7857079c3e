"""When to try again. Pure: ``now`` and ``jitter`` are arguments."""

from email.utils import parsedate_to_datetime

_DOUBLINGS_MAX = 32


def delay(attempt: int, *, jitter: float, base_s: float, cap_s: float) -> float:
    """Seconds until the next try after ``attempt`` (1, 2, …) faults: full jitter under a doubling ceiling.

    ``jitter`` is uniform in [0, 1). Full jitter spreads those who failed together over the whole interval.
    """
    doublings = min(max(attempt, 1) - 1, _DOUBLINGS_MAX)
    return jitter * min(cap_s, base_s * 2.0**doublings)


def retry_after_s(header: str, *, now: float, cap_s: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, within 0 and ``cap_s``; ``None`` if it says nothing.

    Both forms of HTTP: seconds, and a date (read against ``now``, Unix seconds).
    """
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), cap_s)
    try:
        wanted = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wanted, 0.0), cap_s)
