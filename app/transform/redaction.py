"""Takes credentials out of what is about to leave, at any depth, for any resource.

Two looks: ``redact`` walks values (keys, lists of header pairs, ``{"name", "value"}`` objects, every string);
``scrub`` reads text, which may be a URL, a log line, or JSON that nobody could parse. No pattern here can
backtrack: runs are possessive or bounded, and every match starts at the beginning of a run.
"""

import re
from collections.abc import Callable

from app.transform.secret_names import FILTERED, grant_code, secret_name

LEVELS_MAX = 60
"""How deep a kept payload may nest; orjson writes 254 levels, and no real payload has 30."""

_INSTALLATIONS = frozenset({"installation", "installations"})
_HINTS = (
    "token",
    "secret",
    "pass",
    "pwd",
    "auth",
    "jwt",
    "cookie",
    "session",
    "credential",
    "signature",
    "installurl",
    "bearer ",
    "basic ",
    "splunk ",
    "digest ",
    *(name + mark for name in ("sid", "key") for mark in "=:\"'\\"),
    *('"code"', '"code\\', "'code'", "code="),
    "\\u00",
    "@",
)
"""Every credential stands beside one of these words: what holds none needs no closer look."""
_HINT_BYTES = tuple((hint, hint.encode()) for hint in _HINTS)

# A quoted key and its colon, in JSON, in JSON inside a JSON string, or in a Python repr.
_QUOTED_KEY = re.compile(r"""(?<!\w)\\{0,4}+["']([\w.\\-]{1,120}+)["']\s{0,8}+:\s{0,8}+""", re.ASCII)
# The same, or the first of a pair: ["Authorization", "..."] where nobody could parse the list.
_QUOTED_NAME = re.compile(
    r"""(?:(?<!\w)\\{0,4}+["']([\w.\\-]{1,120}+)["']\s{0,8}+:|\[\s{0,8}+\\{0,4}+["']([\w.\\-]{1,120}+)["']\s{0,8}+,)\s{0,8}+""",
    re.ASCII,
)
_SAID_NAME = re.compile(r"""\\{0,4}+["']([\w.\\-]{1,120}+)""", re.ASCII)
_NEAR = 300
"""How far a "value" may stand behind the "name" it belongs to."""
# name=value in a query, a form, a cookie or a log line.
_ASSIGNED = re.compile(r"""(?<![\w.%-])([\w.%-]{1,120}+)(=)([^&\s"'<>#;,]++)""", re.ASCII)
# A header spelled out in text. Plain words before a colon ("Unexpected token: <") are no headers.
_HEADER = re.compile(
    r"""(?<![\w-])(cookie|authorization|(?:[\w]{1,30}+-){1,6}+[\w]{1,30}+)(:[ \t]{0,8}+)([^\r\n"']++)""",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"""\b(Bearer|Basic|Splunk|Digest)([ \t]{1,4}+)([\w.~+/=:-]{6,}+)""", re.IGNORECASE | re.ASCII)
_USER_INFO = re.compile(r"""(://)([^/\s:@?#]{0,200}+:)([^/\s@?#]{1,200}+)(?=@)""")
_USER_INFO_BYTES = re.compile(rb"""://[^/\s"@]{1,400}+@""")
_STRING = {'"': re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL), "'": re.compile(r"'(?:[^'\\]++|\\.)*+'?", re.DOTALL)}
_ESCAPED_STRING = re.compile(r"""\\{1,4}+["'][^"']*+["']?""")
_PLAIN_VALUE = re.compile(r"[^,}\]\r\n]*+")
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


class TooDeep(Exception):  # noqa: N818 - says what it found; it never leaves ``transform``
    """A value nests deeper than ``LEVELS_MAX``."""


def hints_in(encoded: bytes) -> tuple[str, ...]:
    """The words in some JSON beside which a credential could stand; none: there is nothing to take out."""
    lowered = encoded.lower()
    found = tuple(hint for hint, spelled in _HINT_BYTES if spelled in lowered)
    # Releases are called "shop@1.2": an @ alone is no user-info.
    return () if found == ("@",) and not _USER_INFO_BYTES.search(encoded) else found


