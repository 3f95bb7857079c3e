"""The shape of every hec_event's ``event``: one head for all resources, then the detail of each.

``docs/events.md`` explains each field; a test holds the two together.
"""

from typing import Literal, NamedTuple

from app.sentry.resources import ACTIONS, OTHERS

SCHEMA = 2
"""The version of the shape. A new field leaves it as it is; a field renamed, retyped or gone raises it."""

HEAD_BYTES_MAX = 4900
"""Bytes of JSON for the head: Splunk's automatic extraction reads the first 5,000 of an event."""

Type = Literal["string", "integer", "number", "boolean", "strings", "object", "objects", "any"]

GROUPS = {
    "events": ("error", "event_alert", "legacy", "service_hook"),
    "issues": ("issue", "activity_alert", "service_hook"),
    "alerts": ("event_alert", "activity_alert", "metric_alert"),
    "signed": tuple(ACTIONS),
    "all": (*ACTIONS, *OTHERS),
}
"""How the documentation calls several resources at once; ``signed`` are those of the integration platform."""


class Field(NamedTuple):
    """One field of the event."""

    name: str
    type: Type
    meaning: str
    found_in: str = "all"
    """Groups and resources that may have it, with commas between them."""

    @property
    def resources(self) -> frozenset[str]:
        """Every resource that may have it."""
        return frozenset(resource for name in self.found_in.split(", ") for resource in GROUPS.get(name, (name,)))


HEAD: tuple[Field, ...] = (
    Field("schema", "integer", "Version of this shape", "all"),
    Field("tenant", "string", "Tenant of the relay's tenants file", "all"),
    Field("resource", "string", "Kind of hook, in Sentry's word", "all"),
    Field("action", "string", "What happened, in Sentry's word", "all"),
    Field("title", "string", "What it is about, in one line", "all"),
    Field("level", "string", "Sentry's level: fatal, error, warning, info, debug, sample", "events, issues, glitchtip"),
    Field(
        "severity",
        "string",
        "Normalised: critical, high, medium, low, informational",
        "events, issues, metric_alert, preprod_artifact, glitchtip",
    ),
    Field(
        "project",
        "string",
        "Slug of the project",
        "events, issues, comment, metric_alert, preprod_artifact, glitchtip, bugsink",
    ),
    Field("project_id", "string", "Id of the project", "events, issues, preprod_artifact, bugsink"),
    Field("projects", "strings", "Slugs, where an alert watches several projects", "metric_alert"),
    Field(
        "organization",
        "string",
        "Slug of the organization",
        "signed, legacy, service_hook, glitchtip",
    ),
    Field("organization_id", "string", "Id of the organization", "metric_alert, installation"),
    Field("url", "string", "Link for people", "events, issues, metric_alert, seer, glitchtip, bugsink"),
    Field("environment", "string", "Environment", "events, metric_alert, glitchtip"),
    Field("release", "string", "Release", "events, glitchtip, bugsink"),
    Field("issue_id", "string", "Id of the issue", "events, issues, comment, seer, glitchtip, bugsink"),
    Field("short_id", "string", "Id of the issue as people say it", "issues, seer, bugsink"),
    Field("event_id", "string", "Id of the error event", "events, glitchtip"),
    Field("rule", "string", "Name of the alert rule that triggered", "alerts, legacy"),
    Field("rule_id", "string", "Id of the alert rule", "alerts"),
    Field(
        "trigger",
        "string",
        "What made the rule trigger: the metric alert's threshold, the activity's type",
        "activity_alert, metric_alert",
    ),
    Field(
        "alert_id",
        "string",
        "Id of the metric alert's incident; of a metric issue, of its alert",
        "metric_alert, event_alert",
    ),
    Field("detector_id", "string", "Id of the detector that found the issue", "event_alert"),
    Field("monitor_id", "string", "Id of the uptime monitor", "glitchtip"),
    Field("comment_id", "string", "Id of the comment", "comment"),
    Field("run_id", "string", "Id of the Seer run", "seer"),
    Field("build_id", "string", "Id of the mobile build", "preprod_artifact"),
    Field(
        "status",
        "string",
        "Status of the issue, installation, build or monitor",
        "issues, metric_alert, installation, preprod_artifact, bugsink, glitchtip",
    ),
    Field("substatus", "string", "What kind of that status", "issues, bugsink"),
    Field("priority", "string", "Priority of the issue", "issues"),
    Field("assignee", "string", "Name of who the issue is assigned to, else the id", "issues"),
    Field("assignee_type", "string", "user or team", "issues"),
    Field("actor_name", "string", "Name of who acted", "signed"),
    Field("actor", "object", "Who acted: type, id, name", "signed"),
    Field("first_seen", "string", "When it began, ISO 8601 in UTC", "issues, metric_alert, bugsink"),
    Field("last_seen", "string", "When it was last seen, ISO 8601 in UTC", "issues, bugsink"),
    Field(
        "count", "number", "Events of the issue so far; of GlitchTip: issues in this post", "issues, bugsink, glitchtip"
    ),
    Field("of", "number", "Issues that the post is about, told in it or not", "glitchtip"),
    Field("user_count", "number", "Users the issue reached so far", "issues"),
    Field(
        "exception_type",
        "string",
        "Type of the exception that gives the title",
        "events, issues, preprod_artifact, bugsink",
    ),
    Field(
        "exception_value",
        "string",
        "Text of the exception that gives the title",
        "events, issues, preprod_artifact, bugsink",
    ),
    Field("frame", "string", "The frame that matters, file:line in function", "events, issues"),
    Field("frame_in_app", "boolean", "Whether that frame is the application's own", "events"),
    Field("handled", "boolean", "Whether the exception was handled; errors only", "events, issues"),
    Field("culprit", "string", "Where Sentry thinks it stems from", "events, issues, glitchtip"),
    Field("transaction", "string", "Transaction it happened in", "events, bugsink"),
    Field("platform", "string", "Platform of the project or event", "events, issues, preprod_artifact"),
    Field("logger", "string", "Logger", "events, issues"),
    Field("server_name", "string", "Server it happened on", "events, glitchtip"),
    Field("trace_id", "string", "Trace it belongs to", "events"),
    Field("user_id", "string", "Id of the user it happened to", "events"),
    Field("user_name", "string", "Name of that user, where the tenant keeps it", "events"),
    Field("user_name_hash", "string", "Keyed hash of the name, where the tenant wants that", "events"),
    Field("user_email", "string", "E-mail address of that user, where the tenant keeps it", "events"),
    Field("user_email_hash", "string", "Keyed hash of the address, where the tenant wants that", "events"),
    Field("user_ip", "string", "IP address of that user, where the tenant keeps it", "events"),
    Field("user_ip_hash", "string", "Keyed hash of the address, where the tenant wants that", "events"),
    Field("issue_type", "string", "Type of the issue", "events, issues"),
    Field("issue_category", "string", "Category of the issue", "events, issues, glitchtip"),
    Field("installation", "string", "Installation of the Sentry integration", "signed"),
    Field("delivery_id", "string", "Id of the delivery, the same on every copy", "all"),
    Field("received", "number", "When the relay took the hook, Unix seconds", "all"),
    Field("resource_header", "string", "Resource the header named, where the body overruled it", "signed"),
    Field(
        "same_body_as",
        "string",
        "The `delivery_id` of an earlier hook with the very same bytes: something like it happened again, or a replay",
        "all",
    ),
    Field("flags", "strings", "What was odd about the hook", "all"),
    Field("trimmed", "strings", "What was left out: sections over a cap or the size budget", "all"),
    Field("tags", "object", "Tags; a repeated key has a list", "events, glitchtip"),
)

