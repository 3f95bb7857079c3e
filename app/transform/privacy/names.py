"""Which names carry credentials, and which carry a person's address. One rule for keys, headers, query and text."""

import re
from functools import lru_cache
from typing import Literal

FILTERED = "[Filtered]"
"""Stands in place of what was taken out: Sentry's own mark."""

Personal = Literal["email", "ip", "name"]

GAP = r"(?:%(?:5[bd]|2[02])|[^a-z0-9=:]|\\(?:[nrtbf]|u[0-9a-f]{4}))*"
"""What may stand between the words of a name and behind it, also brackets, quotes and blanks as a URL has them;
``\\n`` and the like are what JSON makes of it.
"""

BORDER = r"(?:^|[^a-z0-9]|\\[nrtbf]|\\u[0-9a-f]{4}|%[0-9a-f]{2})"
"""Stands before a word; it may be an escape, of JSON or of a URL."""

SECRET_ENDINGS = "|".join(
    (
        "token",
        "secrets?",
        f"secret{GAP}key{GAP}base",
        f"auth(?:orization)?{GAP}header",
        f"pass{GAP}phrase",
        f"pass{GAP}(?:word|wd)s?(?:{GAP}(?:confirm(?:ation)?|hash|digest|[0-9]{{1,2}}))?",
        "pwd",
        f"(?:admin|db|ftp|ldap|mail|mongo|pg|proxy|redis|root|smtp|sql|store|user){GAP}pass",
        f"auth{GAP}pw",
        f"{BORDER}(?:sid|jwt|bearer|otp|[cx]srf)",
        f"(?:api|access|secret|private|auth|account|encryption|signing|master|functions|subscription){GAP}key",
        "authorization",
        "cookies?",
        f"sess(?:ion)?{GAP}id",
        "credentials?",
        f"install{GAP}url",
        "signature",
        f"sentry{GAP}auth",
    )
)
"""A name that ends in one of these carries a credential. A pattern for lower-case text."""
SECRET_NAMES = "auth|pass|pw"  # noqa: S105 - names, no secret
"""So does a name that is one of these."""
EMAIL_ENDINGS = f"mails?(?:{GAP}address(?:es)?)?"
IP_ENDINGS = "|".join(
    (
        f"ip{GAP}addr(?:ess)?(?:es)?",
        f"(?:client|real|connecting|user|remote|source|src|peer){GAP}(?:ip|addr(?:ess)?)",
        f"forwarded{GAP}for",
    )
)
IP_NAMES = "ips?(?:v[46])?|forwarded"
"""These as a name, or as the last word of one: ``user.ip``."""

_SECRET = re.compile(f"(?:.*(?:{SECRET_ENDINGS})|[^a-z0-9]*(?:{SECRET_NAMES})){GAP}", re.DOTALL)
_EMAIL = re.compile(f".*(?:{EMAIL_ENDINGS}){GAP}", re.DOTALL)
_IP = re.compile(f".*(?:{IP_ENDINGS}|(?<![a-z0-9])(?:{IP_NAMES})){GAP}", re.DOTALL)
_LAST_WORDS = (
    *("token", "secret", "secrets", "word", "words", "wd", "wds", "confirm", "confirmation", "hash", "digest", "base"),
    *("header", "%5d", "key", "authorization", "cookie", "cookies", "id", "credential", "credentials"),
    *("url", "signature", "auth", "bearer", "jwt", "pass", "pw", "otp", "csrf", "xsrf", "phrase"),
    *("mail", "mails", "address", "addresses", "addr", "ip", "ips", "v4", "v6", "for", "forwarded"),
)
"""What such a name ends in, unless it ends in a separator: a quick no for nearly every name."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_CHARS_MAX = 120
QUERY_NAMES = "sig|key"
"""In the query of a URL these are names of credentials too, where their value looks like one."""
_QUERY_NAMES = frozenset(QUERY_NAMES.split("|"))
_QUERY_CHARS_MIN = 16
_DIGIT = re.compile("[0-9]")
_GRANT = re.compile(r"(?![A-Z0-9_]+\Z)(?=[^\s]*\d)[\w+/=~.-]{16,512}", re.ASCII)


def secret_name(name: str) -> bool:
    """Whether what stands under this name is a credential, however the name is spelled.

    ``Set-Cookie``, ``X-Api-Key``, ``access_token``, ``installUrl`` and ``DB_PASSWORD`` all are.
    """
    return _kind(name[-_NAME_CHARS_MAX:].lower()) == "secret"


def personal_name(name: str) -> Personal | None:
    """Whether an e-mail or an IP address stands under this name, such as ``user.email`` or ``X-Forwarded-For``."""
    kind = _kind(name[-_NAME_CHARS_MAX:].lower())
    return None if kind is None or kind == "secret" else kind


@lru_cache(4_096)  # names repeat from event to event
def _kind(lowered: str) -> Literal["secret", "email", "ip", "name"] | None:
    if lowered == "user.name":
        return "name"
    if not lowered.endswith(_LAST_WORDS) and lowered[-1:] in _LETTERS:
        return None
    if _SECRET.fullmatch(lowered):
        return "secret"
    if _EMAIL.fullmatch(lowered):
        return "email"
    return "ip" if _IP.fullmatch(lowered) and not lowered.startswith("server") else None


def grant_code(value: object) -> bool:
    """Whether the value of a ``code`` looks like a one-time OAuth grant rather than an error's code."""
    return isinstance(value, str) and _GRANT.fullmatch(value) is not None


def query_secret(name: str, value: str) -> bool:
    """Whether a parameter of a URL's query is a signature or a key, not a name to sort by."""
    return name.lower() in _QUERY_NAMES and len(value) >= _QUERY_CHARS_MIN and _DIGIT.search(value) is not None
