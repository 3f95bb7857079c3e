"""What stands inside the objects of an event: the second level of the schema, and the third.

An object whose keys come from the payload (tags, contexts, metadata) is not here: its keys are the customer's.
"""

from collections.abc import Mapping

from app.transform.schema.fields import Field

_PULL_REQUESTS = (
    Field("provider", "string", "Where the code is kept"),
    Field("repo", "string", "Repository"),
    Field("number", "number", "Number of the pull request"),
    Field("url", "string", "Link to it"),
)
_CHANGES = (
    Field("repo", "string", "Repository"),
    Field("path", "string", "File that changed"),
    Field("type", "string", "Kind of change, in git's letter"),
    Field("added", "number", "Lines added"),
    Field("removed", "number", "Lines removed"),
    Field("title", "string", "Title, in the older shape"),
    Field("branch", "string", "Branch, in the older shape"),
)

INSIDE: Mapping[str, tuple[Field, ...]] = {
    "actor": (
        Field("type", "string", "user or application"),
        Field("id", "string", "Id, as text always"),
        Field("name", "string", "Name"),
    ),
    "alert": (
        Field("name", "string", "Title of the incident"),
        Field("identifier", "string", "Number of the incident, as people say it"),
        Field("query", "string", "Query of the rule"),
        Field("aggregate", "string", "What it measures"),
        Field("dataset", "string", "Over what"),
        Field("time_window_minutes", "number", "Over how long"),
        Field("threshold_type", "number", "Above (0) or below (1)"),
        Field("threshold_period", "number", "How many windows in a row"),
        Field("resolve_threshold", "number", "Where it counts as resolved"),
        Field("triggers", "objects", "Thresholds by label"),
        Field("settings", "object", "Settings of the alert's action"),
        Field("detected", "string", "When it was detected"),
        Field("closed", "string", "When it was closed"),
        Field("url", "string", "Link to the rule"),
        Field("rules", "strings", "Every rule that triggered, where there are several"),
    ),
    "alert.triggers": (
        Field("label", "string", "critical or warning"),
        Field("threshold", "string", "The number"),
    ),
    "activity": (
        Field("type", "string", "Kind of activity"),
        Field("summary", "string", "Summary of it"),
        Field("user", "string", "Who did it"),
        Field("pull_requests", "objects", "Pull requests it is about"),
        Field("changes", "objects", "Files it changed"),
        Field("iteration", "string", "Which iteration"),
    ),
    "activity.pull_requests": _PULL_REQUESTS,
    "activity.changes": _CHANGES,
    "issue": (
        Field("resolution", "string", "How it was resolved"),
        Field("status_details", "object", "More of the status: release, commit, counts"),
        Field("metadata", "object", "Metadata: value, severity reason"),
        Field("comments", "number", "Comments so far"),
        Field("project_name", "string", "Name of the project"),
        Field("type", "string", "Kind of event it is made of"),
        Field("unmute_reason", "string", "Why Bugsink unmuted it"),
    ),
    "seer": (
        Field("steps", "strings", "Steps of root cause or solution"),
        Field("pull_requests", "objects", "Pull requests made"),
        Field("changes", "objects", "Files changed"),
        Field("iteration", "string", "Which iteration"),
        Field("sentry_run_id", "string", "Id of the run in Sentry"),
    ),
    "seer.pull_requests": _PULL_REQUESTS,
    "seer.changes": _CHANGES,
    "build": (
        Field("app", "object", "The app: id, name, version, build number"),
        Field("git", "object", "Commits, branches, repository, pull request"),
        Field("downloadSize", "number", "Bytes to download"),
        Field("installSize", "number", "Bytes installed"),
        Field("analysisDuration", "number", "Seconds of the analysis"),
        Field("isInstallable", "boolean", "Whether it can be installed"),
        Field("isCodeSignatureValid", "boolean", "Whether its signature is valid"),
        Field("analysisVersion", "string", "Version of the analysis"),
        Field("baseBuildId", "string", "Build it was compared with"),
        Field("buildConfiguration", "string", "Configuration"),
        Field("profileName", "string", "Provisioning profile"),
        Field("codesigningType", "string", "How it is signed"),
        Field("base_version", "string", "Version it was compared with"),
        Field("comparisons", "objects", "Sizes beside those of the base"),
    ),
    "build.comparisons": (
        Field("artifact", "string", "What was compared"),
        Field("identifier", "string", "Its identifier"),
        Field("state", "string", "State of the comparison"),
        Field("error", "string", "Why it failed"),
        Field("headInstallSize", "number", "Bytes installed"),
        Field("headDownloadSize", "number", "Bytes to download"),
        Field("baseInstallSize", "number", "Bytes installed, of the base"),
        Field("baseDownloadSize", "number", "Bytes to download, of the base"),
    ),
    "app": (Field("slug", "string", "Name in links"), Field("uuid", "string", "Id")),
    "exceptions": (
        Field("type", "string", "Type"),
        Field("value", "string", "Text"),
        Field("module", "string", "Module of the type"),
        Field("mechanism", "string", "What caught it"),
        Field("handled", "boolean", "Whether it was handled"),
        Field("frames", "strings", "file:line in function, newest first"),
        Field("frames_omitted", "number", "Frames left out"),
    ),
    "request": (
        Field("method", "string", "Method"),
        Field("url", "string", "URL"),
        Field("query", "string", "Query"),
        Field("user_agent", "string", "User-Agent"),
        Field("host", "string", "Host"),
        Field("referer", "string", "Referer"),
        Field("content_type", "string", "Content-Type"),
        Field("x_request_id", "string", "X-Request-Id"),
    ),
    "evidence": (
        Field("title", "string", "Title of the issue"),
        Field("subtitle", "string", "Subtitle"),
        Field("shown", "object", "What Sentry shows: names and values"),
    ),
    "user": (Field("country", "string", "Country, two letters"),),
    "breadcrumbs": (
        Field("at", "string", "When, ISO 8601 in UTC"),
        Field("level", "string", "Level"),
        Field("category", "string", "Category, else type"),
        Field("message", "string", "Message"),
        Field("method", "string", "Method of a request"),
        Field("url", "string", "Where to"),
        Field("status_code", "number", "Answer to it"),
    ),
}
"""By the way to the object, a dot between its steps."""
