"""Reads text for credentials and addresses: URLs, log lines, JSON that nobody could parse.

No pattern here can backtrack: runs are possessive or bounded, and every match starts at the beginning of a run.
"""

import re
from collections.abc import Callable
from functools import partial

from app.transform.privacy.logins import without_logins
from app.transform.privacy.names import FILTERED, grant_code, personal_name, query_secret, secret_name
from app.transform.privacy.personal import AddressPolicy
from app.transform.privacy.tokens import without_keys, without_tokens

# A quoted name before its value, in JSON, in JSON inside a JSON string, in what Python, Ruby and PHP print; the first
# of a pair, ("Authorization", "..."); and the plain one that JavaScript prints, { password: '...' }.
_QUOTED_NAME = re.compile(
    r"""(?:(?:(?<!\w)|(?<![\w.%-])b)\\{0,4}+["']([\w.\\-]{1,120}+)["']\s{0,8}+(?::|=>)\s{0,8}+(?:b(?=["']))?"""
    r"""|[{(,]\s{0,40}+([\w$.-]{1,120}+):\s{1,8}+%?(?=\\{0,4}+["']|[{\[])"""
    r"""|[\[({]\s{0,8}+b?\\{0,4}+["']([\w.\\-]{1,120}+)["']\s{0,8}+,\s{0,8}+(?:b(?=["']))?(?=\\{0,4}+["'\[{]))""",
    re.ASCII,
)
_PAIR = 3
"""The group of the first of a pair."""
_WORD = re.compile("[A-Za-z_]{1,15}")
"""The second of what is no pair but a list of names: ``Missing: ["password", "email"]``."""
_SAID_NAME = re.compile(r"""\\{0,4}+["']([\w.\\-]{1,120}+)""", re.ASCII)
_NEAR = 300
"""How far a "value" may stand behind the "name" it belongs to."""
# name=value in a query, a form, a cookie or a log line; with blanks only before a quote.
_ASSIGNED = re.compile(
    r"""(?<![\w.%-])([\w.%-]{1,120}+)[\[\]]{0,4}+"""
    r"""(?:[ \t]{0,4}+={1,2}+>?[ \t]{0,4}+(?=\\{0,4}+["'])|(?<=\])[ \t]{1,4}+=>[ \t]{1,4}+|=)""",
    re.ASCII,
)
# With its quotes, its brackets (Java's headers), or the scheme before it.
_ASSIGNED_VALUE = re.compile(
    r"""\\{1,4}+["'][^"'\\]*+(?:\\{1,4}+["'])?|"(?:[^"\\]++|\\.)*+"?|'(?:[^'\\]++|\\.)*+'?|\[[^\]\r\n]*+\]?"""
    r"""|(?:(?:basic|bearer|digest|negotiate|splunk|token)[ \t]{1,4}+)?[^&\s"'<>#;,]++""",
    re.DOTALL | re.IGNORECASE,
)
_OPENING = re.compile(r"""\\{0,4}+["']""")
# A header spelled out in text. Plain words before a colon ("Unexpected token: <") are no headers.
_HEADER = re.compile(
    r"""(?:(?<![\w-])|(?<=\\[nrt]))(cookie|authorization|(?:[\w]{1,30}+-){1,6}+[\w]{1,30}+):[ \t]{0,8}+"""
    r"""(?:\\{0,4}+["'])?""",
    re.IGNORECASE | re.ASCII,
)
# To the end of its line; a quote ends it too, but not those of its own parameters.
_HEADER_VALUE = re.compile(r"""(?:[,; \t][\w-]{1,60}+="[^"\r\n]{0,2000}+"|[^\r\n"'])++""")
# "name: value" and "name = value" in words. What follows a colon without a blank may be a port (``auth:8080``), or an
# address of Ruby's (``#<Token:0x0055...>``).
_SAID = re.compile(
    r"""(?<![\w.%-])((?:(?:api|access|secret|private|auth|session)[ ])?[\w.%-]{1,120}+)"""
    r"""(?:[ \t]{0,8}+:(?:[ \t]{1,8}+|(?=[A-Za-z0-9])(?!0x|[0-9]{1,5}(?![\w-])))|[ \t]{1,8}+=[ \t]{1,8}+)"""
    r"""\\{0,4}+["']?+""",
    re.IGNORECASE | re.ASCII,
)
_OPTION = re.compile(r"""(?<![\w-])--([\w-]{1,60}+)(?:[ \t]{1,4}+|["'],[ \t]{0,4}+)["']?+""", re.ASCII)
_SAID_VALUE = re.compile(r"""[^\s"'<>\\](?:[^\s"'\\]|\\(?!["'nrt])){7,}+""")
_DIGIT = re.compile("[0-9]")
# In a URL that is a value of another one: ?next=https%3A%2F%2Fshop%2F%3Ftoken%3D...; and JSON there.
_ENCODED = re.compile(
    r"""(?:(?<=%[0-9A-Fa-f]{2})|(?<![\w.%-]))([\w.-]{1,120}+)(?:%5[BbDd]){0,2}+"""
    r"""(?:%3[Dd]|%22(?:%20|\+)?+%3[Aa](?:%20|\+)?+%22)""",
    re.ASCII,
)
_ENCODED_VALUE = re.compile(r"""(?:[\w.~+!*()/:-]|%(?!0[AaDd]|2[0236Cc]|3[Bb])[0-9A-Fa-f]{2})++""", re.ASCII)
_ELEMENT = re.compile(r"""<([\w:.-]{1,120}+)(?:\s[^<>]{0,200}+)?+>(?=[^<>]{1,4000}+</)""", re.ASCII)
_ELEMENT_VALUE = re.compile(r"[^<>]++")
_ADDRESS_CHARS_MAX = 2_000
"""Of a value that is only taken out if it is an address or a grant: following every one to its end is quadratic."""
_GLANCE = 200
"""How much of a value is looked at before it is known that it goes: in it may be names with values again."""
_STRING = {'"': re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL), "'": re.compile(r"'(?:[^'\\]++|\\.)*+'?", re.DOTALL)}
_ESCAPED_STRING = re.compile(r"""\\{1,4}+["'][^"']*+["']?""")
_PLAIN_VALUE = re.compile(r"[^,}\]\r\n]*+")
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_Instead = Callable[[re.Match[str], str], str | None]
"""What stands in place of a value behind this name; ``None``: it stays."""
_NOTHING = frozenset({"", "null", "none", "true", "false"})
"""What tells that there is no credential, in lower case."""