def redact(value: object, hints: tuple[str, ...] = _HINTS, *, within: str = "", level: int = 0) -> object:
    """A copy without credentials.

    ``hints``: what ``hints_in`` found in the JSON of the whole. ``within``: the key the value stands under.

    Raises:
        TooDeep: it nests deeper than ``LEVELS_MAX``.
    """
    if isinstance(value, str):
        return scrub(value, hints)
    if not isinstance(value, dict | list):
        return value
    if level >= LEVELS_MAX:
        raise TooDeep
    if isinstance(value, list):
        if _is_secret_pair(value):
            return [value[0], FILTERED, *(redact(each, hints, level=level + 1) for each in value[2:])]
        return [redact(each, hints, within=within, level=level + 1) for each in value]
    named = _secret_entry(value)
    return {
        scrub(key, hints): FILTERED
        if _withheld(key, each, within, named=named)
        else redact(each, hints, within=key, level=level + 1)
        for key, each in value.items()
    }


def scrub(text: str, hints: tuple[str, ...] = _HINTS, *, broken: bool = False) -> str:
    """The text without the credentials in it: JSON pairs, assignments, headers, schemes, user-info of URLs.

    ``broken``: the text is a payload that could not be parsed, so that any ``code`` may be an installation's.
    """
    lowered = text.lower()
    for hint in hints:
        if hint in lowered:
            break
    else:
        return text
    if '"' in text or "'" in text:
        text = _scrub_pairs(text, broken=broken)
    if "=" in text:
        text = _ASSIGNED.sub(_by_name, text)
    if ":" in text:
        text = _HEADER.sub(_by_name, text)
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(rf"\1\2{FILTERED}", text)
    return _SCHEME.sub(_by_look, text)


def _withheld(key: str, value: object, within: str, *, named: bool) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return False
    if key.lower() == "code":
        return within.lower() in _INSTALLATIONS or grant_code(value)
    return secret_name(key) or (named and key == "value")


def _is_secret_pair(value: list[object]) -> bool:
    """``["Authorization", "..."]``: how Sentry writes headers, cookies and query strings."""
    if len(value) < 2 or not isinstance(value[0], str) or not isinstance(value[1], str | list):  # noqa: PLR2004 - a pair
        return False
    return secret_name(value[0]) or (value[0].lower() == "code" and grant_code(value[1]))


def _secret_entry(value: dict[str, object]) -> bool:
    """``{"name": "Authorization", "value": "..."}``: how Sentry writes settings."""
    name = value.get("name", value.get("key"))
    return "value" in value and isinstance(name, str) and secret_name(name)


def _by_name(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    if secret_name(name) or (name.lower() == "code" and grant_code(value)):
        return f"{name}{between}{FILTERED}"
    return found[0]


def _by_look(found: re.Match[str]) -> str:
    """``Bearer eyJ0...`` but not ``Basic authentication``: a credential has a digit or is long."""
    scheme, blank, value = found.groups()
    long = 20
    if len(value) >= long or any(each.isdigit() for each in value):
        return f"{scheme}{blank}{FILTERED}"
    return found[0]


def _scrub_pairs(text: str, *, broken: bool) -> str:
    """Quoted names with their values, whatever the value is and even if the text breaks off within it."""
    pieces: list[str] = []
    done = 0
    named = -1
    for found in (_QUOTED_NAME if broken else _QUOTED_KEY).finditer(text):
        if found.start() < done:
            continue
        name = _UNICODE_ESCAPE.sub(_unescape, found[found.lastindex or 1]).strip("\\").lower()
        if (
            name in ("name", "key")
            and (said := _SAID_NAME.match(text, found.end()))
            and secret_name(said[1].strip("\\"))
        ):
            named = found.end()
        is_value = name == "value" and 0 <= found.start() - named <= _NEAR
        if not is_value and name != "code" and not secret_name(name):
            continue
        end = _value_end(text, found.end())
        value = text[found.end() : end].strip()
        if value in ("", "null", "true", "false") or (name == "code" and not _may_be_grant(value, broken=broken)):
            continue
        quote = '\\"' if value[0] == "\\" else '"'
        pieces += (text[done : found.end()], quote, FILTERED, quote)
        done = end
    return "".join((*pieces, text[done:]))


def _may_be_grant(value: str, *, broken: bool) -> bool:
    return grant_code(value.strip("\\\"'")) or (broken and not value.isdecimal())


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _value_end(text: str, start: int) -> int:
    first = text[start : start + 1]
    if first in _STRING:
        return _end(_STRING[first].match, text, start)
    if first == "\\":
        return _end(_ESCAPED_STRING.match, text, start)
    if first not in ("[", "{"):
        return _end(_PLAIN_VALUE.match, text, start)
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(text, start):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth == 0:
            return found.end()
    return len(text)


def _end(match: Callable[[str, int], re.Match[str] | None], text: str, start: int) -> int:
    found = match(text, start)
    return found.end() if found else start
