"""What the torture prints: a line a trial, what went wrong, and the table at the end. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.torture.trial import Report
from tests.torture.verdict import Verdict, sum_up

_COLUMNS = ("kills", "posted", "accepted", "owed", "arrived", "dead", "twice", "lost")
HEAD = f"{'seed':>6}" + "".join(f"{name:>9}" for name in _COLUMNS) + f"{'seconds':>9}  how its lives ended"
_SHOWN = 12


def line(report: Report) -> str:
    """One trial."""
    verdict = report.verdict
    numbers = (
        report.kills,
        report.counts.posts,
        verdict.accepted,
        verdict.owed,
        verdict.arrived,
        verdict.dead,
        verdict.doubles.total(),
        len(verdict.lost),
    )
    lives = " ".join(
        life.end.value + ("" if life.trouble == "none" else f"+{life.trouble.value}") for life in report.choices.lives
    )
    good = "" if verdict.good else "  FAILED"
    cells = "".join(f"{each:>9}" for each in numbers)
    return f"{report.choices.seed:>6}{cells}{report.seconds:>9.1f}  {lives}{good}"


def complaints(verdict: Verdict) -> list[str]:
    """Everything that must not be, one line each, the first few of a kind."""
    kinds: Mapping[str, Sequence[object]] = {
        "lost": verdict.lost,
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


def table(reports: Sequence[Report], *, engine: str) -> str:
    """All trials together."""
    total = sum_up({report.choices.seed: report.verdict for report in reports})
    ends = Counter(life.end.value for report in reports for life in report.choices.lives)
    answers = sum((report.counts.answers for report in reports), Counter[str]())
    causes = sum((report.causes for report in reports), Counter[str]())
    rows = [
        ("engine", engine),
        ("trials", f"{len(reports)}, {sum(not report.verdict.good for report in reports)} failed"),
        ("kills", f"{sum(report.kills for report in reports)} by SIGKILL; lives ended: {_listed(ends)}"),
        ("hooks posted", f"{sum(report.counts.posts for report in reports)}; answered: {_listed(answers)}"),
        ("hooks accepted", f"{total.accepted}, owed to {total.owed} destinations"),
        ("arrived", f"{total.arrived} of these, in {sum(report.requests for report in reports)} posts to Splunk"),
        ("dead letters", f"{total.dead}; by cause: {_listed(causes)}"),
        ("lost", str(len(total.lost))),
        ("still waiting", str(len(total.stuck))),
        ("arrived twice", f"{total.doubles.total()}; because: {_listed(total.doubles)}"),
        ("for no reason", str(len(total.unexplained))),
        ("without a mark", str(len(total.unmarked))),
        ("other faults", str(len(total.faults))),
    ]
    return "\n".join(f"{name:<15}{words}" for name, words in rows)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name or 'nothing'} {count}" for name, count in counts.most_common()) or "none"
