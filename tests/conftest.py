"""What every test may ask for, how thoroughly it looks, and what a run says that it left out."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.memory import memory
from tests.postgres_server import PostgresServer

POSTGRES_URL = "RELAY_TEST_POSTGRES_URL"
"""Any server may be tested; each test has a schema of its own there."""
TIMES = int(os.environ.get("PROPERTY_TIMES", "1"))
# How long an example takes says more about the machine than about the code; one that fails shows how to repeat it.
# ``quick`` and ``full`` try the same examples on every machine, so that a gate that closes does so for a reason.
_ANY_MACHINE: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
settings.register_profile("quick", max_examples=20, derandomize=True, **_ANY_MACHINE)
settings.register_profile("full", max_examples=100, derandomize=True, **_ANY_MACHINE)
settings.register_profile("property", max_examples=100 * TIMES, **_ANY_MACHINE)
settings.load_profile("quick")

SLOW = pytest.StashKey[int]()
"""How many tests marked ``slow`` were left out, in this process and in its workers."""


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the relay runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of PostgreSQL: that of the environment, or one that is there for as long as the tests run."""
    given = os.environ.get(POSTGRES_URL)
    if given:
        yield given
        return
    with PostgresServer(log_in_memory=True) as server:
        yield server.url


def pytest_configure(config: pytest.Config) -> None:
    """Folders of tests lie in memory, and go at the end; ``--basetemp`` names another place, and leaves them."""
    folder = memory()
    if folder is None or config.option.basetemp or hasattr(config, "workerinput"):
        return
    for left in folder.glob("relay-tests-*"):
        if not Path("/proc", left.name.split("-")[2]).exists():  # a run that was killed
            shutil.rmtree(left, ignore_errors=True)
    config.option.basetemp = tempfile.mkdtemp(prefix=f"relay-tests-{os.getpid()}-", dir=folder)
    config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow comes first: whoever is free at the end finds something short to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember what ``-m "not slow"`` leaves out."""
    for item in items:
        if item.get_closest_marker("slow") is not None:
            item.config.stash[SLOW] = item.config.stash.get(SLOW, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["slow"] = session.config.stash.get(SLOW, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker has left out the same tests."""
    node.config.stash[SLOW] = getattr(node, "workeroutput", {}).get("slow", 0)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How many tests ran and what was left out, for whoever reads no more than the end."""
    stats = terminalreporter.stats
    skipped = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in stats.get("skipped", ()))
    ran = sum(len(stats.get(outcome, ())) for outcome in ("passed", "failed", "xfailed", "xpassed"))
    terminalreporter.section("what ran")
    terminalreporter.line(f"{ran} tests ran")
    if slow := config.stash.get(SLOW, 0):
        terminalreporter.line(f"left out: {slow}, marked slow; `make check` runs them")
    for reason, count in skipped.items():
        terminalreporter.line(f"left out: {count}, {reason}")
