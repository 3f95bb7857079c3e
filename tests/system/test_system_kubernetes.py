"""The Kubernetes manifests, started as they are kept: a hook goes through, rights are few, the end is in order."""

import base64
import contextlib
import hmac
import http.client
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.renders import Document, cases, kept
from tests.postgres_server import PostgresServer
from tests.system.pods import container_of, exit_status, running, secret, stop
from tests.system.running import ENGINE, HEC_TOKEN, IMAGE, SECRET, Answer, Server, Splunk, engine, hook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="RELAY_TEST_IMAGE names no image; `make image-test` builds one"),
    pytest.mark.skipif(not ENGINE.endswith("podman"), reason="only podman plays Kubernetes' manifests"),
]
SECRETS = secret("sentry-relay-secrets", {"acme_sentry_secret": SECRET, "acme_hec_token": HEC_TOKEN})
DATABASE = "127.0.0.57"
"""An address of this machine that nobody else's PostgreSQL listens on."""
READY_DEADLINE_S = 60.0


def manifests(name: str) -> list[Document]:
    """A render that is kept."""
    [case] = [case for case in cases() if case.name == f"kubernetes-{name}"]
    return list(kept(case))


class Pod(Server):
    """A relay that podman started, on a port that was kept for it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "pod", "/readyz")

    def wait(self) -> None:
        """Until it is ready."""
        ends = time.monotonic() + READY_DEADLINE_S
        while not self._says_so():
            assert time.monotonic() < ends, f"it is not ready:\n{engine('ps', '--all')}"
            time.sleep(0.1)

    def _says_so(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/readyz").status == http.client.OK
        return False

    def post(self, number: int, signed_with: str) -> Answer:
        """One hook."""
        body, headers = hook(number)
        signature = hmac.new(signed_with.encode(), body, "sha256").hexdigest()
        return self.ask("POST", "/sentry/acme", body, headers | {"Sentry-Hook-Signature": signature})


class Stand(Splunk):
    """A stand-in that takes the hec_token decoded or not: podman 4.3 mounts a Secret's values as they stand in it."""

    def start(self) -> None:
        """Start it."""
        undecoded = base64.b64encode(HEC_TOKEN.encode()).decode()
        tokens = [part for token in (HEC_TOKEN, undecoded) for part in ("--token", f"{token}:sentry")]
        self.begin("splunk", "--port", str(self.port), *tokens, "--show", settings={})


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A stand-in Splunk for the pods."""
    splunk = Stand(tmp_path)
    try:
        splunk.start()
        yield splunk
    finally:
        splunk.remove()


def secret_in(workload: str) -> str:
    """The client secret as the relay finds it."""
    script = "print(open('/run/secrets/relay/acme_sentry_secret').read())"
    name = container_of(workload)["Name"]
    return engine("exec", name, "python", "-c", script).strip()


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[tuple[Pod, Pod]]:
    """Two, on ports of their own."""
    both = Pod(tmp_path), Pod(tmp_path)
    yield both
    for pod in both:
        pod.remove()


def to(splunk: Splunk) -> Callable[[str], str]:
    """Sends what the manifest sends to Splunk Cloud to the stand-in."""
    return lambda text: text.replace("https://http-inputs-acme.splunkcloud.com", f"http://127.0.0.1:{splunk.port}")


def assert_few_rights(container: dict[str, Any]) -> None:
    """What the manifest promises is what runs."""
    assert container["Config"]["User"] == "10001:10001"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert not container["EffectiveCaps"]
    assert "no-new-privileges" in container["HostConfig"]["SecurityOpt"]
    assert container["HostConfig"]["Memory"] == 512 * 1024**2


def test_one_relay_on_sqlite(stand: Stand, pods: tuple[Pod, Pod], tmp_path: Path) -> None:
    """Hooks are delivered; the spool outlives the pod's stop; the end is an orderly one."""
    relay = pods[0]
    documents = [SECRETS, *manifests("sqlite")]
    with running(documents, tmp_path, ports={"sentry-relay": relay.port}, change=to(stand)) as container:
        relay.wait()
        assert_few_rights(container("sentry-relay"))
        signed_with = secret_in("sentry-relay")
        answers = [relay.post(number, signed_with) for number in range(9000, 9010)]
        assert {answer.status for answer in answers} == {202}
        stand.wait_for({answer.json()["delivery"] for answer in answers})
        stand.stop()
        waiting = relay.post(9100, signed_with)
        assert waiting.status == 202
        assert stop("sentry-relay") == 128 + signal.SIGTERM
        stand.start()
        engine("pod", "start", "sentry-relay-pod-0")
        relay.wait()
        stand.wait_for({waiting.json()["delivery"]})


def test_replicas_on_postgresql(stand: Stand, pods: tuple[Pod, Pod], tmp_path: Path) -> None:
    """The Job lays the schema out; one pod accepts, another delivers."""
    accepts, delivers = pods
    ports = {"sentry-relay-accept": accepts.port, "sentry-relay-deliver": delivers.port}
    with PostgresServer(listen_addresses=DATABASE):
        url = secret("sentry-relay-spool", {"url": f"postgresql://postgres@{DATABASE}/postgres"})
        with running([url, *manifests("migrate")], tmp_path, ports={}, change=to(stand)):
            assert exit_status("sentry-relay-migrate") == 0
        documents = [url, SECRETS, *manifests("postgres")]
        with running(documents, tmp_path, ports=ports, change=to(stand)) as container:
            accepts.wait()
            delivers.wait()
            for name in ports:
                assert_few_rights(container(name))
            signed_with = secret_in("sentry-relay-accept")
            answers = [accepts.post(number, signed_with) for number in range(9200, 9210)]
            assert {answer.status for answer in answers} == {202}
            stand.wait_for({answer.json()["delivery"] for answer in answers})
            assert delivers.post(9300, signed_with).status == 500
            assert {stop(name) for name in ports} == {128 + signal.SIGTERM}