def scrub(text: str, addresses: AddressPolicy, *, broken: bool = False, query: bool = False) -> str:
    """The text without what must not leave: JSON pairs, assignments, headers, schemes, user-info of URLs, known shapes.

    ``broken``: the text is a payload that could not be parsed, so that any ``code`` may be an installation's.
    ``query``: it is the query of a URL, without its question mark.
    """
    text = without_keys(text)  # before its first word is taken for a value of its own
    if '"' in text or "'" in text:
        text = _scrub_pairs(text, addresses, broken=broken)
    if "=" in text:
        text = _by_names(_ASSIGNED, _ASSIGNED_VALUE, text, partial(_assigned, addresses=addresses, query=query))
    if ":" in text:
        text = _by_names(_HEADER, _HEADER_VALUE, text, partial(_header, addresses=addresses))
        text = _by_names(_SAID, _SAID_VALUE, text, _said)
    elif " = " in text:
        text = _by_names(_SAID, _SAID_VALUE, text, _said)
    if "--" in text:
        text = _by_names(_OPTION, _SAID_VALUE, text, _said)
    if "%3" in text:
        text = _by_names(_ENCODED, _ENCODED_VALUE, text, partial(_named, addresses=addresses))
    if "</" in text:
        text = _by_names(_ELEMENT, _ELEMENT_VALUE, text, partial(_named, addresses=addresses))
    return without_tokens(without_logins(text))


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


