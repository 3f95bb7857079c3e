"""Cuts the text of a search: into commands, into arguments, into names."""

import re
from collections.abc import Iterator

from tests.spl.faults import Fault

_PAIRS = {"(": ")", "[": "]"}


def _top_level(text: str) -> Iterator[tuple[int, str]]:
    """Each character outside quotes and brackets with its place; ``Fault`` where one of them stays open."""
    open_brackets: list[str] = []
    quote = ""
    skipped = False
    for place, char in enumerate(text):
        if skipped:
            skipped = False
        elif quote:
            skipped, quote = char == "\\", "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _PAIRS:
            open_brackets.append(_PAIRS[char])
        elif open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
        elif char in _PAIRS.values():
            raise Fault(f"a {char} too many in {text!r}")
        elif not open_brackets:
            yield place, char
    if quote or open_brackets:
        raise Fault(f"something stays open in {text!r}: {quote or open_brackets[-1]}")


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside quotes and brackets, without the white space around them."""
    places = [place for place, char in _top_level(text) if char == separator]
    starts = [0, *(place + 1 for place in places)]
    return [text[start:end].strip() for start, end in zip(starts, [*places, len(text)], strict=True)]


def closing(text: str, start: int) -> int:
    """Where the bracket closes that was opened just before ``start``."""
    depth = 1
    quote = ""
    for place in range(start, len(text)):
        char = text[place]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return place
    raise Fault(f"a ( stays open in {text!r}")


def unquoted(text: str) -> str:
    """What a word stands for: without the quotes around it, and without the backslashes of double ones."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def names(text: str) -> list[str]:
    """Fields as commands take them: with commas, white space or both between them."""
    return [unquoted(word) for word in re.findall(r'"[^"]*"|\'[^\']*\'|[^\s,]+', text)]


def options(text: str, *known: str) -> tuple[dict[str, str], str]:
    """The ``name=value`` options of these names, and the text without them."""
    pattern = rf'(?:(?<=\s)|^)({"|".join(known)})=("[^"]*"|\S+)\s*'
    return {name: unquoted(value) for name, value in re.findall(pattern, text)}, re.sub(pattern, "", text).strip()
