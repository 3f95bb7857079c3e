"""Why the admin API does not do what it was asked to: a closed set of code words. No hook is ever refused with one."""

from collections.abc import Mapping
from typing import Final

from app.errors import RelayError

STATUSES: Final[Mapping[str, int]] = {
    "bad_query": 400,
    "bad_change": 400,
    "bad_admin_token": 401,
    "other_site": 403,
    "not_found": 404,
    "unknown_delivery": 404,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "body_too_large": 413,
    "not_json": 415,
    "too_many_tries": 429,
    "failed": 500,
    "spool_unavailable": 503,
}
"""The HTTP status that goes with each code word."""


class AdminRefusal(RelayError):  # noqa: N818 - as app.errors: called what the field calls it
    """The admin API refuses: a code word of ``STATUSES``, and words for whoever asked. Holds no secret."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUSES[self.code]
