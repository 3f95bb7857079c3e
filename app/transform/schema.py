"""The shape of every hec_event's ``event``: one head for all resources, then the detail of each.

``docs/events.md`` explains each field; a test holds the two together.
"""

from typing import Literal, NamedTuple

SCHEMA = 1
"""The version of the shape. A new field leaves it as it is; a field renamed, retyped or gone raises it."""

HEAD_BYTES_MAX = 4900
"""Bytes of JSON for the head: Splunk's automatic extraction reads the first 5,000 of an event."""

Type = Literal["string", "integer", "number", "boolean", "strings", "object"]


class Field(NamedTuple):
    """One field of the head."""

    name: str
    type: Type
    meaning: str


HEAD: tuple[Field, ...] = (
    Field("schema", "integer", "Version of this shape"),
    Field("tenant", "string", "Tenant of the relay's tenants file"),
    Field("resource", "string", "Kind of hook, in Sentry's word"),
    Field("action", "string", "What happened, in Sentry's word"),
    Field("title", "string", "What it is about, in one line"),
    Field("level", "string", "Sentry's level: fatal, error, warning, info, debug, sample"),
    Field("severity", "string", "Normalised: critical, high, medium, low, informational"),
    Field("project", "string", "Slug of the project"),
    Field("project_id", "string", "Id of the project"),
    Field("projects", "strings", "Slugs, where an alert watches several projects"),
    Field("organization", "string", "Slug of the organization"),
    Field("organization_id", "string", "Id of the organization"),
    Field("url", "string", "Link for people"),
    Field("environment", "string", "Environment"),
    Field("release", "string", "Release"),
    Field("issue_id", "string", "Id of the issue"),
    Field("short_id", "string", "Id of the issue as people say it"),
    Field("event_id", "string", "Id of the error event"),
    Field("rule", "string", "Name of the alert rule that triggered"),
    Field("rule_id", "string", "Id of the alert rule"),
    Field("alert_id", "string", "Id of the metric alert's incident"),
    Field("comment_id", "string", "Id of the comment"),
    Field("run_id", "string", "Id of the Seer run"),
    Field("build_id", "string", "Id of the mobile build"),
    Field("status", "string", "Status of the issue, installation or build"),
    Field("substatus", "string", "What kind of that status"),
    Field("priority", "string", "Priority of the issue"),
    Field("assignee", "string", "Name of who the issue is assigned to"),
    Field("assignee_type", "string", "user or team"),
    Field("actor", "object", "Who acted: type, id, name"),
    Field("first_seen", "string", "When it began, ISO 8601 in UTC"),
    Field("last_seen", "string", "When it was last seen, ISO 8601 in UTC"),
    Field("count", "number", "Events of the issue so far"),
    Field("user_count", "number", "Users the issue reached so far"),
    Field("exception_type", "string", "Type of the outermost exception"),
    Field("exception_value", "string", "Text of the outermost exception"),
    Field("frame", "string", "The frame that matters, file:line in function"),
    Field("frame_in_app", "boolean", "Whether that frame is the application's own"),
    Field("handled", "boolean", "Whether the exception was handled"),
    Field("culprit", "string", "Where Sentry thinks it stems from"),
    Field("transaction", "string", "Transaction it happened in"),
    Field("platform", "string", "Platform of the project or event"),
    Field("logger", "string", "Logger"),
    Field("server_name", "string", "Server it happened on"),
    Field("trace_id", "string", "Trace it belongs to"),
    Field("user_id", "string", "Id of the user it happened to"),
    Field("issue_type", "string", "Type of the issue"),
    Field("issue_category", "string", "Category of the issue"),
    Field("installation", "string", "Installation of the Sentry integration"),
    Field("resource_header", "string", "Resource the header named, where the body overruled it"),
    Field("flags", "strings", "What was odd about the hook"),
    Field("trimmed", "strings", "What was left out to keep the size budget"),
    Field("tags", "object", "Tags; a repeated key has a list"),
)

HEAD_NAMES = tuple(field.name for field in HEAD)

DETAIL: tuple[tuple[str, str], ...] = (
    ("message", "Message of the event"),
    ("description", "Text of the alert, the root cause or the solution"),
    ("comment", "Text of the comment"),
    ("alert", "The alert's rule: query, threshold, settings"),
    ("activity", "What happened to the issue, and by whom"),
    ("issue", "More of the issue: metadata, status details, resolution"),
    ("seer", "What Seer found or did: steps, pull requests, changed files"),
    ("build", "The mobile build: app, git, sizes, comparisons, error"),
    ("app", "The integration that was installed"),
    ("exceptions", "The exception chain, outermost first, frames newest first"),
    ("frames", "Frames of an event without an exception, newest first"),
    ("request", "Request that was being served"),
    ("contexts", "Contexts in brief"),
    ("evidence", "Evidence of an issue that is no error"),
    ("fingerprint", "Fingerprint, where it is not the default"),
    ("sdk", "SDK that sent the event"),
    ("dist", "Distribution of the release"),
    ("user", "More of the user: country"),
    ("breadcrumbs", "The last breadcrumbs, newest first"),
    ("tags_more", "Tags that the head has no room for"),
    ("payload", "The payload, of a hook the relay cannot read as a known one"),
    ("payload_text", "The payload as text, where it is no JSON or too large"),
)
"""Sections after the head, in the order in which they stand. Trimming starts from the back."""

DETAIL_NAMES = tuple(name for name, _ in DETAIL)

FLAGS = (
    "resource_header_missing",
    "resource_header_disagrees",
    "unknown_resource",
    "unknown_action",
    "unexpected_shape",
    "payload_not_an_object",
    "unreadable_payload",
    "empty_payload",
    "view_failed",
)
"""Every word that ``flags`` may hold. With any but the first two the hook is ``sentry:unknown``."""

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
