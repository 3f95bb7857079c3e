"""Which posts had to be one hook, and which hooks of their own (``docs/decisions/0051``). Pure.

A hook that is taken for another one is lost, although its delivery id arrives: that is looked for here. So is a resend
that became a hook of its own where the relay could know better.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.torture.doubles import BACK_S, CLOCKS_S, SETTLE_S, Copy, Evidence
from tests.torture.traffic import Hook, Post

LATE = "answered, but late"
TOGETHER = "posted at the same time"
ENDED = "the relay ended"
FROZEN = "the relay was stopped"
FULL = "disk full"
CUT = "connection to Sentry cut"
AWAY = "database away"
CLOCK = "the clock was wrong"
ELSEWHERE = "another replica was asked"
Marks = Mapping[str, set[str]]
"""What the copies of a delivery id say of its first: its id, or nothing."""


class Folded(NamedTuple):
    """A hook that was answered 202 as if it were another one, and is not delivered: lost."""

    at: float
    """When the other one was accepted, on the loop's clock."""
    what: str

    def __str__(self) -> str:
        """In words."""
        return self.what


def unmarked_bytes(hooks: Sequence[Hook], copies: Sequence[Copy]) -> list[str]:
    """Hooks whose bytes came before, and which do not name the first with them."""
    faults = []
    marks = _marks(copies)
    same_bytes: defaultdict[tuple[str, bytes], dict[str, None]] = defaultdict(dict)
    for hook in hooks:
        same_bytes[hook.door.path + hook.door.tenant, hook.body].update(dict.fromkeys(hook.accepted))
    for told in same_bytes.values():
        seen = {delivery_id: marks[delivery_id] for delivery_id in told if delivery_id in marks}
        said = {mark for found in seen.values() for mark in found if mark}
        firsts = {delivery_id for delivery_id, found in seen.items() if "" in found}
        if len(said) > 1 or len(firsts) > 1 or (said and firsts and said != firsts):
            faults.append(f"the same bytes, {list(told)}: first are {sorted(firsts)}, named as first {sorted(said)}")
    return faults


def folded(hooks: Sequence[Hook]) -> Iterator[Folded]:
    """Every hook that was told the delivery id of another one."""
    owners: dict[str, Hook] = {}
    for hook in hooks:
        for delivery_id in hook.accepted:
            if owners.setdefault(delivery_id, hook) is not hook:
                what = f"{_name(hook)} was told {delivery_id}, which is {_name(owners[delivery_id])}"
                yield Folded(hook.accepted[delivery_id], what)
        if hook.keyed:
            continue
        # Of the posts with one id each but the last has to be one that was not answered in time.
        answered = Counter(post.delivery_id for post in hook.posts if post.in_time)
        told = Counter(post.delivery_id for post in hook.posts if post.delivery_id)
        known = told if hook.sample.sender == "legacy" else answered  # a plugin never posts again: nothing is folded
        for delivery_id, at in hook.accepted.items():
            if known[delivery_id] > 1:
                yield Folded(at, f"{_name(hook)} without a key was told {delivery_id} {known[delivery_id]} times")


def resends_doubled(hooks: Sequence[Hook], copies: Sequence[Copy], evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every hook without a key that has more ids than it has to have, and what explains it; empty if nothing does."""
    marks = _marks(copies)
    by_first: defaultdict[str, set[str]] = defaultdict(set)
    for delivery_id, found in marks.items():
        for first in found - {""}:
            by_first[first].add(delivery_id)
    for hook in hooks:
        if hook.keyed or hook.sample.sender == "legacy":
            continue
        firsts = set(hook.accepted).union(*(marks.get(each, set()) for each in hook.accepted)) - {""}
        ids = firsts.union(*(by_first[first] for first in firsts))
        own = len({post.delivery_id for post in hook.posts if post.in_time})
        if len(ids) > max(1, own):
            yield f"{_name(hook)} without a key: {sorted(ids)} although a resend was to be known", _why(hook, evidence)


def _why(hook: Hook, evidence: Evidence) -> str:
    """Why the relay did not know of a post without an answer when the next one came."""
    for place, post in enumerate(hook.posts):
        if post.in_time:
            continue
        later = hook.posts[place + 1 :]
        word = _why_not(post, later, hook.posts, evidence)
        if word:
            return word
    return ""


def _why_not(post: Post, later: Sequence[Post], posts: Sequence[Post], evidence: Evidence) -> str:
    others = [each for each in posts if each is not post]
    if any(each.began_at <= post.ended_at and post.began_at <= each.ended_at for each in others):
        return TOGETHER
    if post.delivery_id:
        return LATE
    answered = next((each for each in later if each.delivery_id), None)
    if answered is None:
        return ""
    if answered.url != post.url and answered.began_at - post.ended_at <= SETTLE_S:
        return ELSEWHERE
    began, ended = post.began_at - CLOCKS_S, answered.ended_at
    if any(life.ended_at is not None and began <= life.ended_at <= ended for life in evidence.lives):
        return ENDED
    spans = [(FROZEN, span) for life in evidence.lives for span in life.frozen]
    spans += [(FULL, span) for life in evidence.lives for span in life.full]
    spans += [(CLOCK, span) for life in evidence.lives for span in life.clock]
    spans += [(CUT, span) for span in evidence.sentry_cuts]
    spans += [(AWAY, (start, end + BACK_S)) for start, end in evidence.away]
    return next((word for word, (start, end) in spans if start <= ended and began <= end), "")


def _marks(copies: Sequence[Copy]) -> Marks:
    marks: defaultdict[str, set[str]] = defaultdict(set)
    for copy in copies:
        marks[copy.delivery_id].add(copy.same_body_as)
    return marks


def _name(hook: Hook) -> str:
    return f"{hook.sample.name} {hook.seed} to {hook.door.tenant}"
