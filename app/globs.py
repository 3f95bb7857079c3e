"""The one glob language of the tenants file: ``when``, ``allow`` and ``drop_paths``. Pure.

``*`` stands for any text and ``?`` for one character; every other character is itself, brackets too, since alert rules
are called ``[P1] checkout``. Case does not matter, as in Splunk's own searches. RE2 reads a value once, whatever the
pattern, so that no value can make a pattern slow.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import re2

VALUE_CHARS_MAX: Final = 1000
"""Characters of a value that are compared; longer ones are cut."""
_PATTERN_BYTES_MAX: Final = 1 << 20
"""Memory of one compiled pattern, in bytes; RE2's own default is eight times as much."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern, compiled once. Equal to another of the same text."""

    pattern: str
    _folded: str = field(init=False, compare=False, repr=False)
    _compiled: Any = field(init=False, compare=False, repr=False)
    """``None`` where the pattern has no ``*`` or ``?``: comparing will do."""

    def __post_init__(self) -> None:
        """Compile it."""
        folded = self.pattern.casefold()
        object.__setattr__(self, "_folded", folded)
        object.__setattr__(self, "_compiled", _compiled(folded) if "*" in folded or "?" in folded else None)

    def matches(self, value: str) -> bool:
        """Whether the first ``VALUE_CHARS_MAX`` characters of ``value`` are what the pattern says."""
        folded = value[:VALUE_CHARS_MAX].casefold()
        if self._compiled is None:
            return folded == self._folded
        return self._compiled.fullmatch(folded.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=4096)
def glob(pattern: str) -> Glob:
    """The glob of this text, compiled at the first call. For patterns that are put together from parts."""
    return Glob(pattern)


def _compiled(folded: str) -> Any:  # noqa: ANN401 - the engine has no types of its own
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.max_mem = _PATTERN_BYTES_MAX
    parts = (".*" if char == "*" else "." if char == "?" else re2.escape(char) for char in folded)
    return re2.compile("".join(parts), options)
