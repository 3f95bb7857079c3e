"""The hec_event that each payload under ``fixtures/payloads`` becomes, and the files that hold what it should be.

A change of the code that changes an event shows as a failing test. Where the change is meant::

    python -m tests.goldens            # writes fixtures/hec_events and docs/events.schema.json anew
    git diff tests/fixtures docs       # and read what it did

The first word of a payload's name is its resource (or its sender), the last how much there is in it: ``sparse``,
``typical``, ``worst``.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from app.model import Hook, Sender
from app.splunk.encode import encode
from app.splunk.hec_event import HecEvent
from app.tenants.model import Destination
from app.transform import Filtered, transform
from app.transform.schema.json_schema import written

ROOT = Path(__file__).parents[1]
PAYLOADS = ROOT / "tests" / "fixtures" / "payloads"
HEC_EVENTS = ROOT / "tests" / "fixtures" / "hec_events"
SCHEMA = ROOT / "docs" / "events.schema.json"
NAMES = tuple(sorted(path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")))
SENDERS: dict[str, Sender] = {
    "legacy": "legacy",
    "glitchtip": "legacy",
    "bugsink": "legacy",
    "service_hook": "service_hook",
}
SENT_AT, RECEIVED_AT = "1778000000", 1778000001.25
DELIVERY_ID = "0f" * 16
DESTINATION = Destination(
    tenant="brauerei", name="main", url="https://splunk.example:8088", hec_token=None, hec_token_ref="env:T", index="i"
)


def hook_of(name: str) -> Hook:
    """The hook with the payload of this name."""
    resource = name.partition(".")[0]
    sender = SENDERS.get(resource, "integration")
    return Hook(
        delivery_id=DELIVERY_ID,
        tenant="brauerei",
        sender=sender,
        resource=resource if sender == "integration" else "",
        sent_at=SENT_AT,
        received_at=RECEIVED_AT,
        payload=(PAYLOADS / f"{name}.json").read_bytes(),
    )


def goldens() -> dict[str, dict[str, object]]:
    """What should stand in each golden file, by its name: of several hec_events of one payload each has a number."""
    found: dict[str, dict[str, object]] = {}
    for name in NAMES:
        made = transform(hook_of(name), DESTINATION)
        assert isinstance(made, tuple), made
        for number, hec_event in enumerate(made, start=1):
            found[name if len(made) == 1 else f"{name}-{number}"] = golden(hec_event)
    return found


def made_of(name: str, destination: Destination = DESTINATION, **changes: Any) -> HecEvent:
    """What becomes of that payload; ``changes`` are to its hook."""
    return only(transform(replace(hook_of(name), **changes), destination))


def only(made: tuple[HecEvent, ...] | Filtered) -> HecEvent:
    """The one hec_event that a hook became."""
    assert isinstance(made, tuple), made
    (hec_event,) = made
    return hec_event


def golden(made: HecEvent) -> dict[str, object]:
    """The whole envelope as a golden file has it; the time as the text it is, so that no float hides a change."""
    read: dict[str, object] = orjson.loads(encode(made, delivery_id=str(made.event["delivery_id"])))
    read["time"] = made.time
    return read


def main() -> int:
    """Write every file anew."""
    for path in HEC_EVENTS.glob("*.json"):
        path.unlink()
    written_events = goldens()
    for name, event in written_events.items():
        text = orjson.dumps(event, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (HEC_EVENTS / f"{name}.json").write_bytes(text)
    SCHEMA.write_text(written())
    sys.stdout.write(f"{len(written_events)} hec_events and {SCHEMA.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
