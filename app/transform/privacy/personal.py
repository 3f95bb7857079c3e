"""What stands in place of a person's e-mail or IP address: itself, a keyed hash, or nothing but a mark. Pure."""

import hmac
import ipaddress
import re
from typing import NamedTuple

from app.sentry.event import User
from app.tenants.privacy import Policy, Privacy
from app.transform.privacy.names import FILTERED, Personal, personal_name
from app.transform.values import CUT

HASH_CHARS = 32
CUT_CHARS_MIN = 5
"""So much of an address at the end of a text that was cut is known again."""
_ADDRESS = re.compile(r"[^\s@<>\"',;][^\s@<>\",;]{0,63}(?:@|%40)[^\s@<>\"',;]{1,190}")
_NO_ONE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - addresses of nobody, not to bind to
_MARKED = ("email:", "ip:", "id:", "username:")
"""How Sentry's ``user`` tag begins; what follows the last two may be an address as well."""
_ESCAPED = r"(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
"""Behind an escape of JSON or of a URL, whose last letter is no part of what follows."""


class Known(NamedTuple):
    """An address that is known, however it is spelled, and what stands in its place."""

    sign: str
    """Stands in every text that holds the address: looking for it first costs a tenth."""
    pattern: re.Pattern[str]
    instead: str
    whole: str
    """The address in lower case: a text that was cut may end within it."""

    def replaced(self, text: str) -> str:
        """The text with the address replaced."""
        if self.sign in text:
            text = self.pattern.sub(self.instead, text)
        if not text.endswith(CUT):
            return text
        lowered = text[:-1].lower()
        for length in range(len(self.whole) - 1, CUT_CHARS_MIN - 1, -1):
            if lowered.endswith(self.whole[:length]):
                return f"{text[: -length - 1]}{self.instead}{CUT}"
        return text


class AddressPolicy:
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

    def replacement_for(self, name: str, value: str) -> str | None:
        """What stands in place of a value under this name; ``None``: the name does not make it an address."""
        if self.idle:
            return None
        if name in ("user", "sentry:user") and value.startswith(_MARKED):
            mark, _, said = value.partition(":")
            found: Personal | None = "email" if mark == "email" else "ip" if mark == "ip" else _kind_of(said)
            return None if found is None or self._policies[found] == "keep" else self.of(found, said)
        found = personal_name(name)
        if found is None or self._policies[found] == "keep" or not _looks(found, value):
            return None
        if found == "ip" and "," in value and self._policies["ip"] == "hash":
            # X-Forwarded-For: the first is the person's, the others are proxies'.
            return ", ".join(self.of("ip", address.strip()) for address in value.split(","))
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


def _kind_of(value: str) -> Personal | None:
    return "email" if email_in(value) else "ip" if ip_in(value) else None


def known_of(user: User | None, addresses: AddressPolicy) -> list[Known]:
    """The addresses of the person a hook is about, which other texts of it may repeat, and what stands for each."""
    if addresses.idle or user is None:
        return []
    emails = {found for said in (user.email, user.username, user.name, user.id) if (found := email_in(said))}
    ips = {found for said in (user.ip_address, user.id) if (found := ip_in(said))} - _NO_ONE
    known: list[Known] = []
    for email in sorted(emails):
        if (instead := addresses.of("email", email)) != email:
            known += [Known(at, _spelled(email, at), instead, email.lower()) for at in ("@", "%40")]
    for ip in sorted(ips):
        if (instead := addresses.of("ip", ip)) != ip:
            digits = "0-9A-Fa-f" if ":" in ip else "0-9"
            known.append(Known(ip, _alone(re.escape(ip), digits), instead, ip.lower()))
    return known


def _spelled(email: str, at: str) -> re.Pattern[str]:
    """An e-mail address in any case; in a query its ``@`` is written ``%40``."""
    local, _, domain = email.replace("%40", "@").partition("@")
    return _alone(f"{re.escape(local)}{at}{re.escape(domain)}", "0-9A-Za-z")


def _alone(address: str, chars: str) -> re.Pattern[str]:
    """The address where neither side of it has one of the characters, with which it would be another."""
    return re.compile(f"(?:(?<![{chars}])|{_ESCAPED}){address}(?![{chars}])", re.IGNORECASE)


def _looks(kind: Personal, value: str) -> bool:
    if kind == "email":
        return "@" in value or "%40" in value
    return any(sign in value for sign in ".:") and any(char.isdecimal() for char in value)
