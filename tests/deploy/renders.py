"""What the chart and the kustomizations make, kept in ``tests/fixtures/deploy``: one file for each set of values.

``make check`` reads these files and needs neither Helm nor kustomize. Each says in its first line what it was made of;
``make deploy-check`` makes them anew with the real tools and compares.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app import __version__

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "sentry-splunk-relay"
KUBERNETES = DEPLOY / "kubernetes"
KEPT = ROOT / "tests" / "fixtures" / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
RULES_OF_THE_OPERATOR = KUBERNETES / "components" / "monitoring" / "prometheusrule.yaml"
ELIDED = {"groups": "those of deploy/prometheus/rules.yaml"}
"""The alert rules are compared by themselves, so that a new rule changes no file here."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One set of values of the chart, or one kustomization."""

    name: str
    source: Path

    @property
    def is_chart(self) -> bool:
        """Whether Helm renders it."""
        return self.source.suffix == ".yaml"

    @property
    def kept(self) -> Path:
        """Where its render is kept."""
        return KEPT / f"{self.name}.yaml"

    def inputs(self) -> Iterator[Path]:
        """Every file that the render depends on, less the alert rules."""
        folder = CHART if self.is_chart else KUBERNETES
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        yield from (path for path in files if path.name not in {RULES.name, RULES_OF_THE_OPERATOR.name})
        if self.is_chart:
            yield self.source

    def digest(self) -> str:
        """Of all inputs, whatever the version."""
        whole = hashlib.sha256()
        for path in self.inputs():
            content = path.read_text("utf-8").replace(__version__, "VERSION")
            whole.update(f"{path.relative_to(ROOT)}\0{content}\0".encode())
        return whole.hexdigest()


def cases() -> list[Case]:
    """All of them."""
    charts = sorted((DEPLOY / "helm" / "examples").glob("*.yaml"))
    kustomizations = sorted(
        path.parent for path in KUBERNETES.rglob("kustomization.yaml") if path.parent.parent.name != "components"
    )
    return [
        *(Case(f"helm-{path.stem}", path) for path in charts),
        *(Case(f"kubernetes-{path.name}", path) for path in kustomizations if path.name != "base"),
    ]


def written(case: Case, documents: list[Document]) -> str:
    """A render as it is kept: sorted, without comments, without version, without alert rules."""
    ordered = sorted(documents, key=lambda document: (document["kind"], document["metadata"]["name"]))
    elided = [each | {"spec": ELIDED} if each["kind"] == "PrometheusRule" else each for each in ordered]
    body = yaml.safe_dump_all(elided, sort_keys=True, width=120, allow_unicode=True)
    return f"# inputs {case.digest()}\n{body.replace(__version__, 'VERSION')}"


@cache
def kept(case: Case) -> tuple[Document, ...]:
    """The documents of a render that is kept, the version put in."""
    text = case.kept.read_text("utf-8").replace("VERSION", __version__)
    return tuple(document for document in yaml.safe_load_all(text) if document)


def digest_kept(case: Case) -> str:
    """What the render that is kept was made of; empty if there is none."""
    if not case.kept.exists():
        return ""
    return case.kept.read_text("utf-8").partition("\n")[0].removeprefix("# inputs ")


def operator_rules() -> str:
    """The alert rules as a PrometheusRule."""
    head = "# Written by `make deploy-rules` out of deploy/prometheus/rules.yaml.\n"
    lines = [line for line in RULES.read_text("utf-8").splitlines() if not line.startswith("#")]
    body = "\n".join(f"  {line}" if line else "" for line in lines)
    meta = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: sentry-relay}\nspec:\n"
    return f"{head}{meta}{body}\n"


def main() -> None:
    """``make deploy-rules``: write the alert rules for the Prometheus Operator."""
    RULES_OF_THE_OPERATOR.write_text(operator_rules(), "utf-8")


if __name__ == "__main__":
    main()
