"""Which posts are one hook: Sentry's word decides, not the bytes. Pure.

Two idempotency keys are two hooks; the same key at the same door is one. Without a key the same bytes are a repeat only
where they can be a resend: soon after, and the earlier answer is known not to have reached its sender in time. In every
other case, also where that cannot be known, they are a hook of their own, marked with the id of the first that is
remembered. Why: ``docs/decisions/0051-identity-is-sentrys-word.md``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.model import Hook

RESEND_S = 20 * 60.0
"""Sentry tries three times, five minutes apart (its tasks' ``Retry``); a busy queue adds to that."""


class Remembered(NamedTuple):
    """What is known of a digest."""

    delivery_id: str
    """Of a key: the hook's. Of bytes: that of the first hook with them."""
    resend_id: str | None = None
    """Of bytes: the hook that a resend of them is, the latest that was not answered in time."""
    resend_at: float | None = None
    """When that was first known of it, Unix seconds."""
    unanswered: bool = False
    """That is so still: no resend has come since, or it was not answered in time either."""


Memory = Mapping[bytes, Remembered]
"""By digest."""


def repeat_of(hook: Hook, memory: Memory, *, now: float) -> str | None:
    """The ``delivery_id`` of the hook that this one is; ``None``: a hook of its own."""
    if hook.key_digest:
        known = memory.get(hook.key_digest)
        return known.delivery_id if known else None
    if not hook.resendable:
        return None
    known = memory.get(hook.body_digest)
    if known is None or not known.unanswered or known.resend_at is None or now - known.resend_at > RESEND_S:
        return None
    return known.resend_id


def after_repeat(known: Remembered) -> Remembered:
    """What is known of bytes once a resend of them is accepted: its answer is under way."""
    return known._replace(unanswered=False)
