"""The alert rules ask for what the relay has, and fire when they should."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.pages import ROOT, text
from tests.unit.promql import Unknown, labels_of, metrics_of

FOLDER = ROOT / "deploy" / "prometheus"
LOADED: Any = yaml.safe_load(text(FOLDER / "rules.yaml"))
RULES = [rule for group in LOADED["groups"] for rule in group["rules"]]
PROMTOOL = shutil.which("promtool")


def promtool(*arguments: str, cwd: Path) -> None:
    """Run promtool in a folder; skip without it, but not in CI, which installs it."""
    if PROMTOOL is None:
        assert not os.environ.get("CI"), "CI has no promtool: the alert rules would go untested"
        pytest.skip("NO PROMTOOL: THE ALERT RULES ARE NOT TESTED (Debian: apt-get install prometheus)")
    ended = subprocess.run([PROMTOOL, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_every_rule_names_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    """In its expression and in its words."""
    labels = labels_of(rule["expr"])
    named = {name for said in rule["annotations"].values() for name in re.findall(r"\$labels\.(\w+)", said)}
    assert named <= labels


def test_the_rules_are_rules_to_prometheus() -> None:
    """Its own tool takes them."""
    promtool("check", "rules", "rules.yaml", cwd=FOLDER)


def test_the_scrape_configuration_is_one_to_prometheus() -> None:
    """With the job name that the rules know, and the rules beside it."""
    promtool("check", "config", "prometheus.yaml", cwd=FOLDER)
    loaded: Any = yaml.safe_load(text(FOLDER / "prometheus.yaml"))
    [job] = [each["job_name"] for each in loaded["scrape_configs"]]
    assert f'up{{job="{job}"}}' in text(FOLDER / "rules.yaml")


@pytest.mark.slow
def test_the_rules_fire_when_they_should() -> None:
    """And are still when all is well."""
    promtool("test", "rules", "rules_test.yaml", cwd=FOLDER)


@pytest.mark.slow
def test_promtool_sees_a_rule_that_no_longer_fires(tmp_path: Path) -> None:
    """The test above can fail: a threshold that is moved is told."""
    moved = text(FOLDER / "rules.yaml").replace("relay_deliveries_dead > 0", "relay_deliveries_dead > 1000")
    (tmp_path / "rules.yaml").write_text(moved, "utf-8")
    shutil.copy(FOLDER / "rules_test.yaml", tmp_path)
    with pytest.raises(AssertionError, match="RelayDeadLetters"):
        promtool("test", "rules", "rules_test.yaml", cwd=tmp_path)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("sum(relay_hooks_taken_total)", "relay_hooks_taken_total"),
        ('relay_hooks_accepted_total{destination="main"}', "destination"),
        ("sum by (cause) (relay_deliveries_dead)", "cause"),
        ("relay_attempt_duration_seconds > 1", "relay_attempt_duration_seconds"),
        ("sum(relay_hooks_accepted_total) and on (tenant) up", "tenant"),
        ("relay_tenants * on (instance) group_left (code) relay_build_info", "code"),
        ("sum by (tenant) (topk(3, sum by (destination) (relay_deliveries_dead)))", "tenant"),
    ],
)
def test_a_name_that_nothing_declares_is_seen(expression: str, words: str) -> None:
    """Metrics, matchers, groupings, matchings."""
    with pytest.raises(Unknown, match=words):
        labels_of(expression)


def test_what_an_expression_names() -> None:
    """Within ranges, offsets, functions and both sides of an operator."""
    expression = "histogram_quantile(0.9, rate(a_bucket[5m] offset 1h)) / (b or -c) > max_over_time(d[1h:1m])"
    assert metrics_of(expression) == {"a_bucket", "b", "c", "d"}
