"""What a wrong admin token gets: a late answer, and beyond a few at once a refusal.

A right token is never made to wait because of others' wrong ones, and neither the log nor the processor is theirs.
"""

import asyncio
from typing import Final

import structlog

from app.errors import AdminRefusal

AT_ONCE_MAX: Final = 10
"""Requests with a wrong token that are kept waiting at once; more are refused without a wait."""
WAIT_S: Final = 1.0

_log = structlog.get_logger()


class Tries:
    """Counts wrong tokens. One for a relay, whichever door they come to."""

    def __init__(self) -> None:
        self._waiting = 0
        self._tries = 0

    async def refuse(self, *, path: str, client: str | None) -> None:
        """Let a wrong token wait, then refuse it.

        Raises:
            AdminRefusal: always: ``bad_admin_token``, or ``too_many_tries`` at once if many wait already.
        """
        self._tries += 1
        if self._waiting >= AT_ONCE_MAX:
            raise AdminRefusal("too_many_tries", "too many requests with a wrong admin token")
        self._waiting += 1
        try:
            await asyncio.sleep(WAIT_S)
        finally:
            self._waiting -= 1
            tries, self._tries = self._tries, 0
            _log.warning("admin.refused", code="bad_admin_token", path=path, client=client, tries=tries)
        raise AdminRefusal("bad_admin_token", "the header Authorization: Bearer … has to carry the admin token")
