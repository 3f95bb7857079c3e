"""Reads text for credentials and addresses: URLs, log lines, JSON that nobody could parse.

No pattern here can backtrack: runs are possessive or bounded, and every match starts at the beginning of a run.
"""

import re
from collections.abc import Callable
from functools import partial

from app.transform.personal import Standing
from app.transform.secret_names import FILTERED, grant_code, personal_name, query_secret, secret_name
from app.transform.shapes import without_keys, without_tokens

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
_ASSIGNED = re.compile(r"""(?<![\w.%-])([\w.%-]{1,120}+)=""", re.ASCII)
_ASSIGNED_VALUE = re.compile(r"""[^&\s"'<>#;,]++""")
# A header spelled out in text. Plain words before a colon ("Unexpected token: <") are no headers.
_HEADER = re.compile(
    r"""(?<![\w-])(cookie|authorization|(?:[\w]{1,30}+-){1,6}+[\w]{1,30}+):[ \t]{0,8}+""", re.IGNORECASE | re.ASCII
)
_HEADER_VALUE = re.compile(r"""[^\r\n"']++""")
# "name: value" in words, with a blank: ``#<Token:0x0055...>`` is Ruby's, ``auth:8080`` a host.
_SAID = re.compile(
    r"""(?<![\w.%-])((?:(?:api|access|secret|private|auth|session)[ ])?[\w.%-]{1,120}+)[ \t]{0,8}+:[ \t]{1,8}+"""
    r"""\\{0,4}+["']?+""",
    re.IGNORECASE | re.ASCII,
)
_SAID_VALUE = re.compile(r"""[^\s"'<>\\](?:[^\s"'\\]|\\(?!["'nrt])){7,}+""")
_DIGIT = re.compile("[0-9]")
_GLANCE = 200
"""How much of a value is looked at before it is known that it goes: in it may be names with values again."""
_SCHEME = re.compile(r"""\b(Bearer|Basic|Splunk|Digest)([ \t]{1,4}+)([\w.~+/=:-]{6,}+)""", re.IGNORECASE | re.ASCII)
# Of a URL, also of one that was cut before its end; without a colon only what is as long as a credential.
_USER_INFO = re.compile(r"""(://)(?:([^/\s:@?#]{0,200}+:)([^/\s@?#…]{1,400}+)(?=[@…])|([^/\s:@?#]{20,400}+)(?=@))""")
_STRING = {'"': re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL), "'": re.compile(r"'(?:[^'\\]++|\\.)*+'?", re.DOTALL)}
_ESCAPED_STRING = re.compile(r"""\\{1,4}+["'][^"']*+["']?""")
_PLAIN_VALUE = re.compile(r"[^,}\]\r\n]*+")
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_Instead = Callable[[re.Match[str], str], str | None]
"""What stands in place of a value behind this name; ``None``: it stays."""
_NOTHING = frozenset({"", "null", "none", "true", "false"})
"""What tells that there is no credential, in lower case."""


def scrub(text: str, standing: Standing, *, broken: bool = False, query: bool = False) -> str:
    """The text without what must not leave: JSON pairs, assignments, headers, schemes, user-info of URLs, known shapes.

    ``broken``: the text is a payload that could not be parsed, so that any ``code`` may be an installation's.
    ``query``: it is the query of a URL, without its question mark.
    """
    text = without_keys(text)  # before its first word is taken for a value of its own
    if '"' in text or "'" in text:
        text = _scrub_pairs(text, standing, broken=broken)
    if "=" in text:
        text = _by_names(_ASSIGNED, _ASSIGNED_VALUE, text, partial(_assigned, standing=standing, query=query))
    if ":" in text:
        text = _by_names(_HEADER, _HEADER_VALUE, text, partial(_named, standing=standing))
        if ": " in text or ":\t" in text:
            text = _by_names(_SAID, _SAID_VALUE, text, _said)
        if "://" in text and ("@" in text or "…" in text):
            text = _USER_INFO.sub(lambda found: f"://{found[2] or ''}{FILTERED}", text)
    if " " in text or "\t" in text:
        text = _SCHEME.sub(_by_look, text)
    return without_tokens(text)


def _by_names(names: re.Pattern[str], values: re.Pattern[str], text: str, instead: _Instead) -> str:
    """The text with what ``instead`` puts in place of a value. A value that stays may hold names of its own."""
    pieces: list[str] = []
    done = 0
    for found in names.finditer(text):
        start = found.end()
        if start < done or (value := values.match(text, start, start + _GLANCE)) is None:
            continue
        if (put := instead(found, value[0])) is None:
            continue
        end = value.end()
        if end == start + _GLANCE:
            end = _end(values.match, text, start)
            put = instead(found, text[start:end]) or put
        pieces += (text[done:start], put)
        done = end
    return "".join((*pieces, text[done:])) if pieces else text


def _assigned(found: re.Match[str], value: str, *, standing: Standing, query: bool) -> str | None:
    """``name=value``; in a query, a short name may be a credential's too."""
    start = found.start()
    in_query = found.string.endswith(("?", "&", "&amp;"), 0, start) if start else query
    if in_query and query_secret(found[1], value):
        return FILTERED
    return _named(found, value, standing=standing)


def _said(found: re.Match[str], value: str) -> str | None:
    """``password: hunter22`` but not ``Unexpected token: foo``: a credential has a digit."""
    return FILTERED if _DIGIT.search(value) and secret_name(found[1]) else None


def _named(found: re.Match[str], value: str, *, standing: Standing) -> str | None:
    name = found[1]
    if value.rstrip(")]}.,:").lower() in _NOTHING:
        return None
    if secret_name(name) or (name.lower() == "code" and grant_code(value)):
        return FILTERED
    return standing.in_place_of(name, value)


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
    if value.lower() in _NOTHING:
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
