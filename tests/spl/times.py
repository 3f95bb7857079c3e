"""Times as searches write them: ``-24h@h``, ``5m``, ``%Y-%m-%dT%H:%M:%S.%6NZ``. Everything is UTC."""

import math
import re
import time
from datetime import UTC, datetime
from typing import NamedTuple

from tests.spl.faults import Fault

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPANS = (1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 86_400, 2_592_000)
_BUCKETS_MAX = 100


class Window(NamedTuple):
    """The time range of a search: by the events' time, and by when they were indexed."""

    earliest: str = "-24h@h"
    latest: str = "now"
    index_earliest: str = ""
    index_latest: str = ""


def instant(text: str, now: float, *, otherwise: float) -> float:
    """The epoch second that a time modifier means; ``otherwise`` where there is none."""
    if not text:
        return otherwise
    if text == "now":
        return now
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) if text != "0" else -math.inf
    match = re.fullmatch(r"(?:([+-]\d+)([smhdw]))?(?:@([smhd]))?", text)
    if not match:
        raise Fault(f"no time modifier: {text!r}")
    moved = now + (int(match[1]) * SECONDS[match[2]] if match[1] else 0)
    return moved - moved % SECONDS[match[3]] if match[3] else moved


def span(text: str) -> int:
    """Seconds of a span such as ``1h``."""
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if not match:
        raise Fault(f"no span: {text!r}")
    return int(match[1]) * SECONDS[match[2]]


def usual_span(seconds: float) -> int:
    """The span that ``timechart`` takes for a range of so many seconds: the finest with at most 100 buckets."""
    return next((each for each in _SPANS if seconds / each <= _BUCKETS_MAX), _SPANS[-1])


def written(epoch: float, form: str) -> str:
    """``strftime``."""
    return time.strftime(form, time.gmtime(epoch))


def read(text: str, form: str) -> float | None:
    """``strptime``: null where the text has another form."""
    try:
        found = datetime.strptime(text, re.sub(r"%[369]N", "%f", form))  # noqa: DTZ007 - UTC is put in below
    except ValueError:
        return None
    return found.replace(tzinfo=UTC).timestamp()
