"""The Kubernetes manifests under ``podman play kube``, which runs pods without a cluster.

What podman cannot do is put into what it can: a StatefulSet is a Deployment with its claim beside it, a Job a pod that
ends. Pods share this machine's network, so each listens on a port of its own. The rest is as in the manifest: what
runs, as whom, with which rights, files and settings.
"""

import base64
import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.renders import Document
from tests.system.running import IMAGE, STOP_DEADLINE_S, engine

RAN = {"ConfigMap", "Deployment", "StatefulSet", "Job"}
ENDED_DEADLINE_S = 60.0


def secret(name: str, values: Mapping[str, str]) -> Document:
    """A Secret as ``kubectl create secret generic`` makes it."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def values_of(secrets: list[Document]) -> dict[str, dict[str, str]]:
    """What Secrets hold, by their names and keys."""
    return {
        each["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in each["data"].items()}
        for each in secrets
    }


def playable(
    document: Document, ports: Mapping[str, int], decoded: Mapping[str, Mapping[str, str]]
) -> Iterator[Document]:
    """A manifest as podman takes it. ``ports`` by the name of the workload; ``decoded`` is what the Secrets hold."""
    played = copy.deepcopy(document)
    played["metadata"].pop("namespace", None)
    if "template" in played.get("spec", {}):
        name = played["metadata"]["name"]
        pod = played["spec"]["template"]["spec"]
        [container] = pod["containers"]
        container["image"], container["imagePullPolicy"] = IMAGE, "Never"
        for variable in container.get("env", ()):
            if source := variable.pop("valueFrom", None):  # podman's releases do not agree on what a Secret's text is
                variable["value"] = decoded[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        if container.pop("ports", None):
            container["env"].append({"name": "RELAY_PORT", "value": str(ports[name])})
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(probe, None)  # podman would ask by a curl of the image's
        for claim in played["spec"].pop("volumeClaimTemplates", []):
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim}  # noqa: PLW2901 - the same, as a document
            claim["metadata"]["name"] = f"{name}-{claim['metadata']['name']}"
            volume = {"name": container["volumeMounts"][0]["name"]}
            pod["volumes"].append({**volume, "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}})
            yield claim
        for volume in pod.get("volumes", ()):
            volume.get("secret", {}).setdefault("optional", False)  # podman 4.3 panics without
        if played["kind"] == "StatefulSet":
            played["kind"] = "Deployment"
        if played["kind"] == "Job":
            meta = {"name": name, "labels": played["spec"]["template"]["metadata"]["labels"]}
            played = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}
    yield played


@contextmanager
def running(
    documents: list[Document], folder: Path, *, ports: Mapping[str, int], change: Callable[[str], str]
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """The pods of the documents, gone at the end with their volumes; what podman knows of a workload's container.

    Args:
        documents: Secrets, and what a render has; what podman has nothing for is passed over.
        folder: where the manifest is written.
        ports: by the name of the workload.
        change: what becomes of the whole text, such as the address of a Splunk.
    """
    chosen = [document for document in documents if document["kind"] in RAN | {"Secret"}]
    decoded = values_of([document for document in chosen if document["kind"] == "Secret"])
    played = [each for document in chosen for each in playable(document, ports, decoded)]
    order = ["Secret", "ConfigMap", "PersistentVolumeClaim"]
    played.sort(key=lambda document: order.index(document["kind"]) if document["kind"] in order else len(order))
    manifest = folder / "manifest.yaml"
    manifest.write_text(change(yaml.safe_dump_all(played)), "utf-8")
    clear(played)
    try:
        engine("play", "kube", "--network", "host", str(manifest))
        yield container_of
    finally:
        clear(played)


def clear(played: list[Document]) -> None:
    """Leave nothing of these behind."""
    for document in played:
        name = document["metadata"]["name"]
        match document["kind"]:
            case "Deployment":
                engine("pod", "rm", "--force", f"{name}-pod-0", check=False)
            case "Pod":
                engine("pod", "rm", "--force", name, check=False)
    for document in played:
        name = document["metadata"]["name"]
        if document["kind"] == "Secret":
            engine("secret", "rm", name, check=False)
        if document["kind"] in {"Secret", "ConfigMap", "PersistentVolumeClaim"}:  # podman mounts each as a volume
            engine("volume", "rm", "--force", name, check=False)


def container_of(workload: str) -> dict[str, Any]:
    """What ``podman inspect`` says of the one container of a workload's pod."""
    named = engine("ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{workload}-(pod-0-)?(relay|migrate)$")
    found: list[dict[str, Any]] = json.loads(engine("inspect", named.strip()))
    return found[0]


def exit_status(workload: str) -> int:
    """Of a workload's container, once it has ended."""
    ends = time.monotonic() + ENDED_DEADLINE_S
    while (state := container_of(workload)["State"])["Running"]:
        assert time.monotonic() < ends, f"{workload} does not end"
        time.sleep(0.1)
    return int(state["ExitCode"])


def stop(workload: str) -> int:
    """End a workload's pod as a kubelet would; the exit status of its container."""
    engine("pod", "stop", "--time", str(int(STOP_DEADLINE_S)), f"{workload}-pod-0")
    return exit_status(workload)
