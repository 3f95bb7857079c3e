"""Which kind of hook it is: Sentry's resources and actions, and how header and body are held together.

Sentry names the resource only in ``Sentry-Hook-Resource``, which it does not sign; the body is signed and names
only the action. So the body's own keys are asked too, and where the two disagree the body decides.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from app.model import Sender
from app.sentry.payload import Reading, fit

_SEER_STEPS = ("root_cause", "solution", "coding", "iteration")

ACTIONS: Mapping[str, frozenset[str]] = {
    "installation": frozenset({"created", "deleted"}),
    "issue": frozenset({"created", "resolved", "assigned", "ignored", "archived", "unresolved"}),
    "error": frozenset({"created"}),
    "comment": frozenset({"created", "updated", "deleted"}),
    "event_alert": frozenset({"triggered"}),
    "activity_alert": frozenset({"triggered"}),
    "metric_alert": frozenset({"critical", "warning", "resolved", "open"}),
    "seer": frozenset(
        {f"{step}_{end}" for step in _SEER_STEPS for end in ("started", "completed")}
        | {"pr_created", "pr_ready_for_review"}
    ),
    "preprod_artifact": frozenset({"size_analysis_completed", "build_distribution_completed"}),
}
"""Every resource of the integration platform with its actions (Sentry's event enums, mid 2026)."""

OTHERS = ("legacy", "service_hook", "glitchtip", "bugsink")
"""What comes from senders that have no resources: each is one of its own."""

BUGSINK_ACTIONS = frozenset({"new", "regressed", "unmuted", "still-open", "test"})
"""``alert_reason`` of Bugsink's custom webhook, in lower case."""

UNKNOWN = "unknown"
"""Stands for a resource or an action that the hook does not name."""

_NAME_CHARS_MAX = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "installation": ("data", "installation"),
    "issue": ("data", "issue"),
    "error": ("data", "error"),
    "comment": ("data",),
    "event_alert": ("data", "event"),
    "activity_alert": ("data", "issue"),
    "metric_alert": ("data", "metric_alert"),
    "seer": ("data",),
    "preprod_artifact": ("data",),
    "legacy": ("event",),
    "service_hook": ("group",),
    "glitchtip": (),
    "bugsink": (),
}
"""Where the object stands without which a payload of that resource says nothing that we could read."""

_SIGNS: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    ("error", dict, "error"),
    ("event", dict, "event_alert"),
    ("activity", dict, "activity_alert"),
    ("metric_alert", dict, "metric_alert"),
    ("comment_id", (int, str), "comment"),
    ("installation", dict, "installation"),
    ("run_id", (int, str), "seer"),
    ("sentry_run_id", (int, str), "seer"),
    ("buildId", (int, str), "preprod_artifact"),
)
"""Keys of ``data`` that only one resource has, as Sentry's own request log tells them apart."""
_SIGN_OF = {key: (kinds, resource) for key, kinds, resource in _SIGNS}


class Kind(NamedTuple):
    """What a hook turned out to be.

    ``known`` is False when it has to pass as ``sentry:unknown`` with everything kept; ``flags`` say what was odd,
    in words of a closed set. ``header`` is the header's resource where the body overruled it, else empty.
    """

    resource: str
    action: str
    known: bool
    header: str = ""
    flags: tuple[str, ...] = ()


_PLAIN = {
    (resource, action): (Kind(resource, action, known=True), _SUBJECTS[resource][1:])
    for resource, actions in ACTIONS.items()
    for action in actions
}
"""What a hook is about which nothing is odd, and the key of ``data`` under which its subject has to stand."""


