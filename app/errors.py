"""Every error of the relay that leaves its module, as a tree.

    RelayError
    ├── Refusal                     a request does not get what it asked for; carries HTTP status and code word
    │   ├── IngestRefusal           a hook gets no 202
    │   │   ├── BadRequest          400 bad_request       not HTTP
    │   │   ├── BadSignature        401 bad_signature
    │   │   ├── NotFound            404 not_found
    │   │   │   └── UnknownTenant   404 unknown_tenant
    │   │   ├── MethodNotAllowed    405 method_not_allowed
    │   │   ├── BodyTooSlow         408 body_too_slow
    │   │   ├── BodyTooLarge        413 body_too_large
    │   │   ├── BodyCut             400 body_cut          the sender hung up
    │   │   ├── HeadTooLarge        431 head_too_large
    │   │   └── NotStored           500 not_stored        our trouble is never a 4xx, and Sentry retries a 500
    │   └── AdminRefusal            an operator does not get it; the codes are ``ADMIN_STATUSES``
    ├── ConfigError                 a person has to mend a setting, a tenants file or a secret
    ├── CannotListen                an address to listen on cannot be had
    ├── EnvelopeFault               a hec_event that Splunk would refuse or skip is not sent
    └── SpoolError                  the spool cannot be opened, or is not what it should be
        └── …                       what PostgreSQL's connection is told apart by (``app.spool.postgres.connection``)

The code word of a refusal stands in the answer, in the log line and as the metric's label alike. Exceptions that are
raised and caught within one room stand there: ``transform`` (what cannot be read exactly), ``splunk.tls`` (a
certificate that is not pinned), ``ingest.body`` (a body that ended early).
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast


class RelayError(Exception):
    """The root of the tree. ``str()`` of every member is a sentence for people and holds no secret."""


class Refusal(RelayError):
    """A request does not get what it asked for."""

    status: int
    """HTTP's."""
    code: str
    """One of a closed set of words."""


class IngestRefusal(Refusal):
    """A request is refused. ``reason`` goes to the log, never into the answer."""

    def __init__(self, reason: str, /, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts
        """What else would help the reader of the log line, as its keys."""


class BadRequest(IngestRefusal):
    """What came is not HTTP/1.1, or more of it at once than is served."""

    status, code = 400, "bad_request"


class HeadTooLarge(IngestRefusal):
    """Request line and headers, or the trailers of a body, are larger than the limit."""

    status, code = 431, "head_too_large"


class BadSignature(IngestRefusal):
    """The body was not signed with any of the secrets that this path knows."""

    status, code = 401, "bad_signature"


class NotFound(IngestRefusal):
    """Nothing lives at this path."""

    status, code = 404, "not_found"


class UnknownTenant(NotFound):
    """The tenants file names no such tenant (or, for the legacy path, no such key)."""

    code = "unknown_tenant"


class MethodNotAllowed(IngestRefusal):
    """Something lives at this path, but not for this method."""

    status, code = 405, "method_not_allowed"


class BodyTooSlow(IngestRefusal):
    """The body did not arrive within its deadline."""

    status, code = 408, "body_too_slow"


class BodyTooLarge(IngestRefusal):
    """The body is larger than the limit, said or found while reading."""

    status, code = 413, "body_too_large"


class BodyCut(IngestRefusal):
    """The sender hung up before the end of the body; nobody reads the answer."""

    status, code = 400, "body_cut"


class NotStored(IngestRefusal):
    """The spool could not promise to keep the hook. ``reason``: spool_full, disk_full, queue_full, ..."""

    status, code = 500, "not_stored"


AdminCode = Literal[
    "bad_query",
    "bad_change",
    "bad_admin_token",
    "other_site",
    "not_found",
    "unknown_delivery",
    "method_not_allowed",
    "body_too_slow",
    "body_too_large",
    "not_json",
    "too_many_tries",
    "failed",
    "spool_unavailable",
]
ADMIN_STATUSES: Final[Mapping[AdminCode, int]] = {
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
"""The HTTP status that goes with each code word of the admin API."""


def admin_code(word: str) -> AdminCode:
    """The code word that a relay, perhaps a newer one, has answered with; ``failed`` for one that is not known here."""
    return cast("AdminCode", word) if word in ADMIN_STATUSES else "failed"


class AdminRefusal(Refusal):
    """The admin API does not do what it was asked to; with words for whoever asked. Holds no secret."""

    def __init__(self, code: AdminCode, words: str, *, allow: str = "") -> None:
        """``allow``: the methods that the path takes, where the method was wrong."""
        super().__init__(words)
        self.code: AdminCode = code
        self.status = ADMIN_STATUSES[code]
        self.words = words
        self.allow = allow


class ConfigError(RelayError):
    """A setting, a tenants file or a secret is wrong; the text says where and what would be right."""


class CannotListen(RelayError):
    """An address to listen on cannot be had; the text says why, ``setting`` which setting names it."""

    def __init__(self, reason: str, /, *, setting: str = "") -> None:
        super().__init__(reason)
        self.setting = setting


class EnvelopeFault(RelayError):
    """A hec_event that Splunk would refuse or silently skip. ``faults`` lists what is wrong, without values."""

    def __init__(self, faults: Sequence[str], /) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class SpoolError(RelayError):
    """The spool cannot be opened or used as it is; the text says why and what to do."""
