"""Nothing leaves before it went through here: credentials, addresses, dropped paths, masks, size. Pure."""

from collections.abc import Callable, Mapping
from functools import partial

import orjson

from app.sentry.event import User
from app.tenants.privacy import Privacy
from app.transform import size_budget as budget
from app.transform.privacy.paths import kept_of
from app.transform.privacy.payload import Keep
from app.transform.privacy.personal import CUT_CHARS_MIN, AddressPolicy, email_in, ip_in, known_of
from app.transform.privacy.prefilter import may_contain_secret
from app.transform.privacy.redact import Redaction
from app.transform.schema.fields import IDENTITY
from app.transform.values import CUT, Inexact, put

_CUT = CUT.encode()
_NUL = b"\\u0000"
"""As JSON writes it. The quick look (``may_contain_secret``) sees it as well."""


def person_of(user: User, privacy: Privacy) -> dict[str, object]:
    """The head's fields about the user a hook is about, as the tenant will have them."""
    fields: dict[str, object] = {}
    identity, email = user.id, user.email
    if isinstance(identity, str) and identity.isalnum():  # as nearly all are; no address is
        put(fields, "user_id", identity)
    elif privacy.email != "keep" and (address := email_in(identity)):
        email = email or address
    elif privacy.ip == "keep" or ip_in(identity) is None:
        put(fields, "user_id", identity)
    if privacy.email == privacy.ip == "drop":
        return fields
    policy = AddressPolicy(privacy)
    if privacy.email != "drop" and (address := email_in(email)):
        fields["user_email" if privacy.email == "keep" else "user_email_hash"] = policy.of("email", address)
    if privacy.ip != "drop" and (address := ip_in(user.ip_address)):
        fields["user_ip" if privacy.ip == "keep" else "user_ip_hash"] = policy.of("ip", address)
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
    if keep is None and not privacy.masks:
        fitted = budget.fit(head, detail, bytes_max)
        if not _found(privacy, person, fitted.encoded):
            return fitted
    found = None if privacy.masks else partial(_found, privacy, person)
    redaction = Redaction(privacy, known_of(person, AddressPolicy(privacy)))
    head = _with_identity(head, _redacted(head, redaction, found))
    detail = _redacted(detail, redaction, found)
    if keep is not None:
        detail |= keep(redaction)
    fitted = budget.fit(head, detail, bytes_max)
    if not exact and _NUL in fitted.encoded:
        raise Inexact
    return fitted


def _found(privacy: Privacy, person: User | None, encoded: bytes) -> bool:
    """Whether what is encoded may hold anything that must not leave."""
    personal = privacy.email != "keep" or privacy.ip != "keep"
    return may_contain_secret(encoded, personal=personal) or (personal and _repeats(encoded, person))


def _repeats(encoded: bytes, person: User | None) -> bool:
    """Whether the event may hold its user's IP address, or the beginning of an address, that was cut."""
    if person is None:
        return False
    said, identity = person.ip_address, person.id
    if isinstance(said, str) and said.encode() in encoded:
        return True
    if isinstance(identity, str) and ip_in(identity) and identity.encode() in encoded:
        return True
    if not _was_cut(encoded):
        return False
    lowered = encoded.lower()
    known = (said, identity, person.email, person.username, person.name)
    addresses = [found for value in known if (found := email_in(value) or ip_in(value))]
    beginnings = [address.replace("%40", "@").partition("@")[0][:CUT_CHARS_MIN] for address in addresses]
    return any(beginning.lower().encode() in lowered for beginning in beginnings)


def _was_cut(encoded: bytes) -> bool:
    """Whether a text in it was cut. By the first byte of the mark: looking for one byte costs a tenth."""
    at = encoded.find(_CUT[:1])
    while at >= 0 and not encoded.startswith(_CUT, at):
        at = encoded.find(_CUT[:1], at + 1)
    return at >= 0


def _redacted(
    section: dict[str, object], redaction: Redaction, found: Callable[[bytes], bool] | None
) -> dict[str, object]:
    """Each field on its own: their names are the schema's. ``found``: only those with a reason for a closer look."""
    if found is None:
        return {name: redaction.field(name, value) for name, value in section.items()}
    if not found(orjson.dumps(section)):
        return section
    return {name: _looked_at(name, value, redaction, found) for name, value in section.items()}


def _looked_at(name: str, value: object, redaction: Redaction, found: Callable[[bytes], bool]) -> object:
    """The value, redacted where a quick look at it, or at each of a list's objects, finds a reason."""
    if not isinstance(value, str | dict | list) or not found(orjson.dumps({name: value})):
        return value
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [redaction.field(name, item) if found(orjson.dumps({name: item})) else item for item in value]
    return redaction.field(name, value)


def _with_identity(head: Mapping[str, object], changed: dict[str, object]) -> dict[str, object]:
    """The changed head with what says which hook it is, as it was."""
    return {name: (head if name in IDENTITY else changed)[name] for name in head if name in IDENTITY or name in changed}
