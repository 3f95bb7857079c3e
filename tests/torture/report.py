"""What the torture prints: a line a trial, what went wrong, and the table at the end. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from tests.torture.tally import Row, Tally
from tests.torture.trial import Report
from tests.torture.verdict import Verdict

_COLUMNS = ("kills", "posted", "accepted", "owed", "arrived", "dead", "twice", "lost")
HEAD = f"{'seed':>6} {'engine':<9}" + "".join(f"{name:>9}" for name in _COLUMNS) + f"{'seconds':>9}  what happened"
_SHOWN = 12
_KIND = 30


def line(report: Report) -> str:
    """One trial."""
    verdict, choices = report.verdict, report.choices
    numbers = (
        report.kills,
        report.counts.posts,
        verdict.accepted,
        verdict.owed,
        verdict.arrived,
        verdict.dead,
        verdict.doubles.total(),
        len(verdict.lost) + len(verdict.folded),
    )
    lives = " ".join(
        life.end.value + ("" if life.trouble == "none" else f"+{life.trouble.value}") for life in choices.lives
    )
    good = "" if verdict.good else "  FAILED"
    cells = "".join(f"{each:>9}" for each in numbers)
    several = f"{choices.replicas} replicas: " if choices.replicas > 1 else ""
    return f"{choices.seed:>6} {choices.engine.value:<9}{cells}{report.seconds:>9.1f}  {several}{lives}{good}"


def complaints(verdict: Verdict) -> list[str]:
    """Everything that must not be, one line each, the first few of a kind."""
    kinds: Mapping[str, Sequence[object]] = {
        "lost": verdict.lost,
        "lost, taken for another": verdict.folded,
        "still waiting": verdict.stuck,
        "arrived twice for no reason": verdict.unexplained,
        "arrived twice without a mark": verdict.unmarked,
        "fault": verdict.faults,
    }
    lines = []
    for kind, found in kinds.items():
        lines += [f"    {kind}: {each}" for each in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"    {kind}: and {len(found) - _SHOWN} more")
    return lines


def table(tallies: Sequence[Tally]) -> str:
    """The one table: each engine's kinds, then its total; below it what the totals consist of."""
    names = [each.name for each in fields(Row)]
    lines = [f"{'engine':<10}{'what happened':<{_KIND}}" + "".join(f"{name:>12}" for name in names)]
    for tally in tallies:
        rows = [*sorted(tally.rows.items()), ("all", tally.total())]
        lines += [
            f"{tally.engine:<10}{kind:<{_KIND}}" + "".join(f"{number:>12}" for number in astuple(row))
            for kind, row in rows
        ]
    return "\n".join([*lines, *(each for tally in tallies for each in _details(tally))])


def _details(tally: Tally) -> list[str]:
    rows = (
        (tally.engine, f"{tally.trials} trials, {tally.failed} failed"),
        ("  hooks posted", f"{tally.posts}; answered: {_listed(tally.answers)}"),
        ("  dead letters", f"by cause: {_listed(tally.causes)}"),
        ("  twice", f"{tally.doubles.total()} in {tally.requests} posts to Splunk; because: {_listed(tally.doubles)}"),
        ("  resends doubled", f"{tally.resends.total()}, without a key; because: {_listed(tally.resends)}"),
        ("  faults", f"still waiting {tally.stuck}, without a mark {tally.unmarked}, others {tally.faults}"),
    )
    return ["", *(f"{name:<18}{words}" for name, words in rows)]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name or 'nothing'} {count}" for name, count in counts.most_common()) or "none"
