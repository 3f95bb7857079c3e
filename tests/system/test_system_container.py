"""What only the container promises. Needs ``RELAY_TEST_IMAGE``: ``make image-test`` sets it."""

import ast
import json

import pytest

from tests.system.running import IMAGE, Container, Relay, engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IMAGE, reason="RELAY_TEST_IMAGE names no image; `make image-test` builds one"),
]

LOOK_AROUND = """
import importlib.util, os, pathlib, stat
roots = map(pathlib.Path, ("/usr", "/opt", "/etc", "/var/lib"))
files = [path for root in roots for path in root.rglob("*") if path.is_file()]
print([path.name for path in files if path.parent.name in {"bin", "sbin"} and os.access(path, os.X_OK)])
print([str(path) for path in files if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)])
print([name for name in ("pip", "ensurepip", "setuptools") if importlib.util.find_spec(name)])
"""


def inside(relay: Relay, *command: str) -> str:
    """What a command prints inside the relay's container."""
    assert isinstance(relay.life, Container)
    return engine("exec", relay.life.name, *command)


def test_it_runs_as_nobody_in_particular(relay: Relay) -> None:
    """The process is uid and gid 10001, without a capability."""
    script = "import os; print(os.getuid(), os.getgid(), open('/proc/1/status').read())"
    status = inside(relay, "python", "-c", script)
    assert status.startswith("10001 10001 ")
    assert "CapEff:\t0000000000000000" in status


def test_there_is_nothing_to_run_but_python(relay: Relay) -> None:
    """No shell, no package manager, no program that gives somebody another's rights."""
    programs, raising, installers = inside(relay, "python", "-c", LOOK_AROUND).splitlines()
    assert {"sh", "bash", "dash", "apt", "dpkg", "perl", "pip", "pip3"}.isdisjoint(ast.literal_eval(programs))
    assert raising == installers == "[]"


def test_its_health_check_passes(relay: Relay) -> None:
    """The image's own HEALTHCHECK needs no shell and finds the running relay alive."""
    [image] = json.loads(engine("image", "inspect", IMAGE))
    check = image.get("HealthCheck") or image.get("Healthcheck") or image["Config"]["Healthcheck"]
    assert check["Test"][0] == "CMD"
    inside(relay, *check["Test"][1:])


def test_only_the_spool_is_written(relay: Relay) -> None:
    """The root is read-only and the spool lies on the volume."""
    script = "import os; print(sorted(os.listdir('/var/lib/relay')), os.access('/opt/relay', os.W_OK))"
    written = inside(relay, "python", "-c", script)
    assert "spool.db" in written
    assert "False" in written


def test_the_image_says_what_it_is() -> None:
    """Labels name title, version and revision; nothing of the machine that built it is in the environment."""
    [image] = json.loads(engine("image", "inspect", IMAGE))
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "sentry-splunk-relay"
    assert labels["org.opencontainers.image.version"]
    assert labels["org.opencontainers.image.revision"]
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Entrypoint"] == ["relay"]
    assert not [each for each in image["Config"]["Env"] if each.startswith(("PIP_", "SSL_"))]
