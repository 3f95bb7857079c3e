"""Compares what was promised with what arrived. Pure: everything that was seen goes in, the verdict comes out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from app.sandbox.splunk import Indexed, RequestSeen
from tests.torture.books import Account, Books, Row, imbalances
from tests.torture.doubles import Copy, Evidence, explanation, is_unmarked
from tests.torture.resends import Folded, folded, resends_doubled, unmarked_bytes
from tests.torture.traffic import Hook
from tests.torture.world import LATE, World

PARKED = "/"
_SHOWN = 5


@dataclass(slots=True)
class Verdict:
    """What a trial comes to. A good one has nothing in any of its lists."""

    accepted: int = 0
    """Hooks that were answered 202."""
    owed: int = 0
    """Deliveries of those, one for each destination that no route drops them for."""
    arrived: int = 0
    """Of those, indexed at least once."""
    dead: int = 0
    """Of those, dead letters (some of which were indexed as well)."""
    lost: list[Row] = field(default_factory=list)
    """Of those, neither indexed nor anywhere in the spool."""
    folded: list[Folded] = field(default_factory=list)
    """Hooks that were taken for another one: lost as well."""
    stuck: list[Row] = field(default_factory=list)
    """Still waiting in the spool although Splunk was well for long enough."""
    doubles: Counter[str] = field(default_factory=Counter)
    """Copies beyond the first, by what explains them; ``""`` is nothing."""
    resends: Counter[str] = field(default_factory=Counter)
    """Hooks without a key that a resend doubled, by what explains that the relay could not know."""
    unexplained: list[str] = field(default_factory=list)
    unmarked: list[str] = field(default_factory=list)
    """Second copies without the mark of another attempt, sent by the process that had sent the first."""
    faults: list[str] = field(default_factory=list)
    """Everything else that must not be."""

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.folded or self.stuck or self.unexplained or self.unmarked or self.faults)


def judge(world: World, hooks: Sequence[Hook], copies: Sequence[Copy], books: Books, evidence: Evidence) -> Verdict:
    """The verdict over one trial."""
    verdict = Verdict(faults=[*books.faults, *imbalances(books)])
    indexed = {(str(copy.stream), copy.delivery_id) for copy in copies}
    promised = list(promises(hooks))
    owed, dropped = owed_and_dropped(world, promised)
    verdict.accepted = len(promised)
    verdict.owed = len(owed)
    verdict.arrived = len(owed & indexed)
    verdict.dead = len(owed & set(books.dead))
    verdict.stuck = sorted({*books.waiting, *books.parked})
    held = {*books.waiting, *books.dead, *_everywhere(world, books.parked)}
    verdict.lost = sorted(owed - indexed - held)
    if dropped & indexed:
        verdict.faults.append(f"{len(dropped & indexed)} that a route drops were indexed")
    if not promised:
        verdict.faults.append("no hook was accepted: this trial says nothing")
    verdict.faults += _strangers(promised, copies)
    verdict.faults += _miscounts(world, hooks, indexed, books)
    verdict.folded = list(folded(hooks))
    verdict.faults += unmarked_bytes(hooks, copies)
    _count_doubles(verdict, copies, evidence)
    for what, word in resends_doubled(hooks, copies, evidence):
        verdict.resends[word] += 1
        if not word:
            verdict.unexplained.append(what)
    return verdict


def promises(hooks: Iterable[Hook]) -> Iterator[tuple[Hook, str]]:
    """Every delivery id that a 202 promised, with its hook."""
    for hook in hooks:
        for delivery_id in hook.accepted:
            yield hook, delivery_id


def copies_of(world: World, indexed: Iterable[Indexed], requests: Sequence[RequestSeen]) -> list[Copy]:
    """What one Splunk indexed, each with the request that brought it."""
    return [
        Copy(
            stream=world.streams[each.token],
            delivery_id=str(each.fields.get("relay_delivery_id")),
            tenant=_tenant(each.event),
            marked="relay_attempt" in each.fields,
            request=requests[each.request],
            same_body_as=str(each.event.get("same_body_as", "")) if isinstance(each.event, dict) else "",
        )
        for each in indexed
    ]


def _tenant(event: object) -> str:
    """The tenant that a hec_event itself names."""
    return str(event.get("tenant")) if isinstance(event, dict) else ""


def owed_and_dropped(world: World, promised: Iterable[tuple[Hook, str]]) -> tuple[set[Row], set[Row]]:
    """Every (stream, delivery id) that has to arrive, and every one that must not."""
    owed: set[Row] = set()
    dropped: set[Row] = set()
    for hook, delivery_id in promised:
        to_arrive, to_drop = world.owed(hook.door.tenant, hook.sample.resource)
        owed |= {(str(stream), delivery_id) for stream in to_arrive}
        dropped |= {(str(stream), delivery_id) for stream in to_drop}
    return owed, dropped


def _everywhere(world: World, parked: Sequence[Row]) -> set[Row]:
    """What is parked is owed to the tenant that will claim it."""
    streams = [stream for stream in world.ways if stream.tenant == LATE]
    return {(str(stream), delivery_id) for _, delivery_id in parked for stream in streams}


def _strangers(promised: Iterable[tuple[Hook, str]], copies: Iterable[Copy]) -> list[str]:
    """What arrived under another tenant's hec_token."""
    tenants = {delivery_id: hook.door.tenant for hook, delivery_id in promised}
    strangers = [
        f"{copy.delivery_id} of {tenants.get(copy.delivery_id, copy.tenant)} came under the hec_token of {copy.stream}"
        for copy in copies
        if copy.stream.tenant != copy.tenant or tenants.get(copy.delivery_id, copy.tenant) != copy.tenant
    ]
    return strangers[:_SHOWN]


