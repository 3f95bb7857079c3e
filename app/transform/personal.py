"""What stands in place of a person's e-mail or IP address: itself, a keyed hash, or nothing but a mark. Pure."""

import hmac
import ipaddress
import re
from typing import NamedTuple

from app.sentry.event import User
from app.tenants.privacy import Policy, Privacy
from app.transform.secret_names import FILTERED, Personal, personal_name

HASH_CHARS = 32
_ADDRESS = re.compile(r"[^\s@<>\"',;]{1,64}(?:@|%40)[^\s@<>\"',;]{1,190}")
_NO_ONE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - addresses of nobody, not to bind to
_MARKED = ("email:", "ip:")


class Known(NamedTuple):
    """An address that is known, however it is spelled, and what stands in its place."""

    sign: str
    """Stands in every text that holds the address: looking for it first costs a tenth."""
    pattern: re.Pattern[str]
    instead: str

    def replaced(self, text: str) -> str:
        """The text with the address replaced."""
        return self.pattern.sub(self.instead, text) if self.sign in text else text


class Standing:
    """What stands in place of an address, by the rules of one tenant."""

    __slots__ = ("_key", "_policies", "idle")

    def __init__(self, privacy: Privacy) -> None:
        self._policies: dict[Personal, Policy] = {"email": privacy.email, "ip": privacy.ip}
        self._key = privacy.hash_key.value if privacy.hash_key is not None else b""
        self.idle = privacy.email == privacy.ip == "keep"
        """Every address may pass."""

    def of(self, kind: Personal, address: str) -> str:
        """What stands in place of an address of this kind."""
        policy = self._policies[kind]
        if policy == "keep":
            return address
        return hashed(address, self._key) if policy == "hash" and self._key else FILTERED

    def in_place_of(self, name: str, value: str) -> str | None:
        """What stands in place of a value under this name; ``None``: the name does not make it an address."""
        if self.idle:
            return None
        if name in ("user", "sentry:user") and value.startswith(_MARKED):
            kind = "email" if value.startswith("email:") else "ip"
            return self.of("email" if kind == "email" else "ip", value.partition(":")[2])
        found = personal_name(name)
        if found is None or self._policies[found] == "keep" or not _looks(found, value):
            return None
        return self.of(found, value)


def hashed(address: str, key: bytes) -> str:
    """HMAC-SHA256 of the address in lower case without blanks around it, its first 32 hex digits."""
    return hmac.digest(key, address.strip().lower().encode(), "sha256").hex()[:HASH_CHARS]


def email_in(value: object) -> str | None:
    """The e-mail address that a value is."""
    return value if isinstance(value, str) and ("@" in value or "%40" in value) and _ADDRESS.fullmatch(value) else None


def ip_in(value: object) -> str | None:
    """The IP address that a value is."""
    if not isinstance(value, str) or not (value.count(".") == 3 or ":" in value):  # noqa: PLR2004 - of IPv4
        return None
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return None
    return value


def known_of(user: User | None, standing: Standing) -> list[Known]:
    """The addresses of the person a hook is about, which other texts of it may repeat, and what stands for each."""
    if standing.idle or user is None:
        return []
    emails = {found for said in (user.email, user.username, user.name, user.id) if (found := email_in(said))}
    ips = {found for said in (user.ip_address, user.id) if (found := ip_in(said))} - _NO_ONE
    known: list[Known] = []
    for each in sorted(emails):
        if (instead := standing.of("email", each)) != each:
            known += [Known(at, _spelled(each, at), instead) for at in ("@", "%40")]
    for each in sorted(ips):
        if (instead := standing.of("ip", each)) != each:
            known.append(Known(each, re.compile(re.escape(each)), instead))
    return known


def _spelled(email: str, at: str) -> re.Pattern[str]:
    """An e-mail address in any case; in a query its ``@`` is written ``%40``."""
    local, _, domain = email.replace("%40", "@").partition("@")
    return re.compile(f"{re.escape(local)}{at}{re.escape(domain)}", re.IGNORECASE)


def _looks(kind: Personal, value: str) -> bool:
    if kind == "email":
        return "@" in value or "%40" in value
    return any(each in value for each in ".:") and any(each.isdecimal() for each in value)
