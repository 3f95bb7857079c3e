"""``make attack``: what strangers can do to the port, with honest hooks beside it. Some minutes, loopback only."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.attack.attacks import ATTACKS
from tests.attack.site import Outcome, attacked, site

P99_MAX_MS = 300.0
MEMORY_MAX_BYTES = 300_000_000


def main() -> int:
    """Print one table; exit status 1 if a hook was refused, or an aim was missed."""
    options = argparse.ArgumentParser(prog="make attack")
    options.add_argument("--seconds", type=float, default=8.0, help="of each attack")
    options.add_argument("--only", choices=list(ATTACKS), action="append", help="an attack; may be given several times")
    given = options.parse_args()
    missed = 0
    say(f"{'attack':22}{'sent':>10}{'hooks':>8}{'refused':>9}{'p99':>9}{'worst':>9}{'memory':>9}")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".attack-") as name, site(Path(name)) as running:
        for attack in given.only or ATTACKS:
            outcome = attacked(running, attack, given.seconds)
            missed += not reached(outcome)
            say(row(outcome))
    return 1 if missed else 0


def reached(outcome: Outcome) -> bool:
    """Whether the aims were: no honest hook refused, nearly all answered in time, memory bounded."""
    return not outcome.seen.refused and outcome.seen.p99_ms < P99_MAX_MS and outcome.rss_bytes < MEMORY_MAX_BYTES


def row(outcome: Outcome) -> str:
    """One line of the table."""
    seen = outcome.seen
    return (
        f"{outcome.name:22}{_bytes(outcome.sent_bytes):>10}{len(seen.seconds):>8}{len(seen.refused):>9}"
        f"{seen.p99_ms:>6.0f} ms{seen.worst_ms:>6.0f} ms{outcome.rss_bytes / 1e6:>6.0f} MB"
        + ("" if reached(outcome) else f"  MISSED {seen.refused[:1] or ''}")
    )


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def say(line: str) -> None:
    """Out with it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
