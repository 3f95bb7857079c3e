"""Error events: ``error``, ``event_alert`` and the legacy plugin, whose ``event`` is nearly the same."""

from msgspec import Struct
from msgspec.structs import replace

from app.sentry.dates import instant
from app.sentry.event import Event, ExceptionInfo, Metadata, TriggeredAlert, User
from app.sentry.event_lenient import event_of
from app.sentry.links import organization_and_project_of, organization_of, project_of
from app.transform.values import Obj, first, obj, present, put, text, texts, truth
from app.transform.views import stack
from app.transform.views.base import (
    View,
    capped,
    first_date,
    frame_of,
    level_of,
    link,
    settings_of,
    severity_of,
    tag,
    tags_of,
)
from app.transform.views.contexts import contexts_of, name_and_version
from app.transform.views.error_detail import breadcrumbs_of, request_of
from app.transform.views.evidence import evidence_of, occurrence_head
from app.transform.views.security import report_only, reports_of

_NO_METADATA = Metadata()
_DEFAULT_FINGERPRINT = ["{{ default }}"]
_NO_TITLE = frozenset({"<unknown>", "<unlabeled event>"})
"""What Sentry writes as the title of an event that gives it none."""
_MESSAGE_CHARS_MAX = 2000
_ERROR = {"issue_type": "error", "issue_category": "error"}


class _Parts(Struct, frozen=True, gc=False):
    """What several fields of an event are made of."""

    chain: list[ExceptionInfo]
    main: ExceptionInfo | None
    message: str | None
    reports: dict[str, object]


def error(event: Event) -> View:
    """``error.created``: an error event as it happens."""
    return view_of(event)


def event_alert(alert: TriggeredAlert) -> View:
    """``event_alert.triggered``: an error event that made an issue alert fire."""
    rule = obj(alert.issue_alert)
    view = view_of(alert.event)
    view.head["rule"] = first(alert.triggered_rule, rule.get("title"))
    view.head["rule_id"] = text(rule.get("id"), 64)
    view.detail["alert"] = present((("settings", settings_of(rule.get("settings"), view.trimmed, "alert")),))
    return view


