"""Refused requests as the API shows them, and which of them were hooks that nobody sends again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from app.admin.serialization import Json, iso
from app.verdict import RefusedHooks

LOST_S: Final = 86_400.0
"""Seconds for which a refused hook counts in the verdict, unless somebody has marked it as seen before."""
LOSING: Final = frozenset({"bad_signature", "not_stored", "body_too_large", "body_too_slow", "body_cut"})
"""Codes by which a hook of a known tenant can be lost: Sentry tries most hooks once (facts: its ``send_webhooks``)."""
_AGAIN: Final[Mapping[str, str]] = {
    "not_stored": "Sentry tries some hooks of published integrations twice more; those of internal ones are lost.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Refusals of one kind since the start."""

    code: str
    reason: str
    tenant: str
    """Of the tenants file; empty where none was meant or there is no such."""
    count: int
    first_at: float
    last_at: float
    samples: Iterable[Json] = ()
    """The latest of them: when, which path, who asked, what else the log said."""


def lost(refused: Iterable[Refused], *, now: float, seen_at: float) -> list[RefusedHooks]:
    """What the verdict counts as lost: lately, of a tenant that there is, and not marked as seen since."""
    return [
        RefusedHooks(tenant=kind.tenant, code=kind.code, reason=kind.reason, count=kind.count, last_at=kind.last_at)
        for kind in refused
        if kind.tenant and kind.code in LOSING and kind.last_at > max(seen_at, now - LOST_S)
    ]


def refused_json(refused: Iterable[Refused], *, seen_at: float) -> Json:
    """Every kind, the one refused last first."""
    return {
        "refused": [
            {
                "code": kind.code,
                "reason": kind.reason,
                "tenant": kind.tenant,
                "count": kind.count,
                "first_at": iso(kind.first_at),
                "last_at": iso(kind.last_at),
                "lost": bool(kind.tenant) and kind.code in LOSING,
                "again": _AGAIN.get(kind.code, "Sentry sends it once only."),
                "seen": kind.last_at <= seen_at,
                "samples": list(kind.samples),
            }
            for kind in refused
        ],
        "seen_at": iso(seen_at) if seen_at else None,
    }
