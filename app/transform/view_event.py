"""Error events: ``error``, ``event_alert`` and the legacy plugin, whose ``event`` is nearly the same."""

from app.sentry.links import organization_of, project_of
from app.transform import stack
from app.transform.event_detail import breadcrumbs_of, contexts_of, evidence_of, request_of, sdk_of
from app.transform.values import Obj, first, obj, present, put, take, text, texts, truth
from app.transform.view import View, dated, frame_of, level_of, link, settings_of, severity_of, tag, tags_of

_TEXTS = (
    ("project_id", "project", 64),
    ("culprit", "culprit", 300),
    ("platform", "platform", 64),
    ("logger", "logger", 200),
)
_OR_TAGS = (("environment", 200), ("release", 200), ("transaction", 300))
"""What old payloads have as a tag only."""
_EXCEPTION = (("exception_type", "type", 200), ("exception_value", "value", 1000))
_DEFAULT_FINGERPRINT = ["{{ default }}"]


def error(body: Obj) -> View:
    """``error.created``: an error event as it happens."""
    event = obj(obj(body.get("data")).get("error"))
    return View(*head_and_detail(event), happened(event), obj(event.get("user")))


def event_alert(body: Obj) -> View:
    """``event_alert.triggered``: an error event that made an issue alert fire."""
    said = obj(body.get("data"))
    event = obj(said.get("event"))
    alert = obj(said.get("issue_alert"))
    head, detail = head_and_detail(event)
    head["rule"] = first(said.get("triggered_rule"), alert.get("title"))
    head["rule_id"] = text(alert.get("id"), 64)
    detail["alert"] = present((("settings", settings_of(alert.get("settings"))),))
    return View(head, detail, happened(event), obj(event.get("user")))


def legacy(body: Obj) -> View:
    """The "WebHooks" plugin: a flat summary of the issue around the raw event. It names no action."""
    event = obj(body.get("event"))
    head, detail = head_and_detail(event)
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
    return View(head, detail, happened(event), obj(event.get("user")))


def head_and_detail(event: Obj) -> tuple[dict[str, object], dict[str, object]]:
    """Both parts of what a normalised event says."""
    chain, message = stack.exceptions(event), _message(event)
    return _head(event, chain, message), _detail(event, chain, message)


def _head(event: Obj, chain: list[Obj], message: str | None) -> dict[str, object]:
    tags = tags_of(event.get("tags"))
    metadata = obj(event.get("metadata"))
    level = level_of(event.get("level"), tags.get("level"))
    head: dict[str, object] = {
        "title": first(event.get("title"), metadata.get("title"), message, metadata.get("value"), chars_max=1000),
        "level": level,
        "severity": severity_of(level),
        "project": project_of(event.get("url")),
        "organization": organization_of((event.get("web_url"), event.get("url"), event.get("issue_url"))),
        "url": link(event.get("web_url")),
        "handled": _handled(chain, tags),
        "tags": tags,
    }
    take(head, event, _TEXTS)
    for name, chars_max in _OR_TAGS:
        put(head, name, event.get(name) or tag(tags, name), chars_max)
    put(head, "issue_id", event.get("issue_id") or _issue_in(event.get("issue_url")), 64)
    put(head, "event_id", event.get("event_id") or event.get("id"), 64)
    put(head, "server_name", tag(tags, "server_name") or event.get("server_name"))
    take(head, chain[0] if chain else metadata, _EXCEPTION)
    put(head, "trace_id", obj(obj(event.get("contexts")).get("trace")).get("trace_id"), 64)
    if where := stack.where(event, chain):
        head["frame"], head["frame_in_app"] = where
    else:
        head["frame"] = frame_of(metadata)
    return head


def _detail(event: Obj, chain: list[Obj], message: str | None) -> dict[str, object]:
    """What people read after the head."""
    fingerprint = event.get("fingerprint")
    detail: dict[str, object] = {
        "message": message,
        "exceptions": stack.in_brief(chain),
        "frames": None if chain else stack.loose_frames(event),
        "request": request_of(event.get("request")),
        "contexts": contexts_of(event.get("contexts")),
        "evidence": evidence_of(event["occurrence"]) if "occurrence" in event else None,
        "sdk": sdk_of(event.get("sdk")),
        "breadcrumbs": breadcrumbs_of(event.get("breadcrumbs")),
    }
    if fingerprint and fingerprint != _DEFAULT_FINGERPRINT:
        detail["fingerprint"] = texts(fingerprint, count_max=10)
    put(detail, "dist", event.get("dist"))
    user = event.get("user")
    geo = user.get("geo") if isinstance(user, dict) else None
    if isinstance(geo, dict) and (country := text(geo.get("country_code"))):
        detail["user"] = {"country": country}
    return detail


def happened(event: Obj) -> int | None:
    """When the event happened, else when Sentry received it."""
    return dated(event.get("datetime"), event.get("timestamp"), event.get("dateCreated"), event.get("received"))


def _message(event: Obj) -> str | None:
    entry = obj(event.get("logentry") or event.get("sentry.interfaces.Message"))
    return first(entry.get("formatted"), event.get("message"), entry.get("message"), chars_max=2000)


def _handled(chain: list[Obj], tags: Obj) -> bool | None:
    """Sentry takes an event for unhandled if any of its exceptions was."""
    handled = None
    for each in chain:
        mechanism = each.get("mechanism")
        said = mechanism.get("handled") if isinstance(mechanism, dict) else None
        if said == 0 and said is not None:
            return False
        handled = handled or said == 1
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
