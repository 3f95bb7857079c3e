"""Parse a hook's payload once, whoever is to get it: typed (fast), lenient (any shape) or exact (any number). Pure.

``parse_typed`` takes only what looks as Sentry writes it today. A payload that it and ``parse_lenient`` can both read
has the same subject either way. ``parse_exact`` is for a payload in which a big integer or a NUL matters.
"""

from msgspec import Struct

from app.model import Hook
from app.sentry.event import Event, TriggeredAlert, alert_triggered, error_created
from app.sentry.event_lenient import alert_of, event_of
from app.sentry.payload import Fault, Reading, read_exact, read_fast
from app.sentry.resources import Kind, identify

Subject = Event | TriggeredAlert | dict[str, object]
"""What a view reads: the event of an ``error``, the alert of an ``event_alert``, the whole body of any other."""

_ERROR_CREATED = Kind("error", "created", known=True)
_ALERT_TRIGGERED = Kind("event_alert", "triggered", known=True)


class ParsedHook(Struct, frozen=True, gc=False):
    """A hook's kind and subject; of the rest of its payload only what every head needs."""

    kind: Kind
    subject: Subject
    actor: object
    installation: object
    fault: Fault = ""


def parse_typed(hook: Hook) -> ParsedHook | None:
    """Decode the payload straight into structures; ``None`` if it has to be parsed leniently."""
    if hook.sender != "integration":
        return None
    if hook.resource == "error" and (created := error_created(hook.payload)) is not None:
        return ParsedHook(_ERROR_CREATED, created.data.error, created.actor, created.installation)
    if hook.resource == "event_alert" and (triggered := alert_triggered(hook.payload)) is not None:
        return ParsedHook(_ALERT_TRIGGERED, triggered.data, triggered.actor, triggered.installation)
    return None


def parse_lenient(hook: Hook) -> ParsedHook:
    """Parse a payload of any shape. Integers beyond 64 bits may be rounded, and strings may hold a NUL."""
    return _parsed(hook, read_fast(hook.payload))


def parse_exact(hook: Hook) -> ParsedHook:
    """Parse a payload of any shape with every number as written and no NUL: slow, and never in need of another way."""
    return _parsed(hook, read_exact(hook.payload))


def _parsed(hook: Hook, reading: Reading) -> ParsedHook:
    kind, body = identify(hook.sender, hook.resource, reading), reading.body
    return ParsedHook(kind, _subject(kind, body), body.get("actor"), body.get("installation"), reading.fault)


def _subject(kind: Kind, body: dict[str, object]) -> Subject:
    data = body.get("data")
    if kind.resource == "error":
        return event_of(data.get("error") if isinstance(data, dict) else None)
    return alert_of(data) if kind.resource == "event_alert" else body
