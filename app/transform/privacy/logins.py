"""Credentials that stand where only a login stands: behind a scheme, in a URL or in the address of a database."""

import re
from base64 import b64decode

from app.transform.privacy.names import FILTERED
from app.transform.values import CUT

_SCHEME = re.compile(r"""\b(Bearer|Basic|Splunk|Digest)([ \t]{1,4}+)([\w.~+/=:-]{6,}+)""", re.IGNORECASE | re.ASCII)
_LONG = 20
_CHECKSUM = re.compile("(?:sha[0-9]{1,3}|md5)[:=-]", re.IGNORECASE)
_DIGIT = re.compile("[0-9]")
# Of a URL, also of one that was cut before its end; without a colon only what is as long as a credential.
_USER_INFO = re.compile(
    r"""(://)(?:([^/\s:@?#]{0,200}+(?:@[^/\s:@?#]{0,200}+)?:)"""
    r"""([^/\s@?#…]{1,400}+(?:@[^/\s@?#…"'<>]{1,400}+(?=@)){0,4}+)(?=[@…])|([^/\s:@?#]{20,400}+)(?=@))"""
)
_DRIVERS = re.compile(
    r"""((?<![\w.+%-])[\w.+%-]{1,100}+:)[^\s:@/"']{1,200}+(?=@(?:tcp|unix)\()"""  # Go's MySQL: user:password@tcp(host)
    r"""|(\bjdbc:oracle:\w{1,10}+:[^/\s@"']{1,100}+/)[^@\s"']{1,200}+(?=@)"""
)
DRIVER_LOOKS = (r"@(?:tcp|unix)\(", r"\bjdbc:oracle:")
"""For the quick look: a login of these has one of these beside it. Patterns of RE2."""


def without_logins(text: str) -> str:
    """The text without credentials behind a scheme, and without passwords in URLs and addresses of databases."""
    if "@" in text or CUT in text:
        if "://" in text:
            text = _USER_INFO.sub(lambda found: f"://{found[2] or ''}{FILTERED}", text)
        text = _DRIVERS.sub(lambda found: f"{found[1] or found[2]}{FILTERED}", text)
    return _SCHEME.sub(_by_look, text) if " " in text or "\t" in text else text


def _by_look(found: re.Match[str]) -> str:
    """``Bearer eyJ0...`` but not ``Basic authentication``: a credential has a digit, or a user in it, or is long."""
    scheme, blank, value = found.groups()
    gone = len(value) >= _LONG or found.string.startswith(CUT, found.end())
    match scheme.lower():
        case "basic":
            gone = gone or _user_and_password(value)
        case "bearer":
            gone = gone or _DIGIT.search(value) is not None
        case _:  # "Splunk 10.4.0" is a version, "digest sha256:..." a checksum
            gone = gone and not _CHECKSUM.match(value)
    return f"{scheme}{blank}{FILTERED}" if gone else found[0]


def _user_and_password(value: str) -> bool:
    """Whether it is what stands behind ``Basic``: ``user:password`` in base64."""
    try:
        return b":" in b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return False
