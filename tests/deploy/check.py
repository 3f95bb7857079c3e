"""``make deploy-check``: render with the real Helm and the real kustomize, compare, validate by Kubernetes' schemas.

Runs in an environment of its own (``deploy/check.lock``), because these tools take 600 MB. Helm and kustomize are their
own Go code in wheels. With ``--write`` what is kept is written anew; read the difference before it is committed.
"""

import argparse
import ctypes
import difflib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

from tests.deploy.renders import CHART, ROOT, RULES, Case, Document, cases, written

KUBERNETES_VERSIONS = ("1.29", "1.33", kubernetes_validate.latest_version())
"""The oldest whose schemas are at hand and that has all that is used, one between, the newest."""
OF_OTHERS = {"ServiceMonitor", "PrometheusRule", "Middleware", "ServersTransport"}
"""Custom resources: Kubernetes itself has no schema of them."""
CHECKOV_LEFT = {
    "CKV_K8S_11": "no limit of processor: a throttled relay answers after Sentry's second",
    "CKV_K8S_15": "tags are not moved, so a node that has the image need not ask for it again",
    "CKV_K8S_21": "Helm puts what has no namespace into that of the release; kustomizations name theirs",
    "CKV_K8S_35": "the URL of PostgreSQL is a setting; a passfile is its owner's alone, which a Secret's file is not",
    "CKV_K8S_43": "the digest is that of whoever builds the image (image.digest, images[].digest)",
}
REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nobody could send", {}),
    ("not both", {"tenants": "tenants: {}", "tenantsConfigMap": "ours"}),
    ("engine", {"tenants": "tenants: {}", "spool": {"engine": "mysql"}}),
    ("replicas", {"tenants": "tenants: {}", "replicas": 3}),
    ("digest", {"tenants": "tenants: {}", "image": {"digest": "latest"}}),
    ("LOG_LEVEL", {"tenants": "tenants: {}", "settings": {"LOG_LEVEL": "debug"}}),
)
"""Values that the chart does not take, and a word of why."""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 if every render is as it is kept and valid."""
    parser = argparse.ArgumentParser(prog="deploy-check", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is kept anew")
    chosen = parser.parse_args(arguments)
    faults = [*lint(), *refusals(), *digests()]
    rendered = {case: list(render(case)) for case in cases()}
    for case, documents in rendered.items():
        faults += [*rules(case, documents), *invalid(case, documents), *changed(case, documents, write=chosen.write)]
    faults += checkov(rendered)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    count = sum(map(len, rendered.values()))
    passed = f"{len(rendered)} renders, {count} objects, Kubernetes {', '.join(KUBERNETES_VERSIONS)}"
    sys.stdout.write(f"deploy-check: {passed}, {len(faults)} faults\n")
    return 1 if faults else 0


def render(case: Case) -> Iterator[Document]:
    """The objects of a case, by the tool that its users have."""
    yield from helm(yaml.safe_load(case.source.read_text("utf-8"))) if case.is_chart else kustomize(case.source)


def helm(values: dict[str, Any]) -> list[Document]:
    """What ``helm template relay --namespace sentry-relay`` renders.

    Raises:
        HelmError: the values do not fit the schema, or a template refuses them.
    """
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name="relay", namespace="sentry-relay")
    texts = [text for name, text in sorted(rendered.items()) if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def kustomize(folder: Path) -> list[Document]:
    """What ``kubectl kustomize`` prints. The wheel's own Python asks for 3.14, its library for none."""
    [found] = (Path(sys.prefix) / "kustomize" / "pykustomize" / "_lib").glob("*/libpykustomize.so")
    library = ctypes.CDLL(str(found))
    library.pykustomize_build.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
    library.pykustomize_last_error.restype = ctypes.c_char_p
    out = ctypes.c_char_p()
    if library.pykustomize_build(str(folder).encode(), b"{}", ctypes.byref(out)):
        raise ValueError(f"{folder.relative_to(ROOT)}: {library.pykustomize_last_error().decode()}")
    return [document for document in yaml.safe_load_all((out.value or b"").decode()) if document]


def lint() -> Iterator[str]:
    """What ``helm lint`` finds; information (an icon would be nice) is none."""
    values = yaml.safe_load(next(case for case in cases() if case.is_chart).source.read_text("utf-8"))
    found = helm_python.lint(CHART, values=values)
    for message in found["messages"]:
        if message["severity"] > 1:
            yield f"helm lint: {message['path']}: {message['error']}"


def refusals() -> Iterator[str]:
    """Values that should be refused, and are not, or without saying why."""
    for word, values in REFUSED:
        try:
            helm(values)
        except helm_python.HelmError as error:
            if word not in str(error):
                yield f"{values}: refused, but for {error}"
        else:
            yield f"{values}: not refused"


def digests() -> Iterator[str]:
    """An image that is named by its digest is asked for by it and by nothing else."""
    digest = f"sha256:{'0123456789abcdef' * 4}"
    rendered = helm({"tenants": "tenants: {}", "image": {"repository": "r/relay", "tag": "1", "digest": digest}})
    images = {
        container["image"]
        for document in rendered
        if document["kind"] == "StatefulSet"
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    if images != {f"r/relay@{digest}"}:
        yield f"image.digest: {images}"


def rules(case: Case, documents: list[Document]) -> Iterator[str]:
    """The alert rules of the Prometheus Operator are those of deploy/prometheus."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for document in documents:
        if document["kind"] == "PrometheusRule" and document["spec"]["groups"] != groups:
            yield f"{case.name}: its alert rules are not those of deploy/prometheus/rules.yaml"


def invalid(case: Case, documents: list[Document]) -> Iterator[str]:
    """What no Kubernetes would take: unknown fields, wrong types."""
    for document in documents:
        for version in KUBERNETES_VERSIONS if document["kind"] not in OF_OTHERS else ():
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{case.name}: {document['kind']} in {version}: {error}"


def changed(case: Case, documents: list[Document], *, write: bool) -> Iterator[str]:
    """The difference between a render and the one that is kept."""
    now = written(case, documents)
    before = case.kept.read_text("utf-8") if case.kept.exists() else ""
    if write:
        case.kept.write_text(now, "utf-8")
    elif now != before:
        lines = difflib.unified_diff(before.splitlines(), now.splitlines(), "kept", "rendered", lineterm="", n=1)
        yield "\n".join([f"{case.name}: not as it is kept; make deploy-renders", *lines])


def checkov(rendered: dict[Case, list[Document]]) -> Iterator[str]:
    """What checkov finds in all of them, less what is left with a reason."""
    with tempfile.TemporaryDirectory(prefix="deploy-check-") as folder:
        for case, documents in rendered.items():
            Path(folder, f"{case.name}.yaml").write_text(yaml.safe_dump_all(documents), "utf-8")
        command = [str(Path(sys.executable).with_name("checkov")), "--skip-download", "--quiet", "--compact"]
        asked = ["--framework", "kubernetes", "--skip-check", ",".join(CHECKOV_LEFT), "-o", "json", "-d", folder]
        ended = subprocess.run([*command, *asked], capture_output=True, text=True, check=False)
    if not ended.stdout.startswith("{"):
        yield f"checkov: {ended.stderr[-500:]}"
        return
    report = json.loads(ended.stdout)
    if report["summary"]["passed"] == 0 or report["summary"]["parsing_errors"]:
        yield f"checkov looked at nothing: {report['summary']}"
    for found in report["results"]["failed_checks"]:
        where = f"{found['file_path'].strip('/')}: {found['resource']}"
        yield f"checkov: {where}: {found['check_id']} {found['check_name']}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
