"""Reads text for credentials and addresses: URLs, log lines, JSON that nobody could parse.

No pattern here can backtrack: runs are possessive or bounded, and every match starts at the beginning of a run.
"""

import re
from collections.abc import Callable

from app.transform.personal import Standing
from app.transform.secret_names import FILTERED, grant_code, personal_name, secret_name

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
# Of a URL, also of one that was cut before its end; without a colon only what is as long as a credential.
_USER_INFO = re.compile(r"""(://)(?:([^/\s:@?#]{0,200}+:)([^/\s@?#…]{1,400}+)(?=[@…])|([^/\s:@?#]{20,400}+)(?=@))""")
_STRING = {'"': re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL), "'": re.compile(r"'(?:[^'\\]++|\\.)*+'?", re.DOTALL)}
_ESCAPED_STRING = re.compile(r"""\\{1,4}+["'][^"']*+["']?""")
_PLAIN_VALUE = re.compile(r"[^,}\]\r\n]*+")
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def scrub(text: str, standing: Standing, *, broken: bool = False) -> str:
    """The text without what must not leave: JSON pairs, assignments, headers, schemes, user-info of URLs.

    ``broken``: the text is a payload that could not be parsed, so that any ``code`` may be an installation's.
    """
    if '"' in text or "'" in text:
        text = _scrub_pairs(text, standing, broken=broken)
    if "=" in text:
        text = _ASSIGNED.sub(lambda found: _by_name(found, standing), text)
    if ":" in text:
        text = _HEADER.sub(lambda found: _by_name(found, standing), text)
        if "://" in text and ("@" in text or "…" in text):
            text = _USER_INFO.sub(lambda found: f"://{found[2] or ''}{FILTERED}", text)
    return _SCHEME.sub(_by_look, text) if " " in text or "\t" in text else text


def _by_name(found: re.Match[str], standing: Standing) -> str:
    name, between, value = found.groups()
    if secret_name(name) or (name.lower() == "code" and grant_code(value)):
        return f"{name}{between}{FILTERED}"
    instead = standing.in_place_of(name, value)
    return found[0] if instead is None else f"{name}{between}{instead}"


def _by_look(found: re.Match[str]) -> str:
    """``Bearer eyJ0...`` but not ``Basic authentication``: a credential has a digit or is long."""
    scheme, blank, value = found.groups()
    long = 20
    if len(value) >= long or any(each.isdigit() for each in value):
        return f"{scheme}{blank}{FILTERED}"
    return found[0]


def _scrub_pairs(text: str, standing: Standing, *, broken: bool) -> str:
    """Quoted names with their values, whatever the value is and even if the text breaks off within it."""
    pieces: list[str] = []
    done = 0
    named = ("", -1)
    for found in (_QUOTED_NAME if broken else _QUOTED_KEY).finditer(text):
        if found.start() < done:
            continue
        name = _UNICODE_ESCAPE.sub(_unescape, found[found.lastindex or 1]).strip("\\").lower()
        if name in ("name", "key") and (said := _SAID_NAME.match(text, found.end())):
            named = (said[1].strip("\\"), found.end())
        if name == "value" and 0 <= found.start() - named[1] <= _NEAR:
            name = named[0]
        if not _concerned(name, text[found.end() : found.end() + 1], broken=broken):
            continue
        end = _value_end(text, found.end())
        instead = _instead(name, text[found.end() : end].strip(), standing, broken=broken)
        if instead is None:
            continue
        pieces += (text[done : found.end()], instead)
        done = end
    return "".join((*pieces, text[done:]))


def _concerned(name: str, begins: str, *, broken: bool) -> bool:
    """Whether the end of a value is worth looking for: of objects and lists only if it is certain to go."""
    if secret_name(name) or (broken and name == "code"):
        return True
    return begins not in ("[", "{") and (name == "code" or personal_name(name) is not None)


def _instead(name: str, value: str, standing: Standing, *, broken: bool) -> str | None:
    """What stands in place of a value as it is spelled in the text, quotes included."""
    if value in ("", "null", "true", "false"):
        return None
    quote = '\\"' if value[0] == "\\" else '"'
    if secret_name(name) or (name == "code" and _may_be_grant(value, broken=broken)):
        return f"{quote}{FILTERED}{quote}"
    bare = value.strip("\\\"'")
    instead = standing.in_place_of(name, bare)
    return None if instead is None else f"{quote}{instead}{quote}"


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
