"""Nothing leaves before it went through here: credentials, addresses, dropped paths, masks, size. Pure."""

from collections.abc import Mapping

from app.sentry.event import User
from app.tenants.privacy import Privacy
from app.transform import size_budget as budget
from app.transform.privacy.located import Look, spots_of_person
from app.transform.privacy.paths import kept_of
from app.transform.privacy.payload import Keep
from app.transform.privacy.personal import AddressPolicy, email_in, ip_in, known_of
from app.transform.privacy.prefilter import may_contain_secret
from app.transform.privacy.redact import Redaction
from app.transform.schema.fields import IDENTITY
from app.transform.values import Inexact, put, text

_NUL = b"\\u0000"
"""As JSON writes it. The quick look (``may_contain_secret``) sees it as well."""


def person_of(user: User, privacy: Privacy) -> dict[str, object]:
    """The head's fields about the user a hook is about, as the tenant will have them."""
    fields: dict[str, object] = {}
    identity, email = user.id, user.email
    if identity is None or identity == "":
        identity = user.username  # all that some applications know of a user
    if isinstance(identity, str) and identity.isalnum():  # as nearly all are; no address is
        put(fields, "user_id", identity)
    elif privacy.email != "keep" and (address := email_in(identity)):
        email = email or address
    elif privacy.ip == "keep" or ip_in(identity) is None:
        put(fields, "user_id", identity)
    if privacy.email == privacy.ip == privacy.names == "drop":
        return fields
    policy = AddressPolicy(privacy)
    if privacy.email != "drop" and (address := email_in(email)):
        fields["user_email" if privacy.email == "keep" else "user_email_hash"] = policy.of("email", address)
    if privacy.ip != "drop" and (address := ip_in(user.ip_address)):
        fields["user_ip" if privacy.ip == "keep" else "user_ip_hash"] = policy.of("ip", address)
    if privacy.names != "drop" and (name := text(user.name)) is not None and email_in(name) is None:
        fields["user_name" if privacy.names == "keep" else "user_name_hash"] = policy.of("name", name)
    return fields


def apply_privacy(
    head: dict[str, object],
    detail: dict[str, object],
    keep: Keep | None,
    *,
    privacy: Privacy,
    person: User | None,
    bytes_max: int,
    exact: bool,
) -> budget.Fitted:
    """Head, detail and the payload (if it is kept) as one event, without what must not leave, within its budget.

    ``exact``: the payload was read by ``parse_exact``, so that what looks like a NUL is none.

    Raises:
        Inexact: there may be a NUL in the event; never if ``exact``.
    """
    if privacy.drop_paths:
        head = _with_identity(head, kept_of(head, privacy.drop_paths))
        detail = kept_of(detail, privacy.drop_paths)
    personal = privacy.personal
    person = person if personal else None
    encoded = b""
    if keep is None and not privacy.masks:
        fitted = budget.fit(head, detail, bytes_max)
        if not (may_contain_secret(fitted.encoded, personal=personal) or spots_of_person(fitted.encoded, person)):
            return fitted
        encoded = fitted.encoded if fitted.whole else b""
    redaction = Redaction(privacy, known_of(person, AddressPolicy(privacy)))
    look = Look(redaction, person, personal=personal, masked=bool(privacy.masks))
    redacted = look.event(head | detail, encoded)
    head = _with_identity(head, {name: redacted[name] for name in head})
    detail = {name: redacted[name] for name in detail}
    if keep is not None:
        detail |= keep(look)
    fitted = budget.fit(head, detail, bytes_max)
    if not exact and _NUL in fitted.encoded:
        raise Inexact
    return fitted


def _with_identity(head: Mapping[str, object], changed: dict[str, object]) -> dict[str, object]:
    """The changed head with what says which hook it is, as it was."""
    return {name: (head if name in IDENTITY else changed)[name] for name in head if name in IDENTITY or name in changed}
