"""Who is signed in: a signed cookie and nothing kept, so that replicas share no state. Pure: ``now`` is an argument.

The key is derived from the admin token, so that every replica has it and a new token signs everybody out.
"""

import hashlib
import hmac
from typing import Final, NamedTuple

from itsdangerous import BadSignature, URLSafeSerializer

LIFE_S: Final = 12 * 3600
"""Seconds after which somebody has to sign in again, whatever they do."""
IDLE_S: Final = 2 * 3600
"""Seconds without a request of their own after which somebody has to sign in again; polls do not count."""
RENEW_S: Final = 60
"""Seconds between two renewals of the cookie."""
NAME: Final = "relay"
SECURE_NAME: Final = "__Host-relay"
"""On https: a browser takes it only with Secure, for this host alone (RFC 6265bis, 4.1.3.2)."""
NAME_CHARS_MAX: Final = 60


class Person(NamedTuple):
    """Somebody who is signed in."""

    name: str
    began_at: float
    """Unix seconds of the sign-in."""
    seen_at: float
    """Unix seconds of the last request, to within ``RENEW_S``."""


class Sessions:
    """Writes and reads the cookie. ``secret``: the admin token in force, or a digest of it."""

    def __init__(self, secret: bytes) -> None:
        key = hmac.digest(secret, b"console session", "sha256")
        self._serializer = URLSafeSerializer(key, salt="relay", signer_kwargs={"digest_method": hashlib.sha256})

    def write(self, person: Person) -> str:
        """The cookie's value."""
        return self._serializer.dumps([person.name, int(person.began_at), int(person.seen_at)])

    def read(self, cookie: str, *, now: float) -> Person | None:
        """Who the cookie stands for; ``None`` if it is not ours, too old, or was idle for too long."""
        try:
            name, began_at, seen_at = self._serializer.loads(cookie)
            person = Person(str(name), float(began_at), float(seen_at))
        except (BadSignature, TypeError, ValueError):
            return None
        fits = -RENEW_S <= now - person.began_at <= LIFE_S and now - person.seen_at <= IDLE_S
        return person if fits else None


def cookie(value: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header; an empty value signs out."""
    name, flag = (SECURE_NAME, "; Secure") if secure else (NAME, "")
    age = f"; Max-Age={LIFE_S}" if value else "; Max-Age=0"
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{flag}{age}"


def cookie_of(header: str) -> tuple[str, bool]:
    """The value in a ``Cookie`` header, and whether it is the one of https; empty if there is none."""
    found = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    if SECURE_NAME in found:
        return found[SECURE_NAME], True
    return found.get(NAME, ""), False
