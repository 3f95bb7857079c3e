"""What the chart and the kustomizations make fits the relay: settings, paths, times, rights, names.

Read are the renders that ``tests/fixtures/deploy`` keeps; ``make deploy-check`` makes them with Helm and kustomize.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI

from app import __version__
from app.health import Health, add_routes
from app.settings import Settings, load_settings
from app.tenants.registry import Registry
from tests.deploy.renders import (
    CHART,
    KEPT,
    KUBERNETES,
    RULES_OF_THE_OPERATOR,
    Case,
    Document,
    cases,
    digest_kept,
    kept,
    operator_rules,
)
from tests.unit.pages import ROOT, text
from tools.release import cut

CASES = cases()
by_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
BESIDE_S = 5.0
"""A pod may take this much longer to end than the relay says, or more."""


def image_environment() -> dict[str, str]:
    """What the image itself sets."""
    found = re.findall(r"\b(RELAY_\w+)=(\S+)", text(ROOT / "Dockerfile"))
    assert found
    return dict(found)


def of_kind(case: Case, *kinds: str) -> list[Document]:
    """The objects of these kinds."""
    return [document for document in kept(case) if document["kind"] in kinds]


def pods(case: Case) -> Iterator[tuple[Document, Document]]:
    """Every pod template, with what makes its pods."""
    for document in of_kind(case, "StatefulSet", "Deployment", "Job"):
        yield document, document["spec"]["template"]


def relays(case: Case) -> list[tuple[Document, Document, dict[str, Any]]]:
    """Every pod that serves, with its one container."""
    served = [(owner, pod, pod["spec"]["containers"]) for owner, pod in pods(case) if owner["kind"] != "Job"]
    return [(owner, pod, container) for owner, pod, [container] in served]


def settings_of(container: dict[str, Any]) -> Settings:
    """The settings that a container starts with, in the image's environment; a secret URL is PostgreSQL's."""
    environ = image_environment()
    for variable in container["env"]:
        environ[variable["name"]] = variable.get("value", "postgresql://relay@db/relay")
    return load_settings(environ)


def selects(selector: dict[str, str], pod: Document) -> bool:
    """Whether a selector means the pod."""
    return bool(selector.items() <= pod["metadata"]["labels"].items())


@by_case
def test_what_is_kept_was_made_of_what_there_is(case: Case) -> None:
    """A changed template, value or manifest comes with its render."""
    assert digest_kept(case) == case.digest(), "make deploy-renders, and read the difference"


def test_nothing_is_kept_of_what_is_gone() -> None:
    """Each file is that of a case."""
    assert {path.name for path in KEPT.iterdir()} == {case.kept.name for case in CASES}


@by_case
def test_every_relay_starts_with_its_settings(case: Case) -> None:
    """Each variable is a setting with a value that it takes; the spool is the engine's that the role needs."""
    for owner, _, container in relays(case):
        settings = settings_of(container)
        assert settings.trusted_proxies, "every sender would be the proxy"
        alone = owner["kind"] == "StatefulSet"
        assert settings.spool_url.get_secret_value().startswith("sqlite" if alone else "postgresql")
        role = [] if alone else ["--role", container["args"][-1]]
        assert container["args"] == ["serve", *role]
        assert owner["spec"].get("replicas") == (1 if alone else None)


@by_case
def test_every_relay_may_end_in_order(case: Case) -> None:
    """The pod waits for longer than a stop takes with these settings."""
    for _, pod, container in relays(case):
        settings = settings_of(container)
        stop_s = settings.drain_delay_s + settings.body_deadline_s + settings.drain_deadline_s
        assert pod["spec"]["terminationGracePeriodSeconds"] >= stop_s + BESIDE_S


@by_case
def test_every_file_that_a_relay_needs_is_mounted(case: Case) -> None:
    """The tenants file's folder, the spool's, that of the secrets, and no single file (which would never change)."""
    for owner, pod, container in relays(case):
        settings = settings_of(container)
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert not [mount for mount in mounts.values() if "subPath" in mount]
        tenants = volumes[mounts[str(settings.tenants_file.parent)]["name"]]
        assert tenants["configMap"]["name"]
        secrets = volumes[mounts["/run/secrets/relay"]["name"]]["secret"]
        assert secrets["defaultMode"] == 0o440
        if owner["kind"] == "StatefulSet":
            [claim] = owner["spec"]["volumeClaimTemplates"]
            folder = Path(settings.spool_url.get_secret_value().removeprefix("sqlite:///")).parent
            assert mounts[str(folder)]["name"] == claim["metadata"]["name"]