IDENTITY = frozenset({"schema", "tenant", "resource", "action", "delivery_id"})
"""What always stands in an event as it is, whatever its budget and its tenant's rules."""

HEAD_NAMES = tuple(field.name for field in HEAD)

DETAIL: tuple[Field, ...] = (
    Field("message", "string", "Message of the event, or what a user wrote", "events, glitchtip, bugsink"),
    Field("description", "string", "Text of the alert, the root cause or the solution", "metric_alert, seer"),
    Field("comment", "string", "Text of the comment", "comment"),
    Field("alert", "object", "The alert's rule: query, threshold, settings", "alerts, legacy"),
    Field("activity", "object", "What happened to the issue, and by whom", "activity_alert"),
    Field(
        "issue", "object", "More of the issue: metadata, status details, resolution", "issue, activity_alert, bugsink"
    ),
    Field("seer", "object", "What Seer found or did: steps, pull requests, changed files", "seer"),
    Field("build", "object", "The mobile build: app, git, sizes, comparisons, error", "preprod_artifact"),
    Field("app", "object", "The integration that was installed", "installation"),
    Field("exceptions", "objects", "The exception chain, outermost first, frames newest first", "events"),
    Field("frames", "strings", "Frames of an event without an exception, newest first", "events"),
    Field("request", "object", "Request that was being served", "events"),
    Field("contexts", "object", "Contexts in brief", "events"),
    Field("csp", "object", "Violation of a Content Security Policy", "events"),
    Field("expect_ct", "object", "Report of Expect-CT", "events"),
    Field("expect_staple", "object", "Report of Expect-Staple", "events"),
    Field("hpkp", "object", "Report of public key pinning", "events"),
    Field("nel", "object", "Report of a network error", "events"),
    Field("evidence", "object", "Evidence of an issue that is no error", "events"),
    Field("fingerprint", "strings", "Fingerprint, where it is not the default", "events"),
    Field("sdk", "string", "SDK that sent the event", "events"),
    Field("dist", "string", "Distribution of the release", "events"),
    Field("user", "object", "More of the user: country", "events"),
    Field("breadcrumbs", "objects", "The last breadcrumbs, newest first", "events"),
    Field("tags_more", "object", "Tags that the head has no room for", "events, glitchtip"),
    Field("payload", "any", "The payload, where it is kept: of an unknown hook, and with detail full", "all"),
    Field("payload_text", "string", "The payload as text, where it is no JSON or too large", "all"),
)
"""Sections after the head, in the order in which they stand. Trimming starts from the back."""

DETAIL_NAMES = tuple(field.name for field in DETAIL)

HEAD_OF = {name: tuple(field.name for field in HEAD if name in field.resources) for name in GROUPS["all"]}
"""The names in the head of each resource's events, in their order."""
DETAIL_OF = {name: tuple(field.name for field in DETAIL if name in field.resources) for name in GROUPS["all"]}
"""The sections of each resource's detail, in their order."""

FLAGS = (
    "resource_header_missing",
    "resource_header_disagrees",
    "unsigned_platform_hook",
    "unknown_resource",
    "unknown_action",
    "unexpected_shape",
    "payload_not_an_object",
    "unreadable_payload",
    "empty_payload",
    "view_failed",
)
"""Every word that ``flags`` may hold. With any but the first three the hook is ``sentry:unknown``."""

SEVERITIES = {
    "fatal": "critical",
    "critical": "critical",
    "error": "high",
    "warning": "medium",
    "info": "informational",
    "debug": "informational",
    "sample": "informational",
    "resolved": "informational",
}
"""Sentry's level, or a metric alert's action, to the words of Splunk's Common Information Model."""
