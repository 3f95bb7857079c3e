"""What came of all trials, by engine and by what was done to the relay at the time. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from tests.torture.books import Books
from tests.torture.doubles import Copy, Evidence
from tests.torture.traffic import Hook
from tests.torture.verdict import Verdict, doubles, owed_and_dropped, promises
from tests.torture.world import World

HEALED = "healed"
"""What comes after the last life: all is well."""


@dataclass(frozen=True, slots=True)
class Episode:
    """What was done to the relay, from when to the next one; the loop's clock."""

    kind: str
    began_at: float
    kills: int = 0


@dataclass(slots=True)
class Row:
    """One kind of episode. A hook counts where it was accepted, a second copy where the first one came."""

    trials: int = 0
    kills: int = 0
    accepted: int = 0
    owed: int = 0
    arrived: int = 0
    dead: int = 0
    twice: int = 0
    unexplained: int = 0
    lost: int = 0

    def add(self, other: Self) -> None:
        """Its numbers too."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)


@dataclass(slots=True)
class Tally:
    """One trial, or many."""

    engine: str
    rows: dict[str, Row] = field(default_factory=dict)
    trials: int = 0
    failed: int = 0
    posts: int = 0
    requests: int = 0
    stuck: int = 0
    unmarked: int = 0
    faults: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)
    resends: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Self) -> None:
        """Its numbers too."""
        for kind, row in other.rows.items():
            self.rows.setdefault(kind, Row()).add(row)
        for name in ("trials", "failed", "posts", "requests", "stuck", "unmarked", "faults"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.answers.update(other.answers)
        self.doubles.update(other.doubles)
        self.resends.update(other.resends)
        self.causes.update(other.causes)

    def total(self) -> Row:
        """All kinds together; its ``trials`` are the trials, each of which has several kinds."""
        whole = Row()
        for row in self.rows.values():
            whole.add(row)
        whole.trials = self.trials
        return whole

    def as_json(self) -> dict[str, Any]:
        """What ``of_json`` reads."""
        found: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        found["rows"] = {kind: asdict(row) for kind, row in self.rows.items()}
        return found

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """Back from ``as_json``."""
        rows = {kind: Row(**row) for kind, row in found["rows"].items()}
        counters = {name: Counter(found.get(name, {})) for name in ("answers", "doubles", "resends", "causes")}
        return cls(**{**found, "rows": rows, **counters})


def rows_of(
    episodes: Sequence[Episode],
    world: World,
    hooks: Iterable[Hook],
    copies: Sequence[Copy],
    books: Books,
    evidence: Evidence,
    verdict: Verdict,
) -> dict[str, Row]:
    """A trial's rows."""
    rows = {each.kind: Row(trials=1) for each in episodes}
    for each in episodes:
        rows[each.kind].kills += each.kills

    def at(moment: float) -> Row:
        earlier = [each for each in episodes if each.began_at <= moment]
        return rows[(earlier[-1] if earlier else episodes[0]).kind]

    indexed = {(str(copy.stream), copy.delivery_id) for copy in copies}
    dead, lost = set(books.dead), set(verdict.lost)
    for hook, delivery_id in promises(hooks):
        owed, _ = owed_and_dropped(world, [(hook, delivery_id)])
        row = at(hook.accepted[delivery_id])
        row.accepted += 1
        row.owed += len(owed)
        row.arrived += len(owed & indexed)
        row.dead += len(owed & dead)
        row.lost += len(owed & lost)
    for hook_lost in verdict.folded:
        at(hook_lost.at).lost += 1
    for first, _, word in doubles(copies, evidence):
        at(first.request.at).twice += 1
        at(first.request.at).unexplained += not word
    return rows
