"""Credentials that are known by their look, whatever they stand under.

What issues them begins them with letters of its own, so that they can be found (documentation of each of them on its
tokens' formats; RFC 7519 for JSON web tokens and RFC 7468 for PEM).
"""

import re

from app.transform.privacy.names import FILTERED


def _run(chars: str, least: int) -> str:
    """At least so many of these, or fewer where the text was cut."""
    return f"(?:{chars}{{{least},}}+…?|{chars}++…)"


_WORDS = (
    # A JSON web token. One that was cut may have lost all behind its first dot. Bounded: it may begin within itself.
    ("eyJ[A-Za-z0-9_-]{8}", r"eyJ[\w-]{8,4096}+(?:(?:\.[\w-]*+){2,4}+…?|(?:\.[\w-]*+)?…)"),
    ("gh[pousr]_[A-Za-z0-9]", "gh[pousr]_" + _run("[A-Za-z0-9]", 30)),
    ("github_pat_", "github_pat_" + _run(r"\w", 20)),
    ("A[KS]IA[A-Z0-9]", "A[KS]IA(?:[A-Z0-9]{16}(?![A-Za-z0-9])|[A-Z0-9]{4,15}+…)"),
    ("x(?:ox[abprs]|app)-", "x(?:ox[abprs]|app)-" + _run("[A-Za-z0-9-]", 10)),
    ("[rs]k_live_", "[rs]k_live_" + _run("[A-Za-z0-9]", 10)),
    ("AIza", r"AIza(?:[\w-]{35}(?![\w-])|[\w-]{4,34}+…)"),
    ("sntry[su]_", "sntry[su]_" + _run(r"[\w+/=.-]", 10)),
    ("glpat-", "glpat-" + _run(r"[\w.-]", 20)),
    ("sk-(?:ant|proj)-", "sk-(?:ant|proj)-" + _run(r"[\w-]", 20)),
    ("npm_[A-Za-z0-9]", "npm_" + _run("[A-Za-z0-9]", 30)),
    ("pypi-AgE", "pypi-AgE" + _run(r"[\w-]", 20)),
    ("hf_[A-Za-z]", "hf_" + _run("[A-Za-z0-9]", 30)),
    ("SG[.]", r"SG[.](?:[\w-]{16,}+[.][\w-]{16,}+…?|[\w-]++(?:[.][\w-]*+)?…)"),
    ("ya29[.]", "ya29[.]" + _run(r"[\w-]", 20)),
    ("hvs[.]", "hvs[.]" + _run(r"[\w-]", 20)),
    ("shp(?:at|ca|pa|ss)_", "shp(?:at|ca|pa|ss)_" + _run("[A-Fa-f0-9]", 30)),
    ("hooks[.]slack[.]com/services/", "(?<=hooks[.]slack[.]com/services/)" + _run("[A-Z0-9a-z/]", 20)),
)
"""How each begins, for the quick look, and all of it."""
_KEY_BEGINS = "-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
STARTS = "|".join((_KEY_BEGINS, *(start for start, _ in _WORDS)))
"""What is taken out begins with one of these or stands behind it. A pattern for RE2 and for ``re``; case matters."""
_STARTS = re.compile(STARTS)
CHARS_MIN = 13
"""No token is shorter, unless it was cut."""
_KEY = re.compile(
    _KEY_BEGINS + r"(?: BLOCK)?-----(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|.*)", re.DOTALL
)
# Behind a letter or a digit only where these belong to an escape: of JSON, of Python's repr or of a URL.
_BORDER = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
_WORD = re.compile(f"{_BORDER}(?:{'|'.join(whole for _, whole in _WORDS)})", re.ASCII)


def without_keys(text: str) -> str:
    """The text without private keys in PEM; one that does not end goes to the end of the text."""
    return _KEY.sub(FILTERED, text) if "PRIVATE KEY" in text else text


def without_tokens(text: str) -> str:
    """The text without the tokens and access keys of a known look."""
    if (len(text) < CHARS_MIN and not text.endswith("…")) or not _STARTS.search(text):
        return text
    return _WORD.sub(FILTERED, text)
