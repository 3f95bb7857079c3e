"""Which names carry credentials. One rule for keys, headers, query parameters and text alike."""

import re

FILTERED = "[Filtered]"
"""Stands in place of what was taken out: Sentry's own mark."""

_ENDINGS = (
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "authorization",
    "cookie",
    "cookies",
    "sessionid",
    "sid",
    "credential",
    "credentials",
    "installurl",
    "signature",
    "xsentryauth",
)
_WHOLE = frozenset({"auth", "jwt", "passphrase"})
_INNOCENT = frozenset({"ssid", "bssid", "essid"})
_LAST = (*{each[-3:] for each in (*_ENDINGS, *_WHOLE)}, "]", "_", "-", ".", " ", ":")
"""What such a name can end in, brackets and separators included. A quick no for nearly every name."""
_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_NAME_CHARS_MAX = 120
_GRANT = re.compile(r"(?=[^\s]*\d)[\w+/=~.-]{16,512}", re.ASCII)


def secret_name(name: str) -> bool:
    """Whether what stands under this name is a credential, however the name is spelled.

    ``Set-Cookie``, ``X-Api-Key``, ``access_token``, ``installUrl`` and ``DB_PASSWORD`` all are.
    """
    if len(name) > _NAME_CHARS_MAX:
        name = name[-_NAME_CHARS_MAX:]
    lowered = name.lower()
    if not lowered.endswith(_LAST):
        return False
    bare = _NOT_ALNUM.sub("", lowered)
    return bare in _WHOLE or (bare.endswith(_ENDINGS) and bare not in _INNOCENT)


def grant_code(value: object) -> bool:
    """Whether the value of a ``code`` looks like a one-time OAuth grant rather than an error's code."""
    return isinstance(value, str) and _GRANT.fullmatch(value) is not None
