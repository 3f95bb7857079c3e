"""The admin token: named by a reference, never shown, read again when its file changes."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

import structlog

from app.errors import ConfigError
from app.model import Secret
from app.secrets.references import FileVersion, References, mark_of

TOKEN_BYTES_MIN: Final = 16
LOOK_AGAIN_S: Final = 1.0
"""The file is looked at this often at most."""

_log = structlog.get_logger()


class AdminToken:
    """The token in force. Made by ``AdminToken.load``."""

    def __init__(self, secret: Secret, *, environ: Mapping[str, str], mark: FileVersion | None) -> None:
        self._environ = environ
        self._secret = secret
        self._digest = hashlib.sha256(secret.value).digest()
        self._mark = mark
        self._look_at = 0.0
        self._problem = ""

    @classmethod
    def load(cls, reference: str, *, environ: Mapping[str, str]) -> Self:
        """Resolve ``env:NAME`` or ``file:PATH`` (relative to the working folder).

        Raises:
            ConfigError: it cannot be resolved, or is shorter than ``TOKEN_BYTES_MIN``. The text holds no value.
        """
        try:
            secret, mark = _read(reference, environ)
        except ConfigError as error:
            raise ConfigError(f"RELAY_ADMIN_TOKEN: {reference}: {error}") from None
        return cls(secret, environ=environ, mark=mark)

    def matches(self, given: bytes, *, clock: Callable[[], float] = time.monotonic) -> bool:
        """Whether ``given`` is the token; takes the same time whatever is wrong with it."""
        self._follow(clock())
        return hmac.compare_digest(hashlib.sha256(given).digest(), self._digest)

    def digest(self, *, clock: Callable[[], float] = time.monotonic) -> bytes:
        """SHA-256 of the token in force: what keys are derived from."""
        self._follow(clock())
        return self._digest

    def _follow(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_S
            self._look()

    def _look(self) -> None:
        """Take a changed file's token; one that will not do leaves the one before it in force."""
        reference = self._secret.name
        if not reference.startswith("file:"):
            return
        mark = mark_of(References(self._environ, Path()).path(reference))
        if mark == self._mark:
            return
        try:
            self._secret, self._mark = _read(reference, self._environ)
        except ConfigError as error:
            self._mark = mark
            _log.warning("secret.unresolved", problem=f"RELAY_ADMIN_TOKEN: {reference}: {error}")
            return
        digest = hashlib.sha256(self._secret.value).digest()
        if digest != self._digest:
            self._digest = digest
            _log.info("secrets.rotated", secrets=[reference], count=1)


def _read(reference: str, environ: Mapping[str, str]) -> tuple[Secret, FileVersion | None]:
    references = References(environ, Path())
    value = references.resolve(reference)
    if len(value) < TOKEN_BYTES_MIN:
        raise ConfigError(f"the token has to have at least {TOKEN_BYTES_MIN} bytes; `openssl rand -hex 32` makes one")
    return Secret(reference, value), next(iter(references.marks.values()), None)