def _miscounts(world: World, hooks: Sequence[Hook], indexed: set[Row], books: Books) -> list[str]:
    """Where the relay's counts cannot be true, given what Sentry and Splunk saw.

    A hook that had no answer may be stored or not, so that some counts have a lowest and a highest value.
    """
    faults = []
    distinct: defaultdict[str, set[str]] = defaultdict(set)
    for where, delivery_id in {*indexed, *books.waiting, *books.dead}:
        distinct[where].add(delivery_id)
    for stream in world.ways:
        name = str(stream)
        account = books.accounts.get(name, Account(0, 0, 0, 0, 0))
        there = len(distinct[name])
        if account.accepted - account.filtered - account.discarded != there:
            faults.append(f"{name}: {there} deliveries are indexed, waiting or dead, but its books say {account}")
        dropped = [hook for hook in hooks if stream in world.owed(hook.door.tenant, hook.sample.resource)[1]]
        sure = sum(len(hook.accepted) for hook in dropped)
        most = sum(1 if hook.keyed else len(hook.posts) for hook in dropped)
        if not sure <= account.filtered <= most:
            faults.append(f"{name}: {sure} to {most} hooks are to be dropped, its books say {account}")
    return faults


def doubles(copies: Sequence[Copy], evidence: Evidence) -> Iterator[tuple[Copy, Copy, str]]:
    """Every copy beyond the first with the one before it, and what explains it."""
    by_row: defaultdict[Row, list[Copy]] = defaultdict(list)
    for copy in sorted(copies, key=lambda copy: copy.request.at):
        by_row[str(copy.stream), copy.delivery_id].append(copy)
    for same in by_row.values():
        for first, second in pairwise(same):
            yield first, second, explanation(first, second, evidence)


def _count_doubles(verdict: Verdict, copies: Sequence[Copy], evidence: Evidence) -> None:
    for first, second, word in doubles(copies, evidence):
        verdict.doubles[word] += 1
        what = f"{first.delivery_id} to {first.stream}"
        if word and is_unmarked(first, second, evidence):
            verdict.unmarked.append(f"{what}: after {word}")
        if not word:
            verdict.unexplained.append(
                f"{what}: taken and answered {first.request.status}/{first.request.code} at "
                f"{first.request.at:.3f}, again at {second.request.at:.3f}"
            )
