"""Destinations whose names nobody resolves, beside one that is well."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import IMAGE, SETTINGS, Relay, Splunk, hook, wait_until
from tests.torture.shim import build

HANGING = 12
PATIENCE_S = 200
"""Less than such a lookup takes."""

_TENANT = """\
  {name}:
    sentry:
      client_secrets: ["file:sentry_secret"]
    splunk:
      - name: main
        url: http://{host}:{port}
        hec_token: file:hec_token
        index: sentry
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's"),
    pytest.mark.skipif(bool(IMAGE), reason="nothing is preloaded in a container"),
]


@pytest.fixture
def looked_up(tmp_path: Path) -> Path:
    """The file with a line for each lookup that has begun."""
    return tmp_path / "looked_up"


@pytest.fixture
def servers(tmp_path: Path, looked_up: Path) -> Iterator[tuple[Relay, Splunk]]:
    """A relay with a tenant whose Splunk is found, and with others whose Splunks are not."""
    splunk = Splunk(tmp_path)
    relay = Relay(tmp_path, splunk)
    hosts = {"well": "localhost", **{f"hangs{each}": f"splunk{each}.invalid" for each in range(HANGING)}}
    tenants = [_TENANT.format(name=name, host=host, port=splunk.port) for name, host in hosts.items()]
    (tmp_path / "tenants.yaml").write_text("".join(["tenants:\n", *tenants]), "utf-8")
    library = build(tmp_path, Path(__file__).with_name("unanswered.c"))
    try:
        splunk.start()
        unanswered = {"LD_PRELOAD": str(library), "UNANSWERED_LOG": str(looked_up)}
        relay.begin("serve", settings={"RELAY_PORT": str(relay.port), **unanswered, **SETTINGS})
        yield relay, splunk
    finally:
        relay.remove()
        splunk.remove()


def test_names_that_nobody_resolves_hold_up_neither_other_tenants_nor_the_end(
    servers: tuple[Relay, Splunk], looked_up: Path
) -> None:
    """A lookup cannot be called off: there are threads enough, and a relay that has ended does not wait for any."""
    relay, splunk = servers
    for number in range(3):
        for tenant in range(HANGING):
            assert relay.post(*hook(number), f"/sentry/hangs{tenant}").status == 202
    wait_until(
        lambda: looked_up.exists() and len(set(looked_up.read_text().split())) == HANGING,
        lambda: f"not every name is being looked up:\n{relay.life.said()}",
    )
    for number in range(5):
        answer = relay.post(*hook(number), "/sentry/well")
        splunk.wait_for({answer.json()["delivery"]}, deadline_s=PATIENCE_S)
    assert relay.stop() == 128 + signal.SIGTERM
