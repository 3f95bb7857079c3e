"""``installation``, ``seer`` and ``preprod_artifact``: hooks that are about no error and no alert."""

from app.sentry.dates import iso_text
from app.transform.values import Obj, first, items, number, obj, objects, present, text
from app.transform.views.base import View, capped, link
from app.transform.views.code_changes import changes_of, pull_requests_of

_BUILD_NUMBERS = ("downloadSize", "installSize", "analysisDuration", "isInstallable", "isCodeSignatureValid")
_BUILD_TEXTS = ("analysisVersion", "baseBuildId", "buildConfiguration", "profileName", "codesigningType")
_APP = ("appId", "name", "version", "buildNumber", "artifactType", "dateAdded", "dateBuilt")
_DATES = ("dateAdded", "dateBuilt")
_GIT = ("headSha", "baseSha", "provider", "headRepoName", "baseRepoName", "headRef", "baseRef", "prNumber")
_DIFF = ("headInstallSize", "headDownloadSize", "baseInstallSize", "baseDownloadSize")


def installation(body: Obj) -> View:
    """``installation.*``: the integration was installed or removed. Its ``code`` is a credential and stays."""
    this = obj(obj(body.get("data")).get("installation"))
    app, organization = obj(this.get("app")), obj(this.get("organization"))
    slug, where = text(app.get("slug")), text(organization.get("slug"))
    deleted = body.get("action") == "deleted"  # Sentry sends the status from before
    done = "removed from" if deleted else "installed in"
    head: dict[str, object] = {
        "title": f"{slug or 'Integration'} {done} {where}" if where else slug,
        "organization": where,
        "organization_id": text(organization.get("id"), 64),
        "status": "deleted" if deleted else text(this.get("status"), 64),
        "installation": text(this.get("uuid"), 64),
    }
    return View(head, {"app": present((("slug", slug), ("uuid", text(app.get("uuid"), 64))))})


def seer(body: Obj) -> View:
    """``seer.*``: how far Seer has come with an issue, which the payload names by its number only."""
    said = obj(body.get("data"))
    issue = obj(said.get("issue"))
    found = obj(said.get("root_cause")) or obj(said.get("solution"))
    trimmed: list[str] = []
    pull_requests = pull_requests_of(said.get("pull_requests"), trimmed, "seer")
    changes = changes_of(said, trimmed, "seer")
    words = text(found.get("description") or found.get("one_line_description") or said.get("description"), 2000)
    titled = first(*(change.get("title") for change in changes))
    head: dict[str, object] = {
        "title": first(_step_title(body.get("action"), words or titled or _named(pull_requests)), chars_max=1000),
        "url": next((url for request in pull_requests if (url := link(request.get("url")))), None),
        "issue_id": first(said.get("group_id"), issue.get("id"), chars_max=64),
        "short_id": first(issue.get("short_id"), issue.get("shortId")),
        "run_id": first(said.get("run_id"), said.get("sentry_run_id"), chars_max=64),
    }
    steps = [
        title
        for step in objects(capped(found.get("steps"), 10, trimmed, "seer"))
        if (title := text(step.get("title"), 300))
    ]
    more = present(
        (
            ("steps", steps),
            ("pull_requests", pull_requests),
            ("changes", changes),
            ("iteration", text(said.get("iteration_index"), 20)),
            ("sentry_run_id", text(said.get("sentry_run_id"), 64)),
        )
    )
    return View(head, {"description": words, "seer": more}, trimmed=trimmed)


def preprod_artifact(body: Obj) -> View:
    """``preprod_artifact.*``: a mobile build was processed. Its ``installUrl`` is a credential and stays."""
    said = obj(body.get("data"))
    app, state = obj(said.get("appInfo")), text(said.get("state"), 64)
    failed = state == "FAILED"
    name = first(app.get("name"), app.get("appId"))
    version, number_of = text(app.get("version"), 64), text(app.get("buildNumber"), 64)
    shown = " ".join(part for part in (name, version, f"({number_of})" if number_of else None) if part)
    what = str(_step_title(body.get("action"), None) or "Build").lower()
    error = first(said.get("errorMessage"), said.get("errorCode"), chars_max=500)
    head: dict[str, object] = {
        "title": f"{shown or 'Build'}: {what.replace('completed', 'failed') if failed else what}",
        "severity": "medium" if failed else "informational",
        "project": text(said.get("projectSlug")),
        "project_id": text(said.get("projectId"), 64),
        "organization": text(said.get("organizationSlug")),
        "build_id": text(said.get("buildId"), 64),
        "status": state,
        "exception_type": text(said.get("errorCode"), 100) if error else None,
        "exception_value": error,
        "platform": text(said.get("platform"), 64),
    }
    trimmed: list[str] = []
    return View(head, {"build": _build(said, app, trimmed)}, trimmed=trimmed)


def _build(said: Obj, app: Obj, trimmed: list[str]) -> dict[str, object]:
    git = obj(said.get("gitInfo"))
    return present(
        (
            ("app", present((key, iso_text(app.get(key)) if key in _DATES else text(app.get(key))) for key in _APP)),
            ("git", present((key, text(git.get(key))) for key in _GIT)),
            *((key, value) for key in _BUILD_NUMBERS if isinstance(value := said.get(key), int | float)),
            *((key, text(said.get(key))) for key in _BUILD_TEXTS),
            ("base_version", text(obj(said.get("baseAppInfo")).get("version"))),
            (
                "comparisons",
                [
                    found
                    for entry in items(capped(said.get("comparisons"), 10, trimmed, "build"))
                    if (found := _comparison(obj(entry)))
                ],
            ),
        )
    )


def _comparison(value: Obj) -> dict[str, object]:
    diff = obj(value.get("sizeMetricDiff"))
    return present(
        (
            ("artifact", first(value.get("metricsArtifactType"), diff.get("metricsArtifactType"), chars_max=64)),
            ("identifier", first(value.get("identifier"), diff.get("identifier"))),
            ("state", text(value.get("state"), 64)),
            ("error", first(value.get("errorMessage"), value.get("errorCode"), chars_max=300)),
            *((key, number(diff.get(key))) for key in _DIFF),
        )
    )


def _named(pull_requests: list[dict[str, object]]) -> str | None:
    """``repo#number`` of the first pull request."""
    for request in pull_requests:
        if "repo" in request and "number" in request:
            return f"{request['repo']}#{request['number']}"
    return None


def _step_title(action: object, words: str | None) -> str | None:
    """``Root cause completed: <first line of the words>``."""
    step = text(action, 64)
    if step is None:
        return words
    step = step.replace("_", " ").capitalize().replace("Pr ", "PR ")
    return f"{step}: {words.strip().partition(chr(10))[0]}" if words else step
