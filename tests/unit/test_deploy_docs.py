"""The documents point at files that can be applied, and print none."""

import re
from pathlib import Path

import pytest

from tests.deploy.renders import cases
from tests.unit.pages import DOCS, PAGES, ROOT, fenced, links, snippets

DEPLOY = ROOT / "deploy"
SHOWN = [ROOT / "README.md", DOCS / "operations.md", DOCS / "kubernetes.md", DOCS / "grafana.md"]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_no_page_prints_what_is_a_file(page: Path) -> None:
    """Manifests, units and configurations are applied and tested; a copy on a page is neither."""
    printed = [body for language, body in fenced(page) if language in {"yaml", "ini", "nginx", "json", "dockerfile"}]
    assert not printed


def test_what_is_applied_is_rendered_by_the_tests() -> None:
    """Every folder, chart and values file that a command on a page names."""
    known = {case.source for case in cases()}
    said = [snippet for page in PAGES for snippet in snippets(page)]
    applied = {ROOT / path for line in said for path in re.findall(r"kubectl apply -k (deploy/\S+)", line)}
    charts = {ROOT / path for line in said for path in re.findall(r"helm (?:install|upgrade) \S+ (deploy/\S+)", line)}
    assert applied
    assert applied <= known
    assert charts == {DEPLOY / "helm" / "sentry-splunk-relay"}


def test_every_way_to_run_it_is_linked() -> None:
    """Whoever looks for one finds it from a page."""
    linked = {file.resolve() for page in PAGES for _, file, _ in links(page)}
    ways = [
        *(DEPLOY / "compose").glob("*.yaml"),
        *(DEPLOY / "compose").glob("*.conf"),
        *(DEPLOY / "helm" / "examples").glob("*.yaml"),
        *(DEPLOY / "kubernetes" / "overlays").glob("*/kustomization.yaml"),
        *(DEPLOY / "nginx").iterdir(),
        *(DEPLOY / "systemd").iterdir(),
        *(DEPLOY / "grafana").iterdir(),
        *(DEPLOY / "prometheus").iterdir(),
    ]
    assert not [way.relative_to(ROOT) for way in ways if way.resolve() not in linked]
