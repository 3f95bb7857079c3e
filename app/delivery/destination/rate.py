"""How much a destination gets at once: additive increase, multiplicative decrease. Pure."""

from dataclasses import dataclass, replace

START_POSTS = 2.0
START_HELD = 64
"""Most deliveries claimed for a destination that has not proven itself: all that a hanging one can keep from others."""
BODY_BYTES_MIN = 10_000


@dataclass(frozen=True, slots=True)
class Flow:
    """The limits of one destination as they are now."""

    posts: float = START_POSTS
    """Most posts under way; the whole part counts."""
    held: int = START_HELD
    """Most deliveries claimed at once."""
    body_bytes: int | None = None
    """Largest body, if the destination refused one for its size; ``None``: the setting holds."""


def increase(flow: Flow, *, saturated: bool, posts_max: int, batch_max: int) -> Flow:
    """After a success: one more post per round of posts, if all were in use, and twice as many may be held.

    The latter up to what those posts carry and one batch more; ``batch_max`` is a batch's most.
    """
    posts = min(float(posts_max), flow.posts + (1 / flow.posts if saturated else 0.0))
    held_max = max(START_HELD, (int(posts) + 1) * batch_max)
    return replace(flow, posts=posts, held=min(flow.held * 2, held_max))


def decrease(flow: Flow) -> Flow:
    """Half as many posts: Splunk asked for less, or failed under what it got."""
    return replace(flow, posts=max(1.0, flow.posts / 2))


def reset(flow: Flow) -> Flow:
    """What a destination gets after a pause began: it has to prove itself again."""
    return replace(decrease(flow), held=START_HELD)


def shrink_body(flow: Flow, *, body_bytes: int) -> Flow:
    """From now on bodies of half of ``body_bytes``, which was too large."""
    return replace(flow, body_bytes=max(BODY_BYTES_MIN, body_bytes // 2))


def batch_limit(*, attempts: int, ambiguous: int, most: int) -> int:
    """Largest batch that a delivery may travel in after this many failures, itself included: ``most`` falling to 1.

    What breaks the connection, or draws a refusal from something before Splunk, is found this way: it ends up
    alone, and what it failed with before gets through. Ambiguous attempts count in full; others, which an
    overload makes plenty of, a quarter.
    """
    failed = max(ambiguous, attempts // 4)
    return most if failed <= 1 else max(1, most >> (2 * (failed - 1)))
