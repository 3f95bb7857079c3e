"""What became of the posts to each destination, counted for its heartbeats."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from app.model import Stream


@dataclass(slots=True)
class Posts:
    """What became of the posts to one destination."""

    hec_codes: Counter[str] = field(default_factory=Counter)
    """Posts by the code that they drew, since the last heartbeat."""
    resent: int = 0
    """hec_events that were posted again, since this relay started."""


class PostTally:
    """The counts by stream. Only streams that have heartbeats are counted."""

    def __init__(self) -> None:
        self._posts: dict[Stream, Posts] = {}

    def add(self, stream: Stream, *, hec_code: str, resent: int) -> None:
        """Count one post; ``resent`` is how many of its hec_events are posted again."""
        posts = self._posts.setdefault(stream, Posts())
        posts.hec_codes[hec_code] += 1
        posts.resent += resent

    def take(self, stream: Stream) -> Posts:
        """The counts as they are now; those by code begin anew."""
        posts = self._posts.get(stream, Posts())
        self._posts[stream] = Posts(resent=posts.resent)
        return posts

    def keep(self, streams: Collection[Stream]) -> None:
        """Forget all but these."""
        self._posts = {stream: posts for stream, posts in self._posts.items() if stream in streams}