def identify(sender: Sender, header: str, reading: Reading) -> Kind:
    """Tell which resource and action a hook is about, from the unsigned header and the signed body."""
    if sender == "integration" and (plain := _plain(header, reading.body)) is not None:
        return plain
    action = _word(reading.body.get("action"))
    if sender == "service_hook":
        return _checked(Kind(sender, action or "event", known=True), reading)
    if sender == "legacy":
        return _checked(_behind_a_key(reading.body, action, _word(header).lower()), reading)
    named = _word(header).lower()
    shown = _shown(reading.body, action)
    if named and named not in ACTIONS:
        # A resource newer than this table may embed an issue or an event: its body proves nothing.
        flags = ("unknown_resource", *_faults(reading))
        return Kind(_word(header), action or UNKNOWN, known=False, flags=flags)
    if not named and shown is None:
        return Kind(UNKNOWN, action or UNKNOWN, known=False, flags=("unknown_resource", *_faults(reading)))
    kind = Kind(shown or named, action or UNKNOWN, known=True)
    if not named:
        kind = Kind(kind.resource, kind.action, known=True, flags=("resource_header_missing",))
    elif shown is not None and shown != named:
        kind = Kind(kind.resource, kind.action, known=True, header=named, flags=("resource_header_disagrees",))
    return _checked(kind, reading)


def _plain(header: str, body: dict[str, object]) -> Kind | None:
    """The kind of a hook about which nothing is odd; ``None`` sends it the long way round."""
    action, subject = body.get("action"), body.get("data")
    if not isinstance(action, str) or not isinstance(subject, dict) or (header, action) not in _PLAIN:
        return None
    kind, within = _PLAIN[header, action]
    shown = header == "issue"
    for key in subject:
        if key in _SIGN_OF:
            kinds, resource = _SIGN_OF[key]
            if resource != header or not isinstance(subject[key], kinds):
                return None
            shown = True
    return kind if shown and all(isinstance(subject.get(key), dict) for key in within) else None


def _behind_a_key(body: dict[str, object], action: str, header: str) -> Kind:
    """Which sender it was whose secret is the URL's key: they tell themselves apart by their shapes alone.

    A hook of the integration platform may come here as well, when somebody gave an integration the plugin's URL.
    """
    if "data" in body and ("installation" in body or header in ACTIONS):
        resource = _shown(body, action) or (header if header in ACTIONS else None)
        if resource is not None:
            return Kind(resource, action or UNKNOWN, known=True, flags=("unsigned_platform_hook",))
    reason, attachments = body.get("alert_reason"), body.get("attachments")
    if "event" in body:
        return Kind("legacy", action or "triggered", known=True)
    if isinstance(reason, str) and "project_name" in body:
        said = _word(reason).lower()
        return Kind("bugsink", said or UNKNOWN, known=True)
    if isinstance(attachments, list) and any(
        isinstance(entry, dict) and "title_link" in entry for entry in attachments
    ):
        return Kind("glitchtip", action or "triggered", known=True)
    return Kind("legacy", action or "triggered", known=True)


def _checked(kind: Kind, reading: Reading) -> Kind:
    """Known only if the action is one of the resource's and its subject is there to be read."""
    odd = list(_faults(reading))
    if kind.resource in ACTIONS and kind.action not in ACTIONS[kind.resource]:
        odd.append("unknown_action")
    if kind.resource == "bugsink" and kind.action not in BUGSINK_ACTIONS:
        odd.append("unknown_action")
    if not reading.fault and not _has_subject(kind.resource, reading.body):
        odd.append("unexpected_shape")
    return Kind(kind.resource, kind.action, not odd, kind.header, (*kind.flags, *odd))


def _faults(reading: Reading) -> tuple[str, ...]:
    return (reading.fault,) if reading.fault else ()


def _has_subject(resource: str, body: dict[str, object]) -> bool:
    value: object = body
    for key in _SUBJECTS[resource]:
        value = value.get(key) if isinstance(value, dict) else None
    return isinstance(value, dict)


def _shown(body: dict[str, object], action: str) -> str | None:
    """The resource that the body's own keys show, or ``None`` where they show none."""
    subject = body.get("data")
    if not isinstance(subject, dict):
        return None
    for key, kinds, resource in _SIGNS:
        if key in subject and isinstance(subject[key], kinds):
            return resource
    # An issue stands inside other resources as well: it shows one only under an action of its own.
    if isinstance(subject.get("issue"), dict) and action in ACTIONS["issue"]:
        return "issue"
    return None


def _word(value: object) -> str:
    """A name as sent, without what no name has: bounded, no control characters, no lone surrogates, no outer blanks."""
    return _CONTROL.sub("\ufffd", fit(value[:_NAME_CHARS_MAX])).strip() if isinstance(value, str) else ""
