"""Error events: ``error``, ``event_alert`` and the legacy plugin, whose ``event`` is nearly the same."""

from app.sentry.dates import instant
from app.sentry.event import Event, ExceptionInfo, Metadata, TriggeredAlert
from app.sentry.event_lenient import event_of
from app.sentry.links import organization_of, project_of
from app.transform.values import Obj, first, obj, present, put, text, texts, truth
from app.transform.views import stack
from app.transform.views.base import View, first_date, frame_of, level_of, link, settings_of, severity_of, tag, tags_of
from app.transform.views.error_detail import breadcrumbs_of, contexts_of, evidence_of, request_of, sdk_of

_NO_METADATA = Metadata()
_DEFAULT_FINGERPRINT = ["{{ default }}"]


def error(event: Event) -> View:
    """``error.created``: an error event as it happens."""
    return View(*fields_of(event), occurred_at(event), event.user)


def event_alert(alert: TriggeredAlert) -> View:
    """``event_alert.triggered``: an error event that made an issue alert fire."""
    event, rule = alert.event, obj(alert.issue_alert)
    head, detail = fields_of(event)
    head["rule"] = first(alert.triggered_rule, rule.get("title"))
    head["rule_id"] = text(rule.get("id"), 64)
    detail["alert"] = present((("settings", settings_of(rule.get("settings"))),))
    return View(head, detail, occurred_at(event), event.user)


def legacy(body: Obj) -> View:
    """The "WebHooks" plugin: a flat summary of the issue around the raw event. It names no action."""
    event = event_of(body.get("event"))
    head, detail = fields_of(event)
    level = level_of(body.get("level"), head["level"])
    rules = texts(body.get("triggering_rules"), count_max=10)
    web_link = link(_without_referrer(body.get("url")))
    head |= {
        "title": first(head["title"], body.get("message"), body.get("culprit"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": first(body.get("project_slug"), body.get("project"), body.get("project_name")),
        "organization": organization_of([body.get("url")]),
        "url": web_link,
        "issue_id": text(body.get("id"), 64),
        "rule": rules[0] if rules else None,
        "culprit": first(head.get("culprit"), body.get("culprit"), chars_max=300),
        "logger": first(head.get("logger"), body.get("logger")),
    }
    detail["message"] = first(detail.get("message"), body.get("message"), chars_max=2000)
    detail["alert"] = present((("rules", rules if len(rules) > 1 else None),))
    return View(head, detail, occurred_at(event), event.user)


def fields_of(event: Event) -> tuple[dict[str, object], dict[str, object]]:
    """Head and detail of a normalised event."""
    chain, message = stack.exceptions(event), _message(event)
    return _head(event, chain, message), _detail(event, chain, message)


def _head(event: Event, chain: list[ExceptionInfo], message: str | None) -> dict[str, object]:
    tags = tags_of(event.tags)
    metadata = event.metadata or _NO_METADATA
    level = level_of(event.level, tags.get("level"))
    web_url, url, issue_url = event.web_url, event.url, event.issue_url
    head: dict[str, object] = {
        "title": first(event.title, metadata.title, message, metadata.value, chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": project_of(url),
        "organization": organization_of((web_url, url, issue_url)),
        "url": link(web_url),
        "handled": _handled(chain, tags),
        "tags": tags,
    }
    put(head, "project_id", event.project, 64)
    put(head, "culprit", event.culprit, 300)
    put(head, "platform", event.platform, 64)
    put(head, "logger", event.logger)
    # Old payloads have these as tags only.
    put(head, "environment", event.environment or tag(tags, "environment"))
    put(head, "release", event.release or tag(tags, "release"))
    put(head, "transaction", event.transaction or tag(tags, "transaction"), 300)
    put(head, "issue_id", event.issue_id or _issue_in(issue_url), 64)
    put(head, "event_id", event.event_id or event.id, 64)
    put(head, "server_name", tag(tags, "server_name") or event.server_name)
    outermost = chain[0] if chain else metadata
    put(head, "exception_type", outermost.type)
    if chain or metadata.type:
        put(head, "exception_value", outermost.value, 1000)
    if head["title"] is None:  # as Sentry composes it
        parts = (text(outermost.type), text(outermost.value, 1000))
        head["title"] = ": ".join(part.partition("\n")[0] for part in parts if part) or None
    contexts = event.contexts
    if isinstance(contexts, dict) and isinstance(trace := contexts.get("trace"), dict):
        put(head, "trace_id", trace.get("trace_id"), 64)
    if where := stack.where(event, chain):
        head["frame"], head["frame_in_app"] = where
    else:
        head["frame"] = frame_of(metadata.filename, metadata.function)
    return head


def _detail(event: Event, chain: list[ExceptionInfo], message: str | None) -> dict[str, object]:
    """The sections after the head."""
    detail: dict[str, object] = {
        "message": message,
        "exceptions": stack.summaries(chain),
        "frames": None if chain else stack.loose_frames(event),
        "request": request_of(event.request),
        "contexts": contexts_of(event.contexts),
        "evidence": None if event.occurrence is None else evidence_of(event.occurrence),
        "sdk": sdk_of(event.sdk),
        "breadcrumbs": breadcrumbs_of(event.breadcrumbs),
    }
    fingerprint = event.fingerprint
    if fingerprint and fingerprint != _DEFAULT_FINGERPRINT:
        detail["fingerprint"] = texts(fingerprint, count_max=10)
    put(detail, "dist", event.dist)
    geo = None if event.user is None else event.user.geo
    if geo is not None and (country := text(geo.country_code)):
        detail["user"] = {"country": country}
    return detail


def occurred_at(event: Event) -> int | None:
    """When the event happened, else when Sentry received it."""
    when = instant(event.datetime)
    return first_date(event.timestamp, event.dateCreated, event.received) if when is None else when


def _message(event: Event) -> str | None:
    entry = event.logentry
    if entry is None:
        return text(event.message, 2000)
    return first(entry.formatted, event.message, entry.message, chars_max=2000)


def _handled(chain: list[ExceptionInfo], tags: Obj) -> bool | None:
    """Sentry takes an event for unhandled if any of its exceptions was."""
    handled = None
    for exception in chain:
        marked = None if exception.mechanism is None else exception.mechanism.handled
        if marked == 0:
            return False
        handled = handled or marked == 1
    return True if handled else truth(tag(tags, "handled"))


def _issue_in(url: object) -> str | None:
    """The issue's id, from the API link that old payloads have in place of ``issue_id``."""
    if not isinstance(url, str):
        return None
    last = url.rstrip("/").rpartition("/")[2]
    return last if last.isascii() and last.isdecimal() else None


def _without_referrer(url: object) -> object:
    """The plugin's link without ``?referrer=webhooks_plugin``, which would count people as the plugin."""
    if isinstance(url, str) and url.endswith("referrer=webhooks_plugin"):
        return url.partition("?")[0]
    return url
