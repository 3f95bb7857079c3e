"""The head of an event: what every resource has, in the schema's order. Pure."""

from app.model import Hook
from app.sentry.payload import fit as fit_text
from app.sentry.reading import ParsedHook
from app.sentry.resources import Kind
from app.tenants.model import Destination
from app.transform.privacy.apply import person_of
from app.transform.schema.fields import HEAD_NAMES, HEAD_OF, SCHEMA
from app.transform.values import obj, text
from app.transform.views.base import View, actor_of


def head_of(
    hook: Hook, destination: Destination, parsed: ParsedHook, *, kind: Kind, view: View, delivery_id: str
) -> dict[str, object]:
    """The view's head completed, without what is absent. There is always a title."""
    fields = view.head
    fields["schema"] = SCHEMA
    fields["tenant"] = fit_text(hook.tenant or destination.tenant)[:100]
    fields["resource"] = kind.resource
    fields["action"] = kind.action
    if not fields.get("title"):
        fields["title"] = f"{kind.resource} {kind.action}".replace("_", " ")
    fields["actor"] = actor = actor_of(parsed.actor)
    fields["actor_name"] = actor.get("name")
    fields["delivery_id"] = delivery_id
    if hook.received_at > 0:  # not even for "not a number"
        fields["received"] = int(hook.received_at * 1000 + 0.5) / 1000
    installation = obj(parsed.installation)
    if not fields.get("installation"):
        fields["installation"] = text(installation.get("uuid"), 64) or hook.installation
    if not fields.get("organization"):  # some payloads carry the whole installation, which names its organization
        fields["organization"] = text(obj(installation.get("organization")).get("slug"))
    if hook.same_body_as:
        fields["same_body_as"] = hook.same_body_as
    if kind.flags:
        fields["resource_header"], fields["flags"] = kind.header, list(kind.flags)
    if view.trimmed:
        whole = kind.known and destination.detail != "none"
        fields["trimmed"] = [name for name in dict.fromkeys(view.trimmed) if whole or name in HEAD_NAMES]
    if view.person is not None:
        fields.update(person_of(view.person, destination.privacy))
    get = fields.get
    return {
        name: value
        for name in HEAD_OF.get(kind.resource, HEAD_NAMES)
        if (value := get(name)) or (value is not None and (value is False or value == 0))
    }
