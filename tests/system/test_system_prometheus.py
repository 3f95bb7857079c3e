"""A real Prometheus scrapes a real relay: every panel's query and every rule is one that it computes."""

import json
import re
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.renders import DEPLOY
from tests.system.running import Relay, Server, Splunk, hook, wait_until

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="NO PROMETHEUS: QUERIES ARE NOT TRIED (Debian: prometheus)"),
]
SHOWN_WHERE_ALL_IS_WELL = {
    "Alerts firing",
    "Hooks refused and lost",
    "Oldest waiting",
    "Dead letters",
    "Relays",
    "Books off by",
    "Tenants file",
    "Spool used",
    "Hooks accepted",
    "Time to the answer",
    "Age of the oldest waiting",
    "Delay, p95",
    "Delivered",
    "Posts by outcome",
    "Duration of a post",
    "Size of a post",
    "hec_events of a post",
    "Hooks stored",
    "Payload bytes",
    "Versions",
}
"""The other panels are about faults, and have nothing to show at a relay that has none."""


class Prometheus(Server):
    """Prometheus with the configuration of the repository, asking one relay every second."""

    def __init__(self, folder: Path, relay: Relay) -> None:
        super().__init__(folder, "prometheus", "/-/ready")
        said = (DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8")
        said = said.replace("relay.internal:8080", f"127.0.0.1:{relay.port}")
        said = said.replace("[rules.yaml]", f"[{DEPLOY / 'prometheus' / 'rules.yaml'}]")
        configuration = folder / "prometheus.yaml"
        configuration.write_text(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{said}", "utf-8")
        self._command = [str(PROMETHEUS), f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}"]
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        listening = f"--web.listen-address=127.0.0.1:{self.port}"
        self._running = subprocess.Popen([*self._command, listening], stderr=subprocess.DEVNULL)
        wait_until(lambda: self._answers("/-/ready"), lambda: "it does not start")

    def remove(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.send_signal(signal.SIGTERM)
            self._running.wait(30)
        super().remove()

    def rows(self, query: str) -> list[Any]:
        """What a query finds now; ``AssertionError`` if Prometheus does not take it."""
        answer = self.get(f"/api/v1/query?{urllib.parse.urlencode({'query': query})}").json()
        assert answer["status"] == "success", f"{query}: {answer}"
        found: list[Any] = answer["data"]["result"]
        return found

    def _answers(self, path: str) -> bool:
        try:
            return self.get(path).status == 200
        except OSError:
            return False


@pytest.fixture
def prometheus(relay: Relay, tmp_path: Path) -> Iterator[Prometheus]:
    """One that scrapes the relay."""
    prometheus = Prometheus(tmp_path, relay)
    try:
        prometheus.start()
        yield prometheus
    finally:
        prometheus.remove()


def panels() -> dict[str, list[str]]:
    """The queries of the dashboard as Grafana sends them, by the panel's title."""
    board = json.loads((DEPLOY / "grafana" / "sentry-splunk-relay.json").read_text("utf-8"))
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]

    def filled(query: str) -> str:
        query = query.replace("$__rate_interval", "1m").replace("$__range", "10m")
        return re.sub(r"\$(instance|tenant|destination)", ".*", query)

    return {panel["title"]: [filled(target["expr"]) for target in panel["targets"]] for panel in shown}


def test_every_panel_shows_what_a_relay_tells(prometheus: Prometheus, relay: Relay, splunk: Splunk) -> None:
    """After some hooks each query is computed, and each panel has something to show but those about faults."""
    numbers = count(9500)
    counted = "sum(increase(relay_attempts_total[1m])) > 0 and sum(rate(relay_accept_duration_seconds_count[1m])) > 0"

    def counts() -> bool:
        """A series that begins is no increase: hooks come until Prometheus has seen one."""
        answer = relay.post(*hook(next(numbers)))
        splunk.wait_for({answer.json()["delivery"]})
        return bool(prometheus.rows(counted))

    wait_until(counts, lambda: "nothing is counted")
    shown = {title for title, queries in panels().items() if all(map(prometheus.rows, queries))}
    assert SHOWN_WHERE_ALL_IS_WELL - shown == set()


def test_every_rule_is_computed_and_still(prometheus: Prometheus) -> None:
    """None is refused, and none fires at a relay that is well."""
    asked = "/api/v1/rules?type=alert"

    def rules() -> list[dict[str, Any]]:
        groups = prometheus.get(asked).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), lambda: "rules are not evaluated")
    assert {rule["health"] for rule in rules()} == {"ok"}
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []
