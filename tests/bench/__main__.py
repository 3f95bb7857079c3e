"""``make bench``: everything that the project calls fast, measured in one run on this machine."""

import argparse
import os
import platform
import sys
from argparse import Namespace
from collections.abc import Callable

from tests.bench import accept, commit, end_to_end, neighbours, pages, postgres, replicas, send, transform


def _accept(given: Namespace) -> list[str]:
    figures = accept.measure(given.rounds, given.seconds)
    return [*accept.table(figures), "", *accept.verdict(figures)]


PARTS: dict[str, Callable[[Namespace], list[str]]] = {
    "accept": _accept,
    "commit": lambda given: commit.measure(given.seconds),
    "end-to-end": lambda given: end_to_end.measure(given.seconds * 3, given.waiting),
    "transform": lambda given: transform.measure(given.rounds),
    "send": lambda given: send.measure(min(3, given.rounds)),
    "neighbours": lambda given: neighbours.measure(min(2, given.rounds), given.seconds * 2, given.waiting // 2),
    "pages": lambda given: pages.measure(min(3, given.rounds), given.seconds),
    "postgres": lambda given: postgres.measure(given.rounds),
    "replicas": lambda _given: replicas.measure(),
}
"""Each gives its lines; one with the word MISSED names an aim that was not reached."""


def main() -> int:
    """Print the tables; exit status 1 if an aim was missed."""
    options = argparse.ArgumentParser(prog="make bench")
    options.add_argument("--rounds", type=int, default=5, help="how often each pair is measured")
    options.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    options.add_argument("--waiting", type=int, default=100_000, help="hooks for the memory figure")
    options.add_argument("--only", choices=list(PARTS), action="append", help="a part; may be given several times")
    given = options.parse_args()
    say(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}, bodies of 10 kB\n")
    missed = 0
    for name in given.only or PARTS:
        lines = PARTS[name](given)
        missed += sum("MISSED" in each for each in lines)
        say(*lines, "")
    return 1 if missed else 0


def say(*lines: str) -> None:
    """Out with it."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
