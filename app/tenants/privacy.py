"""What a tenant lets pass to its Splunk: values, validated. ``app.transform`` applies them."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import re2

from app.model import Secret

Policy = Literal["keep", "hash", "drop"]
"""What becomes of an e-mail or IP address."""
Detail = Literal["none", "summary", "full"]
"""How much of a hook follows the head of its hec_event."""

MARK: Final = "[Filtered]"
"""Stands in place of what was masked: Sentry's own mark."""
PATTERN_CHARS_MAX: Final = 500
PATTERN_BYTES_MAX: Final = 1 << 20
"""Memory that one pattern may take; RE2's own default is eight times as much."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A pattern whose every match is replaced by ``MARK``.

    The engine is RE2: it reads a text once whatever the pattern, so that no text can make one run for ever
    (RE2's documentation, "Syntax": no back-references, no look-around).
    """

    pattern: str
    compiled: Any = field(compare=False, repr=False)

    def apply(self, text: str) -> str:
        """The text with every match replaced."""
        masked: str = self.compiled.sub(MARK, text)
        return masked


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is taken out besides credentials, which never pass."""

    email: Policy = "drop"
    ip: Policy = "drop"
    name: Policy | None = None
    """Of names of private persons; ``None``: as ``email``."""
    hash_key: Secret | None = None
    """The key of ``hash``. ``None`` where neither policy needs one."""
    drop_paths: tuple[tuple[str, ...], ...] = ()
    masks: tuple[Mask, ...] = ()

    @property
    def personal(self) -> bool:
        """Whether something of a person is taken out: a default that nearly every tenant has."""
        return not (self.email == "keep" and self.ip == "keep" and self.names == "keep")

    @property
    def names(self) -> Policy:
        """What becomes of names of private persons."""
        return self.name or self.email


def mask(pattern: str) -> Mask:
    """The mask of this pattern.

    Raises:
        ValueError: the engine cannot take it, or it would match where nothing stands. The words do not repeat it.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise ValueError(f"is longer than {PATTERN_CHARS_MAX} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES_MAX
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else ""
        what = words.partition(":")[0] or "it does not compile"
        raise ValueError(f"is no pattern of RE2 ({what}); it has no look-around and no back-references") from None
    if compiled.search("") is not None:
        raise ValueError("matches where nothing stands, so it would match everywhere")
    return Mask(pattern, compiled)
