"""What differs from one hook to the next, and how it gets into a sample.

A sample's strings hold places such as ``@event_id@``. A string that is one place alone takes the value with
its type (a number stays a number); a place inside a longer string takes its text.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

Value = str | int | float

PROJECT_NUMBER = 4507733551170033
"""Above 2^32, as the project ids of Sentry's own cloud are."""

_PLACE = re.compile(r"@([a-z_]+)@")


def values(name: str, seed: int, now: float, *, isoformat: bool) -> dict[str, Value]:
    """Every place's value for one hook: the same arguments give the same values, another seed others.

    ``now`` is when the hook is sent, in Unix seconds; what it tells of happened a little before.
    ``isoformat`` picks the date text: Sentry writes ``+00:00`` on some paths and ``Z`` on others (webhook
    tasks and JSON encoder of getsentry/sentry).
    """
    bits = blake2b(f"{name}:{seed}".encode(), digest_size=64).digest()
    number = int.from_bytes(bits[:4], "big")
    moment = datetime.fromtimestamp(now, UTC) - timedelta(milliseconds=420)
    issue = 5_000_000_000 + number
    written = _isoformat if isoformat else _json_format
    return {
        **_numbers(number, issue),
        "event_id": bits[4:20].hex(),
        "trace_id": bits[20:36].hex(),
        "span_id": bits[36:44].hex(),
        "group_hash": bits[16:32].hex(),
        "grant_code": bits[28:44].hex(),
        "head_sha": bits[44:64].hex(),
        "sentry_run_id": str(UUID(bytes=bits[40:56], version=4)),
        "event_time": written(moment),
        "event_time_offset": _isoformat(moment),
        "first_seen": written(moment - timedelta(days=3, seconds=number % 86_400)),
        "event_epoch": moment.timestamp(),
        "crumb_epoch": round(moment.timestamp() - 1.25, 6),
        "received_epoch": round(moment.timestamp() + 0.21, 6),
    }


def filled(template: object, at: Mapping[str, Value]) -> object:
    """A copy of a JSON template with every place taken; an unknown place is a ``KeyError``."""
    if isinstance(template, str):
        whole = _PLACE.fullmatch(template)
        return at[whole[1]] if whole else _PLACE.sub(lambda place: str(at[place[1]]), template)
    if isinstance(template, dict):
        return {key: filled(value, at) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, at) for value in template]
    return template


def wire(body: object) -> bytes:
    """JSON bytes as Sentry's encoder writes them: compact, everything but ASCII escaped."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _numbers(number: int, issue: int) -> dict[str, Value]:
    return {
        "issue_id": str(issue),
        "issue_number": issue,
        "short_id": f"CHECKOUT-{number % 46_656:X}",
        "project_id": str(PROJECT_NUMBER),
        "project_number": PROJECT_NUMBER,
        "order_id": f"T-{number % 1_000_000:06d}",
        "user_id": str(40_000 + number % 9_000),
        "count_text": str(1 + number % 900),
        "user_count": 1 + number % 60,
        "comment_number": 70_000_000 + number % 1_000_000,
        "run_number": 90_000_000 + number % 1_000_000,
        "incident_id": str(310_000 + number % 90_000),
        "incident_identifier": str(1 + number % 4_000),
        "build_id": str(3_100 + number % 900_000),
    }


def _isoformat(moment: datetime) -> str:
    return moment.isoformat()


def _json_format(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
