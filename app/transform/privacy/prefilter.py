"""One quick look at a whole event: does anything in it need a closer one?

Nearly no event holds a credential or somebody's address, and looking at each of its texts costs more than all the
rest of the transformation. So its JSON is searched once, by an engine that reads every byte once (RE2). What is
found here may be innocent; what is innocent here has nothing to take out (a test holds ``redact`` to that).
"""

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


def may_contain_secret(encoded: bytes, *, personal: bool) -> bool:
    """Whether some event's JSON may hold a credential, a NUL or, if ``personal``, somebody's address.

    E-mail addresses are seen by their name and by their look, IP addresses by their name only.
    """
    return (_PERSONAL if personal else _IMPERSONAL).Match(encoded) is not None


def _pattern(*, personal: bool) -> re2.Set:
    """A set of one pattern: it is asked whether, and not where, which takes fewer steps in Python."""
    names = [SECRET_ENDINGS, SECRET_NAMES]
    if personal:
        names += [EMAIL_ENDINGS, IP_ENDINGS, f"{BORDER}(?:{IP_NAMES})"]
    looks = (*_LOOKS, _EMAIL) if personal else _LOOKS
    pattern = re2.Set.SearchSet()
    secrets = f"(?:{SECRET_ENDINGS}|{SECRET_NAMES})"
    written = (
        f"(?:{'|'.join(names)}){GAP}(?:[=:>]|%3[ad])",
        rf"{secrets}(?:'|\\+\"),\s*b?(?:'|\\+\")",
        rf"--[\w-]*{secrets}",
    )
    pattern.Add("(?i)" + "|".join((*written, *looks)))
    pattern.Compile()
    return pattern


_PERSONAL, _IMPERSONAL = _pattern(personal=True), _pattern(personal=False)