def legacy(body: Obj) -> View:
    """The "WebHooks" plugin: a flat summary of the issue around the raw event. It names no action."""
    view = view_of(event_of(body.get("event")))
    head, detail = view.head, view.detail
    if not isinstance(body.get("event"), dict):
        head.update(issue_type=None, issue_category=None)
    level = level_of(body.get("level"), head["level"])
    rules = texts(capped(body.get("triggering_rules"), 10, view.trimmed, "alert"), count_max=10)
    organization, project = organization_and_project_of(body.get("url"))
    head |= {
        "title": first(head["title"], body.get("message"), body.get("culprit"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": first(body.get("project_slug"), body.get("project"), body.get("project_name"), project),
        "organization": organization_of([body.get("url")]) or organization,
        "url": link(_without_referrer(body.get("url"))),
        "issue_id": text(body.get("id"), 64),
        "rule": rules[0] if rules else None,
        "culprit": first(head.get("culprit"), body.get("culprit"), chars_max=300),
        "logger": first(head.get("logger"), body.get("logger")),
    }
    detail["message"] = first(detail.get("message"), body.get("message"), chars_max=_MESSAGE_CHARS_MAX)
    detail["alert"] = present((("rules", rules if len(rules) > 1 else None),))
    return view


def view_of(event: Event) -> View:
    """The view of a normalised event."""
    chain: list[ExceptionInfo] = stack.exceptions(event)
    main = stack.main_exception(event, chain) if chain else None
    message, person, contexts = _message(event), event.user, event.contexts
    if isinstance(contexts, dict) and (feedback := contexts.get("feedback")) is not None:
        message = text(obj(feedback).get("message"), _MESSAGE_CHARS_MAX) or message
        person = _person(person, obj(feedback))
    trimmed: list[str] = []
    parts = _Parts(chain, main, message, reports_of(event))
    return View(_head(event, parts, trimmed), _detail(event, parts, trimmed), occurred_at(event), person, trimmed)


def _head(event: Event, parts: _Parts, trimmed: list[str]) -> dict[str, object]:
    tags = tags_of(event.tags, trimmed)
    metadata, main = event.metadata or _NO_METADATA, parts.main
    level = level_of(event.level, tags.get("level"))
    web_url, url, issue_url = event.web_url, event.url, event.issue_url
    head: dict[str, object] = {
        "title": first(event.title, metadata.title, parts.message, metadata.value, chars_max=1000),
        "level": level,
        "severity": "low" if parts.reports and report_only(parts.reports) else severity_of(level),
        "project": project_of(url),
        "organization": organization_of((web_url, url, issue_url)),
        "url": link(web_url),
        "handled": _handled(parts.chain, tags),
        "tags": tags,
    }
    head |= _ERROR if event.occurrence is None else occurrence_head(event.occurrence)
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
    named = main or metadata
    put(head, "exception_type", named.type or (_signal(main) if main else None))
    if main or metadata.type:
        put(head, "exception_value", named.value, 1000)
    if head["title"] is None or head["title"] in _NO_TITLE:  # as Sentry composes it
        said = (text(head.get("exception_type")), text(head.get("exception_value"), 1000))
        composed = ": ".join(part.partition("\n")[0] for part in said if part)
        head["title"] = composed or parts.message or head["title"]
    contexts = event.contexts
    if isinstance(contexts, dict) and isinstance(trace := contexts.get("trace"), dict):
        put(head, "trace_id", trace.get("trace_id"), 64)
    chain = parts.chain if main is None or main is parts.chain[0] else [main, *parts.chain]
    if where := stack.where(event, chain):
        head["frame"], head["frame_in_app"] = where
    else:
        head["frame"] = frame_of(metadata.filename, metadata.function)
    return head


def _detail(event: Event, parts: _Parts, trimmed: list[str]) -> dict[str, object]:
    """The sections after the head."""
    chain = parts.chain
    detail: dict[str, object] = {
        "message": parts.message,
        "exceptions": stack.summaries(chain),
        "frames": None if chain else stack.loose_frames(event),
        "request": request_of(event.request, trimmed),
        "contexts": contexts_of(event.contexts, trimmed),
        "breadcrumbs": breadcrumbs_of(event.breadcrumbs, trimmed),
    }
    if len(chain) > stack.EXCEPTIONS_SHOWN_MAX:
        trimmed.append("exceptions")
    if event.occurrence is not None:
        detail["evidence"] = evidence_of(event.occurrence, parts.message, trimmed)
    if parts.reports:
        detail |= parts.reports
    if (sdk := event.sdk) is not None:
        detail["sdk"] = name_and_version(first(sdk.name, sdk.app_name), first(sdk.version, sdk.app_version))
    fingerprint = event.fingerprint
    if fingerprint and fingerprint != _DEFAULT_FINGERPRINT:
        detail["fingerprint"] = texts(capped(fingerprint, 10, trimmed, "fingerprint"), count_max=10)
    put(detail, "dist", event.dist)
    geo = None if event.user is None else event.user.geo
    if geo is not None and (country := text(geo.country_code)):
        detail["user"] = {"country": country}
    return detail


def occurred_at(event: Event) -> int | None:
    """When the event happened, else when Sentry received it."""
    when = instant(event.datetime)
    return first_date(event.timestamp, event.received) if when is None else when


def _person(user: User | None, feedback: Obj) -> User:
    """The user, with the name and address that a feedback gives where the user has none."""
    user = user or User()
    return replace(user, name=user.name or feedback.get("name"), email=user.email or feedback.get("contact_email"))


def _message(event: Event) -> str | None:
    entry = event.logentry
    if entry is None:
        return text(event.message, _MESSAGE_CHARS_MAX)
    return first(entry.formatted, event.message, entry.message, chars_max=_MESSAGE_CHARS_MAX)


def _handled(chain: list[ExceptionInfo], tags: Obj) -> bool | None:
    """Sentry takes an event for unhandled if any of its exceptions was. Nothing handles an event without one."""
    if not chain:
        return None
    handled = None
    for exception in chain:
        marked = None if exception.mechanism is None else exception.mechanism.handled
        if marked == 0:
            return False
        handled = handled or marked == 1
    return True if handled else truth(tag(tags, "handled"))


def _signal(exception: ExceptionInfo) -> object:
    """The signal, or what macOS and Windows have in place of one, that ended a native process."""
    meta = obj(exception.mechanism.meta) if exception.mechanism is not None else obj(None)
    names = (obj(meta.get(kind)).get("name") for kind in ("signal", "mach_exception"))
    return next((name for name in names if name), None)


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