@by_case
def test_the_tenants_file_is_a_good_one(case: Case, tmp_path: Path) -> None:
    """As far as it is in the render: the relay reads it, and each secret is where the Secret is mounted."""
    for document in of_kind(case, "ConfigMap"):
        said = document["data"]["tenants.yaml"]
        secrets = re.findall(r"file:/run/secrets/relay/(\w+)", said)
        assert secrets
        for name in secrets:
            (tmp_path / name).write_text(f"{name}-{'0' * 16}\n")
            (tmp_path / name).chmod(0o600)
        (tmp_path / "tenants.yaml").write_text(said.replace("/run/secrets/relay/", ""))
        assert Registry.load(tmp_path / "tenants.yaml", environ={}).snapshot.tenants
        mounted = {pod["spec"]["volumes"][0]["configMap"]["name"] for _, pod, _ in relays(case)}
        assert mounted == {document["metadata"]["name"]}


@by_case
def test_every_pod_is_restricted(case: Case) -> None:
    """As the Pod Security Standard "restricted" asks, with no token, no writable root, bounded memory."""
    for owner, pod in pods(case):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"emptyDir", "configMap", "secret"} >= {key for each in spec.get("volumes", ()) for key in each} - {
            "name"
        }
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, owner["metadata"]["name"]
            assert container["resources"]["limits"]["memory"]
            assert "cpu" not in container["resources"]["limits"] or owner["kind"] == "Job"
    for account in of_kind(case, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@by_case
def test_probes_ask_what_is_served_and_give_it_time(case: Case) -> None:
    """Readiness reads the spool, which takes a second with a million dead letters; one slow answer is no failure."""
    api = FastAPI(openapi_url=None)
    add_routes(api, Health.__new__(Health))
    served = {getattr(route, "path", "") for route in api.routes}
    for _, _, container in relays(case):
        [port] = container["ports"]
        assert port["containerPort"] == settings_of(container).port
        probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
        for probe in probes.values():
            assert probe["httpGet"]["path"] in served
            assert probe["httpGet"]["port"] == port["name"]
        assert probes["readiness"]["httpGet"]["path"] == "/readyz"
        assert {probes[kind]["httpGet"]["path"] for kind in ("startup", "liveness")} == {"/livez"}
        assert probes["readiness"]["timeoutSeconds"] >= 3
        assert probes["readiness"]["failureThreshold"] >= 2
        assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 90  # a database recovers


@by_case
def test_names_and_labels_meet(case: Case) -> None:
    """Selectors mean pods, claims of a name find the object of that name, ports are ports."""
    names = {(document["kind"], document["metadata"]["name"]) for document in kept(case)}
    if case.name == "kubernetes-migrate":
        assert names == {("Job", "sentry-relay-migrate")}
        return
    templates = [pod for _, pod in pods(case)]
    serving = [(pod, container) for _, pod, container in relays(case)]
    for owner, pod, _ in relays(case):
        assert selects(owner["spec"]["selector"]["matchLabels"], pod)
        assert len([each for each in templates if selects(owner["spec"]["selector"]["matchLabels"], each)]) == 1
        assert ("ServiceAccount", pod["spec"]["serviceAccountName"]) in names
    for service in of_kind(case, "Service"):
        chosen = [(pod, container) for pod, container in serving if selects(service["spec"]["selector"], pod)]
        roles = {container["args"][-1] for _, container in chosen}
        headless = service["spec"].get("clusterIP") == "None"
        assert roles
        assert headless or roles <= {"serve", "accept"}
        assert headless is (service["metadata"]["labels"].get("app.kubernetes.io/component") == "metrics")
    for scaler in of_kind(case, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names
        assert 2 <= scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]
    for budget in of_kind(case, "PodDisruptionBudget"):
        assert [pod for pod, _ in serving if selects(budget["spec"]["selector"]["matchLabels"], pod)]
    kinds = {kind for kind, _ in names}
    assert ({"HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds) is ("Deployment" in kinds)


@by_case
def test_the_network_is_closed_but_for_what_is_needed(case: Case) -> None:
    """Hooks and scrapes in; names, Splunk and the database out; never the address of a cloud's credentials."""
    for policy in of_kind(case, "NetworkPolicy"):
        spec = policy["spec"]
        assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
        assert all(selects(spec["podSelector"]["matchLabels"], pod) for _, pod in pods(case))
        assert all(rule["from"] and [port["port"] for port in rule["ports"]] == ["http"] for rule in spec["ingress"])
        names, outside = spec["egress"]
        assert {port["port"] for port in names["ports"]} == {53}
        blocks = [each["ipBlock"] for each in outside["to"]]
        assert "169.254.0.0/16" in blocks[0]["except"]
        ports = {port["port"] for port in outside["ports"]}
        assert (len(ports - {443, 8088}) == 1) is bool(of_kind(case, "Deployment"))
    assert of_kind(case, "NetworkPolicy") or case.name == "kubernetes-migrate"


def seconds(text: str) -> float:
    """Of ``20s`` or ``idle_timeout.timeout_seconds=20``."""
    [found] = re.findall(r"(?:=|^)(\d+)s?$", text)
    return float(found)


@by_case
def test_an_ingress_leads_to_the_relay_as_sentry_needs_it(case: Case) -> None:
    """/sentry alone, no redirect, bodies as large as the relay takes, idle connections closed before the relay does."""
    for ingress in of_kind(case, "Ingress"):
        controller = ingress["spec"]["ingressClassName"]
        said = {name.partition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
        [rule] = ingress["spec"]["rules"]
        [path] = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/sentry", "Prefix")
        assert ("Service", path["backend"]["service"]["name"]) in {
            (each["kind"], each["metadata"]["name"]) for each in kept(case)
        }
        assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
        biggest = max(settings_of(container).body_bytes_max for _, _, container in relays(case))
        if controller == "nginx":
            assert int(re.sub("m$", "000000", said["proxy-body-size"])) >= biggest
            assert said["proxy-request-buffering"] == "on"
            assert said["ssl-redirect"] == "false"
        elif controller == "alb":
            assert seconds(said["load-balancer-attributes"]) < Settings().keepalive_s
            assert said["listen-ports"] == '[{"HTTPS": 443}]'
        else:
            [body], [transport] = of_kind(case, "Middleware"), of_kind(case, "ServersTransport")
            assert body["spec"]["buffering"]["maxRequestBodyBytes"] >= biggest
            assert seconds(transport["spec"]["forwardingTimeouts"]["idleConnTimeout"]) < Settings().keepalive_s
            assert said["router.middlewares"] == f"sentry-relay-{body['metadata']['name']}@kubernetescrd"
            [used] = [
                service["metadata"]["annotations"]["traefik.ingress.kubernetes.io/service.serverstransport"]
                for service in of_kind(case, "Service")
                if "annotations" in service["metadata"]
            ]
            assert used == f"sentry-relay-{transport['metadata']['name']}@kubernetescrd"


@by_case
def test_prometheus_finds_every_relay_under_the_name_that_the_rules_know(case: Case) -> None:
    """The ServiceMonitor means the Service for metrics, and its job label makes the job's name."""
    for monitor in of_kind(case, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        found = [each for each in of_kind(case, "Service") if wanted.items() <= each["metadata"]["labels"].items()]
        [service] = found
        assert service["spec"]["publishNotReadyAddresses"] is True
        job = service["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        assert f'up{{job="{job}"}}' in text(ROOT / "deploy/prometheus/rules.yaml")
        assert {endpoint["path"] for endpoint in monitor["spec"]["endpoints"]} == {"/metrics"}


def test_chart_and_kustomization_run_the_same_pods() -> None:
    """Whoever goes from one to the other finds the relay as it was."""

    def plain(name: str) -> list[Any]:
        [case] = [case for case in CASES if case.name == name]
        found = []
        for _, pod, container in relays(case):
            spec = {key: pod["spec"][key] for key in ("automountServiceAccountToken", "enableServiceLinks")}
            shown = {key: value for key, value in container.items() if key not in {"image", "imagePullPolicy"}}
            shown["env"] = sorted(container["env"], key=lambda variable: str(variable["name"]))
            found.append((spec, sorted(shown.items(), key=str)))
        return found

    assert plain("helm-sqlite") == plain("kubernetes-sqlite")
    assert plain("helm-postgres-nginx") == plain("kubernetes-postgres")


def test_kustomizations_name_their_namespace() -> None:
    """What is in none would land wherever somebody happens to be."""
    for case in CASES:
        spaced = [each["metadata"].get("namespace") for each in kept(case) if each["kind"] != "Namespace"]
        assert set(spaced) <= ({None} if case.is_chart else {"sentry-relay"}), case.name


def test_the_rules_of_the_operator_are_the_rules() -> None:
    """`make deploy-rules` writes them."""
    assert text(RULES_OF_THE_OPERATOR) == operator_rules(), "make deploy-rules"
    loaded = yaml.safe_load(operator_rules())
    assert loaded["spec"] == yaml.safe_load(text(ROOT / "deploy/prometheus/rules.yaml"))
    assert (CHART / "files" / "rules.yaml").resolve() == ROOT / "deploy/prometheus/rules.yaml"


def test_chart_and_kustomizations_are_of_this_version() -> None:
    """`make release` writes it."""
    chart = yaml.safe_load(text(CHART / "Chart.yaml"))
    assert {chart["version"], chart["appVersion"]} == {__version__}
    tags = [tag for path in KUBERNETES.rglob("kustomization.yaml") for tag in re.findall(r"newTag: (\S+)", text(path))]
    assert set(tags) == {__version__}


def test_a_release_writes_its_version_into_them(tmp_path: Path) -> None:
    """Chart, application and image; the rest of the files stays as it is."""
    names = ["deploy/helm/sentry-splunk-relay/Chart.yaml", "deploy/kubernetes/overlays/sqlite/kustomization.yaml"]
    for name in ("CHANGELOG.md", "app/__init__.py", *names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text(ROOT / name).replace("## [Unreleased]\n", "## [Unreleased]\n\n- A thing.\n"))
    cut("99.1.2", tmp_path, today="2030-01-01")
    for name, times in zip(names, (2, 1), strict=True):
        written = (tmp_path / name).read_text()
        assert written.count("99.1.2") == times
        assert written.replace("99.1.2", __version__) == text(ROOT / name)
