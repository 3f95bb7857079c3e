"""Issues that are no error (an outage, a missed check-in, a metric, a slow query): by what they were found.

Sentry sends them as ``event_alert`` with an ``occurrence``: its ``evidenceData`` is for programs, its
``evidenceDisplay`` for people.
"""

from app.sentry.issue_types import issue_type
from app.transform.values import Obj, first, number, obj, objects, present, text

_SHOWN_MAX = 20
_KEYS_MAX = 40
_LIST_MAX = 10
_PERSONS = frozenset({"message", "contact_email", "name", "summary"})
"""What a feedback's evidence repeats of the message and the person."""


def occurrence_head(value: object) -> dict[str, object]:
    """What kind of issue it is, and which detector and alert found it."""
    occurrence = obj(value)
    evidence = _evidence(occurrence)
    kind, category = issue_type(occurrence.get("type"))
    return {
        "issue_type": kind,
        "issue_category": category,
        "detector_id": first(evidence.get("detectorId"), evidence.get("detector_id"), chars_max=64),
        "alert_id": first(evidence.get("alertId"), evidence.get("alert_id"), chars_max=64),
    }


def evidence_of(value: object, message: str | None, trimmed: list[str]) -> dict[str, object]:
    """Title, subtitle, what Sentry shows, and the data it was found by, without what the event's ``message`` says."""
    occurrence = obj(value)
    display = objects(occurrence.get("evidenceDisplay") or occurrence.get("evidence_display"))
    feedback = occurrence.get("type") == 6001  # noqa: PLR2004 - ``feedback`` in ``issue_types``
    shown = {
        name: kept
        for entry in display[:_SHOWN_MAX]
        if (name := text(entry.get("name"))) and (kept := text(entry.get("value"), 500))
    }
    found, whole = _data(_evidence(occurrence))
    if feedback:
        shown = {name: kept for name, kept in shown.items() if name not in _PERSONS}
        found = {name: kept for name, kept in found.items() if name not in _PERSONS}
    if len(display) > _SHOWN_MAX or not whole:
        trimmed.append("evidence")
    subtitle = text(occurrence.get("subtitle"), 500)
    if subtitle and message and message.startswith(subtitle.removesuffix("…")):
        subtitle = None
    return present(
        (
            ("title", first(occurrence.get("issueTitle"), occurrence.get("issue_title"), chars_max=500)),
            ("subtitle", subtitle),
            ("shown", shown),
            ("data", found),
        )
    )


def _evidence(occurrence: Obj) -> Obj:
    return obj(occurrence.get("evidenceData") or occurrence.get("evidence_data"))


def _data(evidence: Obj) -> tuple[dict[str, object], bool]:
    """The scalars under their own names, numbers as numbers, and lists of scalars; whether no cap left one out.

    Of a metric's issue also the condition that was met and the query behind it, which stand deeper.
    """
    kept: dict[str, object] = {}
    whole = True
    for key, value in evidence.items():
        if value is None or isinstance(value, dict):
            continue
        if len(kept) == _KEYS_MAX:
            whole = False
            break
        name = key[:100]
        if isinstance(value, list):
            if listed := [one for item in value[:_LIST_MAX] if (one := text(item)) is not None]:
                kept[name] = listed
            whole = whole and len(value) <= _LIST_MAX
        elif (scalar := _scalar(value)) is not None:
            kept[name] = scalar
    return kept | _metric(evidence), whole


def _metric(evidence: Obj) -> dict[str, object]:
    condition = next(iter(objects(evidence.get("conditions"))), {})
    source = next(iter(objects(evidence.get("dataSources") or evidence.get("data_sources"))), {})
    query = obj(obj(source.get("queryObj") or source.get("query_obj")).get("snubaQuery"))
    return present(
        (
            ("threshold", number(condition.get("comparison"))),
            ("condition", text(condition.get("type"), 64)),
            ("aggregate", text(query.get("aggregate"), 300)),
            ("query", text(query.get("query"), 1000)),
            ("environment", text(query.get("environment"))),
            ("time_window_s", number(query.get("timeWindow"))),
        )
    )


def _scalar(value: object) -> object:
    if isinstance(value, str):
        return text(value, 500)
    return value if isinstance(value, bool) else number(value)
