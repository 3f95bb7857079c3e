"""Is all right? One verdict and what to do about it, for readiness, the command line, the API and pages alike. Pure.

The first level that holds is the verdict; every other trouble still stands in ``todo``, worst first.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from app.model import SpoolLimits, SpoolStats, Stream

LATE_S: Final = 900.0
"""A delivery that has waited longer than this, in seconds, is late."""
NEAR: Final = 0.8
"""From this part of a limit on, somebody has to look."""


class Level(IntEnum):
    """How bad it is; the higher, the worse."""

    ALL_RIGHT = 0
    QUIET = 1
    NEEDS_A_PERSON = 2
    LATE = 3
    NOT_DELIVERING = 4
    LOSING = 5

    @property
    def words(self) -> str:
        """As people read it."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that takes deliveries away from one stream just now, as delivering knows it."""

    stream: Stream
    words: str
    act: str
    """Who can mend it, as ``splunk.codes.Act``."""
    since: float
    """Unix seconds."""
    next_in_s: float | None = None
    """Seconds until it is tried again by itself; ``None`` where nobody knows."""
    index: str | None = None
    """The index that alone is held up; ``None``: all of the destination."""
    state: str = "paused"
    """``paused``, ``held`` by an operator, or ``missing`` in the tenants file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedHooks:
    """Hooks with one fate that were answered with a refusal, and that Sentry does not send again."""

    tenant: str
    code: str
    reason: str
    count: int
    last_at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that a verdict looks at, at ``now`` (Unix seconds)."""

    now: float
    stats: SpoolStats | None
    """``None``: the spool cannot be read."""
    limits: SpoolLimits
    accepting: str | None = None
    """Why hooks are not taken, in words; ``None`` if they are."""
    delivering: str | None = None
    """Why nothing at all is delivered, or outcomes cannot be written."""
    troubles: Sequence[Trouble] = ()
    destinations: int = 0
    """Destinations that the tenants file names."""
    refused: Sequence[RefusedHooks] = ()
    unresolved: Sequence[str] = ()
    """A sentence for each secret that does not resolve."""
    tenants_problem: str | None = None
    """Why the tenants file as it stands was refused."""
    quiet: Sequence[str] = ()
    """A sentence for each tenant whose hooks are missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing that somebody has to know or do."""

    level: Level
    whose: str
    """``tenant/destination``, a tenant, or empty: the relay's own."""
    state: str
    """One or two words, such as ``paused`` or ``dead letters``."""
    words: str
    act: str
    advice: str
    count: int = 0
    """Hooks or deliveries that it concerns."""
    since: float | None = None
    next_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict: a sentence, what it means for what was accepted, and what to do."""

    level: Level
    words: str
    detail: str
    todo: Sequence[Todo]


_ADVICE: Final = {
    "tenant configuration": "Mend the tenants file, the hec_token or its rights in Splunk; both are read again at each "
    "try, nothing has to be restarted.",
    "Splunk": "Ask whoever runs that Splunk. It goes on by itself when Splunk answers.",
    "payload": "Look at one; redeliver after an upgrade of Splunk or the relay, or discard.",
    "relay": "Look at what stands between the relay and Splunk, and into the relay's log.",
}


def judge(situation: Situation) -> Verdict:
    """The verdict on a situation."""
    todo = sorted(_todo(situation), key=lambda item: (-item.level, -item.count, item.whose, item.words))
    level = max((item.level for item in todo), default=Level.ALL_RIGHT)
    waiting = sum(books.waiting for books in situation.stats.streams) if situation.stats else 0
    if level is Level.ALL_RIGHT:
        words = "All is right"
        detail = f"{counted(waiting, 'delivery is', 'deliveries are')} on the way." if waiting else "Nothing waits."
        return Verdict(level=level, words=words, detail=detail, todo=todo)
    said = list(dict.fromkeys(_headlines(situation, todo)))
    detail = "What was accepted is safe on disk."
    if situation.stats is None:
        detail = "What was accepted cannot be looked at just now."
    elif waiting:
        detail += f" {counted(waiting, 'delivery waits', 'deliveries wait')} and {'is' if waiting == 1 else 'are'} "
        detail += "tried by themselves." if waiting != 1 else "tried by itself."
    return Verdict(level=level, words=f"{level.words.capitalize()}: {', '.join(said)}", detail=detail, todo=todo)


def _headlines(situation: Situation, todo: Sequence[Todo]) -> Iterator[str]:
    """What the sentence is made of: each kind of trouble once, with how many it concerns."""
    stopped = {item.whose for item in todo if item.level is Level.NOT_DELIVERING and item.whose}
    for item in todo:
        if item.level is Level.NOT_DELIVERING and item.whose:
            of = f" of {situation.destinations}" if situation.destinations >= len(stopped) else ""
            takes = "takes" if len(stopped) == 1 else "take"
            yield f"{len(stopped)}{of} destination{'' if situation.destinations == 1 else 's'} {takes} nothing"
        elif item.state == "hooks lost":
            lost = sum(found.count for found in situation.refused)
            yield f"{counted(lost, 'hook was', 'hooks were')} refused"
        elif item.state == "dead letters":
            dead = sum(found.count for found in todo if found.state == "dead letters")
            yield counted(dead, "dead letter", "dead letters")
        else:
            yield item.words


def _todo(situation: Situation) -> Iterator[Todo]:
    stats = situation.stats
    if situation.accepting is not None:
        yield _own(Level.LOSING, "not accepting", situation.accepting, "Hooks that come now are lost: act at once.")
    if stats is None:
        yield _own(Level.LOSING, "spool", "the spool cannot be read", "The log says why; docs/damaged-spool.md.")
    if situation.delivering is not None:
        yield _own(Level.NOT_DELIVERING, "not delivering", situation.delivering, "The log says more.")
    yield from _refused(situation.refused)
    yield from _stopped(situation.troubles, stats)
    if stats is not None:
        yield from _books(stats, {trouble.stream for trouble in situation.troubles}, situation)
        yield from _room(stats, situation.limits)
    if situation.tenants_problem is not None:
        words = f"the tenants file was refused: {situation.tenants_problem}"
        yield _own(Level.NEEDS_A_PERSON, "tenants file", words, "The one before it serves on. Mend the file.")
    for words in situation.unresolved:
        yield _own(Level.NEEDS_A_PERSON, "secret", words, "Put the secret back; it is read again by itself.")
    for words in situation.quiet:
        yield _own(Level.QUIET, "quiet", words, "Look whether the integration in Sentry is enabled and its URL right.")


def _own(level: Level, state: str, words: str, advice: str) -> Todo:
    return Todo(level=level, whose="", state=state, words=words, act="relay", advice=advice)


def _refused(refused: Sequence[RefusedHooks]) -> Iterator[Todo]:
    for found in refused:
        yield Todo(
            level=Level.LOSING,
            whose=found.tenant,
            state="hooks lost",
            words=f"{found.code}: {found.reason}",
            act="tenant configuration",
            advice="Sentry sends most hooks once only. The log says what was wrong with the last one.",
            count=found.count,
            since=found.last_at,
        )


def _stopped(troubles: Sequence[Trouble], stats: SpoolStats | None) -> Iterator[Todo]:
    waiting = {books.stream: books.waiting for books in stats.streams} if stats else {}
    for trouble in troubles:
        held = trouble.state == "held"
        where = f", index {trouble.index}" if trouble.index else ""
        yield Todo(
            level=Level.NEEDS_A_PERSON if held else Level.NOT_DELIVERING,
            whose=shown_stream(trouble.stream),
            state=trouble.state,
            words=f"{trouble.words}{where}",
            act=trouble.act,
            advice=_ADVICE.get(trouble.act, "It is tried again by itself."),
            count=waiting.get(trouble.stream, 0),
            since=trouble.since,
            next_in_s=trouble.next_in_s,
        )


def _books(stats: SpoolStats, stopped: Collection[Stream], situation: Situation) -> Iterator[Todo]:
    for books in stats.streams:
        whose = shown_stream(books.stream)
        ended = books.delivered + books.filtered + books.discarded + books.adopted
        if books.accepted != ended + books.waiting + books.dead:
            yield Todo(
                level=Level.LOSING,
                whose=whose,
                state="books",
                words=f"the books of {whose} do not add up",
                act="relay",
                advice="Please report it, with what relay deliveries stats --json prints.",
            )
        if books.dead:
            yield Todo(
                level=Level.NEEDS_A_PERSON,
                whose=whose,
                state="dead letters",
                words=counted(books.dead, "dead letter", "dead letters"),
                act="",
                advice="Look why each is one (relay deliveries list), mend that, then redeliver or discard.",
                count=books.dead,
            )
        if books.waiting and not books.stream.tenant:
            yield Todo(
                level=Level.NEEDS_A_PERSON,
                whose=whose,
                state="parked",
                words=f"no tenant claims the installation of {counted(books.waiting, 'hook', 'hooks')}",
                act="tenant configuration",
                advice="Name it under installations of the tenant it belongs to; they are delivered at once.",
                count=books.waiting,
            )
    oldest = stats.oldest_waiting_at
    if oldest is not None and situation.now - oldest > LATE_S and not stopped:
        yield Todo(
            level=Level.LATE,
            whose="",
            state="late",
            words=f"the oldest delivery has waited for {age(situation.now - oldest)}",
            act="relay",
            advice="Nothing is paused: look at the relay's processor and at how fast Splunk answers.",
            since=oldest,
        )


def _room(stats: SpoolStats, limits: SpoolLimits) -> Iterator[Todo]:
    fill = max(stats.hooks / limits.hooks_max, stats.payload_bytes / limits.bytes_max)
    if fill >= 1:
        yield _own(Level.LOSING, "full", "the spool is full", "Let Splunk take what waits, or raise the limits.")
    elif fill >= NEAR:
        words = f"the spool is filled to {fill:.0%}"
        yield _own(Level.NEEDS_A_PERSON, "filling", words, "Let Splunk take what waits, or raise the limits.")
    if stats.dead_bytes >= NEAR * limits.dead_bytes_max:
        words = f"dead letters hold {stats.dead_bytes / limits.dead_bytes_max:.0%} of their room"
        yield _own(Level.NEEDS_A_PERSON, "filling", words, "Beyond it the oldest are discarded: redeliver or discard.")


def shown_stream(stream: Stream) -> str:
    """``tenant/destination``, or what hooks without a tenant are called."""
    return f"{stream.tenant}/{stream.destination}" if stream.tenant else "(parked)"


def counted(count: int, one: str, many: str) -> str:
    """``1 hook``, ``1,204 hooks``."""
    return f"{count:,} {one if count == 1 else many}"


def age(seconds: float) -> str:
    """``12 s``, ``11 min``, ``3 h 10 min``, ``2 days``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{max(0, seconds):.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes // 1440} days"
