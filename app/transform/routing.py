"""Which route a hook takes. Index, sourcetype and hec_source come from the tenants file, never from a payload."""

from collections.abc import Mapping, Sequence

from app.tenants.model import Match, Route

Facts = Mapping[str, tuple[str, ...]]
"""What a hook is, by the keys a condition may have; several values where it is several things at once."""

_VALUE_CHARS_MAX = 1000


def pick(routes: Sequence[Route], facts: Facts) -> Route | None:
    """The first route whose every condition holds; ``None`` if there is none."""
    return next((route for route in routes if _holds(route.when, facts)), None)


def matches(pattern: str, value: str) -> bool:
    """Whether a value is the pattern, in any case; ``*`` stands for any text and ``?`` for one character.

    Square brackets are plain characters: alert rules are called ``[P1] checkout``. Costs at most the product of
    the two lengths, whatever they are.
    """
    pattern, value = pattern.casefold(), value[:_VALUE_CHARS_MAX].casefold()
    if pattern == value:
        return True
    if "*" not in pattern and "?" not in pattern:
        return False
    return _glob(pattern, value)


def _holds(when: Match, facts: Facts) -> bool:
    return all(
        any(matches(pattern, value) for pattern in wanted for value in facts.get(key, ()))
        for key, wanted in when.conditions.items()
    )


def _glob(pattern: str, value: str) -> bool:
    """The two-pointer match: on a mismatch only the last star is tried again, one character further."""
    at = read = 0
    star, resume = -1, 0
    while read < len(value):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, read
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", value[read]):
            at += 1
            read += 1
        elif star >= 0:
            resume += 1
            at, read = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")
