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
IP_CHARS_MAX = 64
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}")
"""Without leading zeros, as the standard library has it, in a tenth of its time."""
_NO_ONE = frozenset({"127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - addresses of nobody, not to bind to
_MARKED = ("email:", "ip:", "id:", "username:")
"""How Sentry's ``user`` tag begins; what follows the last two may be an address as well."""
_ESCAPES = re.compile(r"(?:\\[nrtbf]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})\Z")
"""An escape of JSON or of a URL, whose last letter is no part of what follows."""
_ESCAPE_CHARS_MAX = 6
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")
_ALPHANUMERIC = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")
NAME_CHARS_MAX = 200
NAME_CHARS_MIN = 5
"""A shorter name, or one of a single word, is only taken out where it is known to be a name: it may be any word."""


class Known(NamedTuple):
    """An address or a name that is known, and what stands in its place."""

    sign: str
    """Stands in every text that holds it: looking for it first costs a tenth."""
    whole: str
    """All of it, in lower case."""
    chars: frozenset[str]
    """With one of these on either side it would be another."""
    instead: str

    def replaced(self, text: str) -> str:
        """The text with it replaced, in whatever case; a text that was cut may end within it."""
        if self.sign not in text and not text.endswith(CUT):
            return text
        lowered = _lowered(text)
        if self.sign in text and self.whole in lowered:
            text, lowered = self._without(text, lowered)
        if not text.endswith(CUT):
            return text
        for length in range(len(self.whole) - 1, CUT_CHARS_MIN - 1, -1):
            if lowered.endswith(self.whole[:length], 0, -1):
                return f"{text[: -length - 1]}{self.instead}{CUT}"
        return text

    def _without(self, text: str, lowered: str) -> tuple[str, str]:
        pieces: list[str] = []
        done, size = 0, len(self.whole)
        at = lowered.find(self.whole)
        while at >= 0:
            if self._stands_alone(text, lowered, at):
                pieces += (text[done:at], self.instead)
                done = at + size
            at = lowered.find(self.whole, at + size if done > at else at + 1)
        text = "".join((*pieces, text[done:]))
        return text, _lowered(text)

    def _stands_alone(self, text: str, lowered: str, at: int) -> bool:
        if lowered[at + len(self.whole) : at + len(self.whole) + 1] in self.chars:
            return False
        before = lowered[at - 1 : at]
        return before not in self.chars or _ESCAPES.search(text, max(0, at - _ESCAPE_CHARS_MAX), at) is not None


def _lowered(text: str) -> str:
    """The text in lower case, of the same length: the few letters that grow stay as they are."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := char.lower()) == 1 else char for char in text)


class AddressPolicy:
    """What stands in place of an address, by the rules of one tenant."""

    __slots__ = ("_key", "_policies", "idle")

    def __init__(self, privacy: Privacy) -> None:
        self._policies: dict[Personal, Policy] = {"email": privacy.email, "ip": privacy.ip, "name": privacy.names}
        self._key = privacy.hash_key.value if privacy.hash_key is not None else b""
        self.idle = privacy.email == privacy.ip == privacy.names == "keep"
        """Every address and name may pass."""

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
    if not isinstance(value, str) or len(value) > IP_CHARS_MAX or not (value.count(".") == 3 or ":" in value):  # noqa: PLR2004 - of IPv4
        return None
    if ":" not in value:
        return value if _IPV4.fullmatch(value) else None
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return None
    return value


def _kind_of(value: str) -> Personal | None:
    return "email" if email_in(value) else "ip" if ip_in(value) else None


def known_of(user: User | None, addresses: AddressPolicy) -> list[Known]:
    """The addresses and the name of the person a hook is about, which other texts of it may repeat."""
    if addresses.idle or user is None:
        return []
    emails = {found for said in (user.email, user.username, user.name, user.id) if (found := email_in(said))}
    ips = {found for said in (user.ip_address, user.id) if (found := ip_in(said))} - _NO_ONE
    known: list[Known] = []
    for email in sorted(emails):
        if (instead := addresses.of("email", email)) != email:
            local, _, domain = email.lower().replace("%40", "@").partition("@")
            known += [Known(at, f"{local}{at}{domain}", _ALPHANUMERIC, instead) for at in ("@", "%40")]
    for ip in sorted(ips):
        if (instead := addresses.of("ip", ip)) != ip:
            known.append(Known(ip, ip.lower(), _HEX if ":" in ip else _DIGITS, instead))
    if (name := name_in(user.name)) is not None and (instead := addresses.of("name", name)) != name:
        known.append(Known(" ", name.lower(), _ALPHANUMERIC, instead))
    return known


def name_in(value: object) -> str | None:
    """The name of a person that a value is, if no other text is likely to be the same: of two words or more."""
    if not isinstance(value, str) or not NAME_CHARS_MIN <= len(value) <= NAME_CHARS_MAX:
        return None
    return value if " " in value.strip() and "@" not in value else None


def _looks(kind: Personal, value: str) -> bool:
    if kind == "name":
        return not value.isspace()
    if kind == "email":
        return "@" in value or "%40" in value
    return any(sign in value for sign in ".:") and any(char.isdecimal() for char in value)
