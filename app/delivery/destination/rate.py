"""How much a destination gets at once: additive increase, multiplicative decrease. Pure."""

from dataclasses import dataclass, replace

START_POSTS = 2.0
START_HELD = 64
"""Deliveries claimed for a destination that has not proven itself; what a hanging one can keep from others."""
BODY_BYTES_MIN = 10_000


@dataclass(frozen=True, slots=True)
class Flow:
    """The limits of one destination as they are now."""

    posts: float = START_POSTS
    """Posts under way; its whole part counts."""
    held: int = START_HELD
    """Deliveries claimed at once."""
    body_bytes: int | None = None
    """Smaller than the setting, if the destination refused a body for its size."""


def increase(flow: Flow, *, saturated: bool, posts_max: int, batch_max: int) -> Flow:
    """After a success: one more post per round of posts, if all were in use, and twice as many may be held.

    The latter up to what those posts carry and one batch more; ``batch_max`` is a batch's most.
    """
    posts = min(float(posts_max), flow.posts + (1 / flow.posts if saturated else 0.0))
    held_max = max(START_HELD, (int(posts) + 1) * batch_max)
    return replace(flow, posts=posts, held=min(flow.held * 2, held_max))


def decrease(flow: Flow) -> Flow:
    """Splunk asks for less, or failed under what it got: half."""
    return replace(flow, posts=max(1.0, flow.posts / 2))


def reset(flow: Flow) -> Flow:
    """A pause begins: it has to prove itself again."""
    return replace(decrease(flow), held=START_HELD)


def shrink_body(flow: Flow, *, body_bytes: int) -> Flow:
    """A body of ``body_bytes`` was too large for it: from now on half of that."""
    return replace(flow, body_bytes=max(BODY_BYTES_MIN, body_bytes // 2))


def batch_limit(*, attempts: int, ambiguous: int, most: int) -> int:
    """In what company, itself included, a delivery goes that failed so often: from ``most`` down to 1.

    What breaks the connection, or draws a refusal from something before Splunk, is found this way: it ends up
    alone, and what it failed with before gets through. Ambiguous attempts count in full; others, which an
    overload makes plenty of, a quarter.
    """
    failed = max(ambiguous, attempts // 4)
    return most if failed <= 1 else max(1, most >> (2 * (failed - 1)))