def _assigned(found: re.Match[str], value: str, *, addresses: AddressPolicy, query: bool) -> str | None:
    """``name=value``; in a query, a short name may be a credential's too."""
    start = found.start()
    in_query = found.string.endswith(("?", "&", "&amp;"), 0, start) if start else query
    if in_query and query_secret(found[1], value):
        return FILTERED
    return _named(found, value, addresses=addresses)


def _header(found: re.Match[str], value: str, *, addresses: AddressPolicy) -> str | None:
    """A cookie has a name: ``Invalid cookie: expires attribute is malformed`` is none."""
    if "=" not in value and "cookie" in found[1].lower():
        return None
    return _named(found, value, addresses=addresses)


def _said(found: re.Match[str], value: str) -> str | None:
    """``password: hunter22`` but not ``Unexpected token: foo``: a credential has a digit."""
    return FILTERED if _DIGIT.search(value) and secret_name(found[1]) else None


def _named(found: re.Match[str], value: str, *, addresses: AddressPolicy) -> str | None:
    name = found[1]
    if quote := _OPENING.match(value):
        bare = value[quote.end() :].removesuffix(quote[0])
        put = _named(found, bare, addresses=addresses) if bare != FILTERED else None
        return None if put is None else f"{quote[0]}{put}{quote[0]}"
    if value.strip("()[]{}.,:").lower() in _NOTHING:
        return None
    if secret_name(name) or (name.lower() == "code" and grant_code(value)):
        return FILTERED
    return addresses.replacement_for(name, value)


def _scrub_pairs(text: str, addresses: AddressPolicy, *, broken: bool) -> str:
    """Quoted names with their values, whatever the value is and even if the text breaks off within it."""
    pieces: list[str] = []
    done = 0
    named = ("", -1)
    for found in _QUOTED_NAME.finditer(text):
        if found.start() < done:
            continue
        group = found.lastindex or 1
        name = _UNICODE_ESCAPE.sub(_unescape, found[group]).strip("\\").lower()
        if name in ("name", "key") and (said := _SAID_NAME.match(text, found.end())):
            named = (said[1].strip("\\"), found.end())
        if name == "value" and 0 <= found.start() - named[1] <= _NEAR:
            name = named[0]
        if not _concerned(name, text[found.end() : found.end() + 1], broken=broken):
            continue
        certain = secret_name(name) or (broken and name == "code")
        limit = len(text) if certain else min(len(text), found.end() + _ADDRESS_CHARS_MAX)
        end = _value_end(text, found.end(), limit)
        if not certain and end == limit < len(text):
            continue  # longer than any address
        value = text[found.end() : end].strip()
        if group == _PAIR and not broken and _WORD.fullmatch(value.strip("\\\"'")):
            continue
        instead = _instead(name, value, addresses, broken=broken)
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


def _instead(name: str, value: str, addresses: AddressPolicy, *, broken: bool) -> str | None:
    """What stands in place of a value as it is spelled in the text, quotes included."""
    if value.lower() in _NOTHING:
        return None
    quote = '\\"' if value[0] == "\\" else '"'
    if secret_name(name) or (name == "code" and _may_be_grant(value, broken=broken)):
        return f"{quote}{FILTERED}{quote}"
    bare = value.strip("\\\"'")
    instead = addresses.replacement_for(name, bare)
    return None if instead is None else f"{quote}{instead}{quote}"


def _may_be_grant(value: str, *, broken: bool) -> bool:
    return grant_code(value.strip("\\\"'")) or (broken and not value.isdecimal())


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _value_end(text: str, start: int, limit: int) -> int:
    """Where the value ends that begins at ``start``; a plain one is followed no further than ``limit``."""
    first = text[start : start + 1]
    if first in _STRING:
        return _end(_STRING[first].match, text, start)
    if first == "\\":
        return _end(_ESCAPED_STRING.match, text, start)
    if first not in ("[", "{"):
        found = _PLAIN_VALUE.match(text, start, limit)
        return found.end() if found else start
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(text, start):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth == 0:
            return found.end()
    return len(text)


def _end(match: Callable[[str, int], re.Match[str] | None], text: str, start: int) -> int:
    found = match(text, start)
    return found.end() if found else start
