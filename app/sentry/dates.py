"""Reads the dates that Sentry writes, and writes them in the two ways that Splunk wants.

Sentry spells one instant in several ways, by the path that made the payload: Python's ``isoformat``
(``2026-06-29T19:51:40+00:00``, no fraction when it is zero), its JSON encoder (``...40.373000Z``), naive text in
old payloads (UTC), and epoch seconds as a float (``timestamp``, ``received``).

An instant is an ``int`` of microseconds since the epoch: exact, and no float format ever decides how it looks.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SPELLING = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_EPOCH_TEXT = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_SECOND = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))
_THREE_DIGITS = tuple(f"{number:03}" for number in range(1000))
_SECONDS_MAX = 253_402_300_800
"""The year 10,000: neither Sentry nor Splunk has later ones."""


def instant(value: object) -> int | None:
    """Microseconds since the epoch, or ``None`` if the value is no date in any of Sentry's spellings."""
    if isinstance(value, str):
        return _from_text(value)
    if not isinstance(value, float) and (not isinstance(value, int) or isinstance(value, bool)):
        return None
    if not 0 <= value < _SECONDS_MAX:
        return None
    return round(value * _SECOND)


def epoch_text(when: int) -> str:
    """Epoch seconds as fixed decimal text with at most six decimals: ``1782762700.373``.

    Splunk 10 refuses scientific notation (code 15), so no number formatting is left to a library.
    """
    seconds = when // _SECOND  # and a 1 in front of the fraction keeps its zeros until it goes
    fraction = when - seconds * _SECOND
    return f"{seconds}.{fraction + _SECOND}".replace(".1", ".", 1).rstrip("0") if fraction else str(seconds)


def iso_text(value: object) -> str | None:
    """The one spelling in which dates leave: UTC, six digits of a fraction, ``Z``; always 27 characters."""
    if type(value) is float and 0 <= value < _SECONDS_MAX:  # as breadcrumbs have it, of which there are many
        seconds = int(value)
        fraction = round((value - seconds) * _SECOND)
        return _spelled(seconds, fraction) if fraction < _SECOND else _spelled(seconds + 1, 0)
    when = instant(value)
    return None if when is None else _spelled(*divmod(when, _SECOND))


def _spelled(seconds: int, fraction: int) -> str:
    """Digits are looked up: formatting them with leading zeros takes several times as long."""
    minute = seconds // 60
    whole = f"{_minute(minute)}{_TWO_DIGITS[seconds - minute * 60]}"
    thousandths = fraction // 1000
    return f"{whole}.{_THREE_DIGITS[thousandths]}{_THREE_DIGITS[fraction - thousandths * 1000]}Z"


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    """A minute's spelling, ``2026-06-29T19:51:``. What is told of one event, and of one hour, is of few minutes."""
    return (_NAIVE_EPOCH + timedelta(minutes=number)).isoformat()[: len("2026-06-29T19:51:")]


def _from_text(value: str) -> int | None:
    if len(value) > 40:  # noqa: PLR2004 - no date is that long, and patterns meet only short text
        return None
    if value[4:5] != "-" and (spelled := _EPOCH_TEXT.fullmatch(value)):
        whole = int(spelled[1])
        return whole * _SECOND + int((spelled[2] or "").ljust(6, "0")[:6]) if whole < _SECONDS_MAX else None
    if not _SPELLING.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
        since = moment - (_EPOCH if moment.tzinfo else _NAIVE_EPOCH)
    except (ValueError, OverflowError):
        return None
    when = since // _MICROSECOND
    return when if when >= 0 else None
