"""The compose files fit the relay: settings, files, times, rights."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import load_settings
from app.tenants.registry import Registry
from tests.unit.deploy_times import seconds, stop_s
from tests.unit.pages import ROOT, text

FOLDER = ROOT / "deploy" / "compose"
FILES = {path.stem: yaml.safe_load(text(path)) for path in sorted(FOLDER.glob("*.yaml"))}
SERVICES = [(file, service) for file, loaded in FILES.items() for service in loaded["services"]]
RELAYS = [(file, service) for file, service in SERVICES if service.startswith("relay")]
by_file = pytest.mark.parametrize("file", FILES)


def service_of(file: str, name: str) -> dict[str, Any]:
    """A service of a file."""
    found: dict[str, Any] = FILES[file]["services"][name]
    return found


def test_there_is_a_file_for_each_way() -> None:
    """Beside a stand-in, beside a real Splunk, several on one PostgreSQL."""
    assert set(FILES) == {"stand-in", "splunk", "replicas"}
    assert len(RELAYS) == 5


@pytest.mark.parametrize(("file", "name"), SERVICES)
def test_every_service_has_as_few_rights_as_it_can(file: str, name: str) -> None:
    """Ours and nginx: no capability, no writable root, bounded memory and processes. Ports are this machine's."""
    service = service_of(file, name)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    if not service["image"].startswith(("postgres:", "splunk/")):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert seconds(service["mem_limit"].removesuffix("m")) <= 1024
        assert service["pids_limit"] <= 512
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")


@pytest.mark.parametrize(("file", "name"), RELAYS)
def test_every_relay_starts_with_its_settings_and_may_end_in_order(file: str, name: str) -> None:
    """In the image's own environment."""
    service = service_of(file, name)
    environ = dict(re.findall(r"\b(RELAY_\w+)=(\S+)", text(ROOT / "Dockerfile")))
    environ |= {key: re.sub(r"\$\{.*\}", "password", value) for key, value in service.get("environment", {}).items()}
    settings = load_settings(environ)
    assert settings.trusted_proxies, "every sender would be the proxy"
    assert settings.spool_url.get_secret_value().startswith("postgresql" if file == "replicas" else "sqlite")
    assert seconds(service["stop_grace_period"]) > stop_s(settings)
    mounts = dict(volume.split(":", 2)[1::-1] for volume in service["volumes"])
    assert (FOLDER / mounts[str(settings.tenants_file.parent)] / settings.tenants_file.name).exists()
    if file != "replicas":
        folder = str(Path(settings.spool_url.get_secret_value().removeprefix("sqlite:///")).parent)
        assert mounts[folder] in FILES[file]["volumes"]


@pytest.mark.parametrize(("file", "name"), RELAYS)
def test_the_tenants_file_is_a_good_one_and_finds_its_secrets(file: str, name: str, tmp_path: Path) -> None:
    """Each is a secret of the service, and Splunk is a service of the file."""
    service = service_of(file, name)
    [folder] = [volume.split(":")[0] for volume in service["volumes"] if volume.endswith("/etc/relay:ro")]
    said = text(FOLDER / folder / "tenants.yaml")
    secrets = re.findall(r"file:/run/secrets/(\w+)", said)
    assert set(secrets) == set(service["secrets"])
    for secret in secrets:
        (tmp_path / secret).write_text(f"{secret}-{'0' * 16}\n")
        (tmp_path / secret).chmod(0o600)
    (tmp_path / "tenants.yaml").write_text(said.replace("/run/secrets/", ""))
    assert Registry.load(tmp_path / "tenants.yaml", environ={}).snapshot.tenants
    [host] = re.findall(r"url: https?://(\w+):8088", said)
    assert host in FILES[file]["services"]


@by_file
def test_what_is_named_is_there(file: str) -> None:
    """Secrets, volumes, services that are waited for, and the files that the first lines say to write."""
    whole = FILES[file]
    head = text(FOLDER / f"{file}.yaml").partition("\nname:")[0]
    for secret in whole["secrets"].values():
        path = (FOLDER / secret["file"]).resolve()
        assert path.parent == ROOT / "deploy" / "secrets"
        assert f"deploy/secrets/{path.name}" in head
    for service in whole["services"].values():
        assert set(service.get("depends_on", ())) <= set(whole["services"])
        assert set(service.get("secrets", ())) <= set(whole["secrets"])
        named = [volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.startswith(".")]
        assert set(named) <= set(whole["volumes"])
        assert (FOLDER / service.get("build", "../..")).resolve() == ROOT
    assert f"deploy/compose/{file}.yaml" in head


def test_nothing_secret_is_in_the_repository() -> None:
    """What lies in deploy/secrets stays on the machine."""
    assert text(ROOT / "deploy" / "secrets" / ".gitignore").splitlines()[-2:] == ["*", "!.gitignore"]
