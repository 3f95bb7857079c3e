"""Security reports that browsers send: what a policy blocked or would have blocked, and networks that failed.

Keys are those of Sentry's interfaces ``Csp``, ``ExpectCt``, ``ExpectStaple``, ``Hpkp`` and of its ``NelContext``.
Chains of certificates stay behind: they are long, and the issue is not in them.
"""

from app.sentry.dates import iso_text
from app.sentry.event import Event
from app.transform.values import Obj, number, obj, put, text

_CSP = (
    *("disposition", "document_uri", "blocked_uri", "violated_directive", "effective_directive"),
    *("source_file", "line_number", "column_number", "script_sample", "status_code", "referrer", "original_policy"),
)
_HOST = ("hostname", "port", "date_time", "effective_expiration_date")
_SECTIONS = (
    ("csp", "csp", _CSP),
    ("expectct", "expect_ct", (*_HOST, "scheme", "failure_mode", "test_report")),
    ("expectstaple", "expect_staple", (*_HOST, "response_status", "cert_status")),
    ("hpkp", "hpkp", (*_HOST, "noted_hostname", "include_subdomains")),
)
_NEL = (
    ("type", ("error_type", "type")),
    ("phase", ("phase",)),
    ("status_code", ("status_code",)),
    ("method", ("method",)),
    ("protocol", ("protocol",)),
    ("elapsed_ms", ("elapsed_time", "elapsed_ms")),
    ("server_ip", ("server_ip",)),
    ("referrer", ("referrer",)),
    ("url", ("url",)),
    ("sampling_fraction", ("sampling_fraction",)),
)
_REPORT_ONLY = frozenset({"report", "report-only"})
_DATES = frozenset({"date_time", "effective_expiration_date"})
_NUMBERS = frozenset({"status_code", "line_number", "column_number", "port", "elapsed_ms", "sampling_fraction"})
_BOOLEANS = frozenset({"include_subdomains", "test_report"})
_CHARS_MAX = 1000


def reports_of(event: Event) -> dict[str, object]:
    """The sections of an event's reports, by their names in the schema. Nearly every event has none."""
    network_error = event.nel
    if network_error is None and isinstance(event.contexts, dict):
        network_error = event.contexts.get("nel")
    if event.csp is None is event.expectct is event.expectstaple is event.hpkp is network_error:
        return {}
    reports = ((section, _kept(obj(getattr(event, name)), keys)) for name, section, keys in _SECTIONS)
    found: dict[str, object] = {section: kept for section, kept in reports if kept}
    if kept := _network_error(obj(network_error)):
        found["nel"] = kept
    return found


def report_only(reports: dict[str, object]) -> bool:
    """Whether the browser reported what it would have blocked, and blocked nothing."""
    return any(
        isinstance(report, dict) and _REPORT_ONLY & {report.get("disposition"), report.get("failure_mode")}
        for report in reports.values()
    )


def _kept(report: Obj, keys: tuple[str, ...]) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key in keys:
        value = report.get(key, report.get(key.replace("_", "-")))
        _enter(kept, key, value)
    return kept


def _network_error(report: Obj) -> dict[str, object]:
    """Sentry keeps it flat; the report as browsers send it has a ``body``."""
    body = obj(report.get("body"))
    kept: dict[str, object] = {}
    for name, keys in _NEL:
        for key in keys:
            for holder in (body, report):
                if name not in kept and (holder is body or key != "type" or not body):
                    _enter(kept, name, holder.get(key, holder.get(key.replace("_", "-"))))
    if kept.get("type") == "nel":  # Sentry's word for the context itself
        del kept["type"]
    return kept


def _enter(kept: dict[str, object], name: str, value: object) -> None:
    if value is None:
        return
    if name in _DATES:
        put(kept, name, iso_text(value) or value)
    elif name in _NUMBERS:
        found = number(text(value, 12) if isinstance(value, str) else value)
        if found is not None:
            kept[name] = found
    elif name not in _BOOLEANS:
        put(kept, name, value, _CHARS_MAX)
    elif isinstance(value, bool):
        kept[name] = value
