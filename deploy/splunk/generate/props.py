"""props.conf of the add-on: a stanza for every source type, and the names of the Common Information Model."""

from collections.abc import Mapping

from app.sentry.resources import ACTIONS, OTHERS, UNKNOWN

SOURCE_TYPES = (*ACTIONS, *OTHERS, UNKNOWN, "relay", "gap")
"""Every source type that the relay sends, without ``sentry:`` before it."""

_OWN = {
    "relay": "sentry-splunk-relay: heartbeat, or a test of relay check",
    "gap": "sentry-splunk-relay: hooks that Sentry did not deliver",
}
_VENDORS = {"glitchtip": "GlitchTip", "bugsink": "Bugsink"}
_READ = {
    "SHOULD_LINEMERGE": "false",
    "LINE_BREAKER": r"([\r\n]+)",
    "TRUNCATE": "1000000",
    "DATETIME_CONFIG": "CURRENT",
    "CHARSET": "UTF-8",
    "KV_MODE": "json",
    "category": "Application",
    "pulldown_type": "true",
}
_BEGAN = 'strptime(first_seen, "%Y-%m-%dT%H:%M:%S.%6NZ")'
_PLACE = 'coalesce(project, organization, "unknown")'
_SEVERITIES = (("critical", 6), ("high", 5), ("medium", 4), ("low", 3))
_BY_SEVERITY = ", ".join(f'severity=="{severity}", {number}' for severity, number in _SEVERITIES)

TICKET = {
    "ticket_id": "issue_id",
    "problem": "coalesce(short_id, issue_id)",
    "description": "title",
    "dest": _PLACE,
    "affect_dest": _PLACE,
    "severity_id": f"case({_BY_SEVERITY}, true(), 1)",
    "src_user": "actor_name",
    "time_submitted": _BEGAN,
    "user": "assignee",
}
ALERT = {
    "app": '"sentry"',
    "id": "coalesce(alert_id, event_id, issue_id)",
    "signature": "coalesce(rule, title)",
    "signature_id": "coalesce(rule_id, rule, title)",
    "description": "coalesce(description, title)",
    "severity": 'coalesce(severity, "informational")',
    "severity_id": f'case(action=="resolved", 2, {_BY_SEVERITY}, true(), 1)',
    "vendor_severity": "coalesce(trigger, level)",
    "type": '"alert"',
    "src": _PLACE,
    "dest": 'coalesce(server_name, project, organization, "unknown")',
    "user": 'coalesce(user_id, assignee, "unknown")',
    "vendor_account": "organization",
    "itsiDrilldownURI": "url",
    "itsiDrilldownWeb": '"Open in Sentry"',
}
CHANGE = {
    "change_type": '"application"',
    "command": 'resource." ".action',
    "object": "coalesce('app.slug', installation)",
    "object_id": "installation",
    "object_category": '"integration"',
    "object_attrs": '"status"',
    "dest": 'coalesce(organization, "unknown")',
    "dvc": 'coalesce(organization, "unknown")',
    "src": 'coalesce(organization, "unknown")',
    "user": 'coalesce(actor_name, "unknown")',
    "result": "status",
    "status": '"success"',
}
_MODELS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "issue": ("Ticket Management", TICKET),
    "event_alert": ("Alerts, and ITSI's universal alerting", ALERT),
    "activity_alert": ("Alerts, and ITSI's universal alerting", ALERT),
    "metric_alert": ("Alerts, and ITSI's universal alerting", ALERT),
    "installation": ("Change", CHANGE),
}
_BEGINNING = """\
# One stanza a source type, made by deploy/splunk/generate. The events are JSON on one line; KV_MODE reads them at
# search time (never together with INDEXED_EXTRACTIONS, which would give every field two values).
# HEC's /event breaks no lines and takes the time from beside the event: line breaking and DATETIME_CONFIG are for
# files and HEC's /raw. TRUNCATE is index time, wherever HEC ends.
"""


def props_conf() -> str:
    """The file."""
    return "\n".join([_BEGINNING, *map(_stanza, SOURCE_TYPES)])


def _stanza(name: str) -> str:
    lines = [f"[sentry:{name}]"]
    lines += [f"{key} = {value}" for key, value in _READ.items()]
    lines.append(f"description = {_OWN.get(name, f'Sentry, by sentry-splunk-relay: {name}')}")
    if name not in _OWN:
        lines.append(f'EVAL-vendor_product = "{_VENDORS.get(name, "Sentry")}"')
        lines.append('EVAL-url_path = replace(url, "^https?://", "")')
    if name in _MODELS:
        model, calculated = _MODELS[name]
        lines.append(f"# {model}")
        lines += [f"EVAL-{field} = {expression}" for field, expression in calculated.items()]
    return "\n".join([*lines, ""])
