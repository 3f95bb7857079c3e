"""One quick look at a whole event: does anything in it need a closer one, and where?

Nearly no event holds a credential or somebody's address, and looking at each of its texts costs more than all the
rest of the transformation. So its JSON is searched once, by an engine that reads every byte once (RE2). What is
found here may be innocent; what is innocent here has nothing to take out (a test holds ``redact`` to that).
"""

from itertools import islice
from typing import Any

import re2

from app.transform.privacy.logins import DRIVER_LOOKS
from app.transform.privacy.names import (
    BORDER,
    EMAIL_ENDINGS,
    GAP,
    IP_ENDINGS,
    IP_NAMES,
    QUERY_NAMES,
    SECRET_ENDINGS,
    SECRET_NAMES,
)
from app.transform.privacy.tokens import STARTS

FINDINGS_MAX = 3_000
"""Findings that are told apart: more of them cost more than looking at everything."""
_PATTERN_BYTES_MAX = 32 << 20
"""Memory of the engine for a pattern: with less it falls back to a way that is many times as slow."""
_LOOKS = (
    r"(?:^|[^\w.%-])code[\\\"'\s]*[=:]",
    r"\b(?:bearer|basic|splunk|digest)(?: |\\t)+[\w.~+/=:-]{6}",
    r"://(?:[^/\s:@?#]*@)?[^/\s:@?#]*:[^/\s@?#]+[@…]",
    r"://[^/\s:@?#\"]{20,}@",
    r"\\\\u00[0-9a-f]",
    r"\\u0000",
    rf"(?:[?&]|&amp;|\"query(?:_string)?\":\")(?:{QUERY_NAMES})=",
    *DRIVER_LOOKS,
    f"(?-i:{STARTS})",
)
"""A grant, a credential by its scheme, user-info of a URL, JSON in JSON whose names are escaped, a NUL, a credential of
a URL's query, a login of a driver, one by its look. No border before a look: in JSON, a letter before it may be that
of an escape.
"""

_EMAIL = r"(?:@|%40)[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}|[^\s\"/(@](?:@|%40)[a-z\x{80}-\x{10ffff}]"
"""The end of an e-mail address, or where any may begin it, as of ``root@localhost``. Of a release (``shop@2.4.1``) or a
package (``/@sentry/core``) it is none.
"""


_NAMES = r"\"user\.name\""
_IN_PAYLOADS = (
    r"\"_meta\":",
    r"\"(?:user|feedback)\":",
    rf"\"(?:{QUERY_NAMES})\",\"",
    r"\"(?:name|key)\":\"[^\"]*(?:%s)%s\"",
    r"(?:%s)%s\",[\"\[]",
)
"""Only payloads have these: Sentry's remarks, people, pairs of a name and a value in one list or in one object."""


def may_contain_secret(encoded: bytes, *, personal: bool) -> bool:
    """Whether some event's JSON may hold a credential, a NUL or, if ``personal``, somebody's address or name.

    E-mail addresses are seen by their name and by their look, IP addresses and names by their name only.
    """
    return (_PERSONAL if personal else _IMPERSONAL).Match(encoded) is not None


def findings(encoded: bytes, *, personal: bool, payload: bool = False) -> list[tuple[int, int]]:
    """Where in the JSON of an event, or of a payload, anything of that may be: bytes from and up to."""
    return [found.span() for found in islice(_PATTERNS[personal, payload].finditer(encoded), FINDINGS_MAX)]


def _looks(*, personal: bool, payload: bool) -> str:
    names = [SECRET_ENDINGS, SECRET_NAMES]
    if personal:
        names += [EMAIL_ENDINGS, IP_ENDINGS, f"{BORDER}(?:{IP_NAMES})"]
    looks: tuple[str, ...] = (*_LOOKS, _EMAIL, _NAMES) if personal else _LOOKS
    secrets, any_name = f"(?:{SECRET_ENDINGS}|{SECRET_NAMES})", "|".join(names)
    written = (
        f"(?:{any_name}){GAP}(?:[=:>]|%3[ad])",
        rf"{secrets}(?:'|\\+\"),\s*b?(?:'|\\+\")",
        rf"--[\w-]*{secrets}",
    )
    if payload:
        looks += tuple(look % ((any_name, GAP) if "%s" in look else ()) for look in _IN_PAYLOADS)
    return "(?i)" + "|".join((*written, *looks))


def _whether(pattern: str) -> re2.Set:
    """A set of one pattern: it is asked whether, and not where, which takes fewer steps in Python."""
    whether = re2.Set.SearchSet()
    whether.Add(pattern)
    whether.Compile()
    return whether


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - RE2 has no name for its type
    options = re2.Options()
    options.max_mem = _PATTERN_BYTES_MAX
    return re2.compile(pattern, options)


_PERSONAL, _IMPERSONAL = (_whether(_looks(personal=personal, payload=False)) for personal in (True, False))
_PATTERNS = {
    (personal, payload): _compiled(_looks(personal=personal, payload=payload))
    for personal in (True, False)
    for payload in (True, False)
}
