"""Error events: ``error``, ``event_alert`` and the legacy plugin, whose ``event`` is nearly the same."""

from app.sentry.links import organization_of, project_of
from app.transform import stack
from app.transform.event_detail import breadcrumbs_of, contexts_of, evidence_of, request_of, sdk_of
from app.transform.values import Obj, first, items, obj, present, text, texts, truth
from app.transform.view import View, dated, frame_of, level_of, link, settings_of, severity_of, tag, tags_of

_DEFAULT_FINGERPRINT = ["{{ default }}"]


def error(body: Obj) -> View:
    """``error.created``: an error event as it happens."""
    event = obj(obj(body.get("data")).get("error"))
    return View(event_head(event), event_detail(event), happened(event))


def event_alert(body: Obj) -> View:
    """``event_alert.triggered``: an error event that made an issue alert fire."""
    said = obj(body.get("data"))
    event = obj(said.get("event"))
    alert = obj(said.get("issue_alert"))
    head = event_head(event)
    head["rule"] = first(said.get("triggered_rule"), alert.get("title"))
    head["rule_id"] = text(alert.get("id"), 64)
    detail = event_detail(event)
    detail["alert"] = present((("settings", settings_of(alert.get("settings"))),))
    return View(head, detail, happened(event))


def legacy(body: Obj) -> View:
    """The "WebHooks" plugin: a flat summary of the issue around the raw event. It names no action."""
    event = obj(body.get("event"))
    head = event_head(event)
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
        "culprit": first(head["culprit"], body.get("culprit"), chars_max=300),
        "logger": first(head["logger"], body.get("logger")),
    }
    detail = event_detail(event)
    detail["message"] = first(detail.get("message"), body.get("message"), chars_max=2000)
    detail["alert"] = present((("rules", rules if len(rules) > 1 else None),))
    return View(head, detail, happened(event))


def event_head(event: Obj) -> dict[str, object]:
    """The head fields of a normalised event."""
    tags = tags_of(event.get("tags"))
    metadata = obj(event.get("metadata"))
    chain = stack.exceptions(event)
    outermost = chain[0] if chain else metadata
    where = stack.where(event)
    level = level_of(event.get("level"), tag(tags, "level"))
    return {
        "title": first(
            event.get("title"), metadata.get("title"), _message(event), metadata.get("value"), chars_max=1000
        ),
        "level": level,
        "severity": severity_of(level),
        "project": project_of(event.get("url")),
        "project_id": text(event.get("project"), 64),
        "organization": organization_of((event.get("web_url"), event.get("url"), event.get("issue_url"))),
        "url": link(event.get("web_url")),
        "environment": first(event.get("environment"), tag(tags, "environment")),
        "release": first(event.get("release"), tag(tags, "release")),
        "issue_id": first(event.get("issue_id"), _issue_in(event.get("issue_url")), chars_max=64),
        "event_id": first(event.get("event_id"), event.get("id"), chars_max=64),
        "exception_type": text(outermost.get("type")),
        "exception_value": text(outermost.get("value"), 1000),
        "frame": where.place if where else frame_of(metadata),
        "frame_in_app": where.in_app if where else None,
        "handled": _handled(chain, tags),
        "culprit": text(event.get("culprit"), 300),
        "transaction": first(event.get("transaction"), tag(tags, "transaction"), chars_max=300),
        "platform": text(event.get("platform"), 64),
        "logger": text(event.get("logger")),
        "server_name": first(tag(tags, "server_name"), event.get("server_name")),
        "trace_id": text(obj(obj(event.get("contexts")).get("trace")).get("trace_id"), 64),
        "user_id": text(obj(event.get("user")).get("id")),
        "tags": tags,
    }


def event_detail(event: Obj) -> dict[str, object]:
    """The detail of a normalised event: what people read after the head."""
    fingerprint = items(event.get("fingerprint"))
    chain = stack.chain_of(event)
    return {
        "message": _message(event),
        "exceptions": chain,
        "frames": None if chain else stack.loose_frames(event),
        "request": request_of(event.get("request")),
        "contexts": contexts_of(event.get("contexts")),
        "evidence": evidence_of(event.get("occurrence")),
        "fingerprint": None if fingerprint == _DEFAULT_FINGERPRINT else texts(fingerprint, count_max=10),
        "sdk": sdk_of(event.get("sdk")),
        "dist": text(event.get("dist")),
        "user": present((("country", text(obj(obj(event.get("user")).get("geo")).get("country_code"))),)),
        "breadcrumbs": breadcrumbs_of(event.get("breadcrumbs")),
    }


def happened(event: Obj) -> int | None:
    """When the event happened, else when Sentry received it."""
    return dated(event.get("datetime"), event.get("timestamp"), event.get("dateCreated"), event.get("received"))


def _message(event: Obj) -> str | None:
    entry = obj(event.get("logentry") or event.get("sentry.interfaces.Message"))
    return first(entry.get("formatted"), event.get("message"), entry.get("message"), chars_max=2000)


def _handled(chain: list[Obj], tags: Obj) -> bool | None:
    """Sentry takes an event for unhandled if any of its exceptions was."""
    said = [obj(each.get("mechanism")).get("handled") for each in chain]
    if False in said:
        return False
    return True if True in said else truth(tag(tags, "handled"))


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
