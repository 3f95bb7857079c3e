"""The systemd unit is one to systemd, gives the relay time to end, and few rights."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import load_settings
from tests.unit.deploy_times import seconds, stop_s
from tests.unit.pages import ROOT, text

UNIT = ROOT / "deploy" / "systemd" / "sentry-relay.service"
EXPOSURE_MAX = 2.5
"""Of ``systemd-analyze security``, from 0 (none) to 10."""
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="NO SYSTEMD-ANALYZE: THE UNIT IS NOT TRIED")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What systemd's own tool says."""
    return subprocess.run([str(ANALYZE), *arguments], check=False, capture_output=True, text=True)


def values(name: str) -> list[str]:
    """Every value that the unit gives to a name."""
    return re.findall(rf"^{name}=(.*)$", text(UNIT), re.MULTILINE)


def test_it_starts_what_the_installer_installs() -> None:
    """Where docs/operations.md has it put, with settings that the relay takes, in folders that systemd makes."""
    [command] = values("ExecStart")
    [folder] = re.findall(r"^python3 tools/install.py (\S+)$", text(ROOT / "docs/operations.md"), re.MULTILINE)
    assert command == f"{folder}/bin/relay serve"
    environ = dict(value.split("=", 1) for value in values("Environment"))
    settings = load_settings(environ)
    assert settings.trusted_proxies, "every sender would be the proxy"
    [state], [configuration] = values("StateDirectory"), values("ConfigurationDirectory")
    assert settings.spool_url.get_secret_value().startswith(f"sqlite:////var/lib/{state}/")
    assert settings.tenants_file.parent == Path("/etc") / configuration


def test_it_may_end_in_order() -> None:
    """Systemd waits for longer than a stop takes, takes the status of an orderly end for one, and starts it again."""
    [patience], [status], [restart] = values("TimeoutStopSec"), values("SuccessExitStatus"), values("Restart")
    assert seconds(patience) > stop_s(load_settings({}))
    assert status == "143"
    assert restart == "always"


@needs_systemd
def test_systemd_takes_it(tmp_path: Path) -> None:
    """``systemd-analyze verify`` finds nothing to say; the command is one that is there."""
    unit = tmp_path / UNIT.name
    script = Path(sys.executable).with_name("relay")
    command = script if script.exists() else Path(sys.executable)
    unit.write_text(text(UNIT).replace("/opt/relay/bin/relay", str(command)).replace("User=relay", "User=root"))
    ended = analyze("verify", str(unit))
    said = [line for line in ended.stderr.splitlines() if unit.name in line]
    assert not said
    broken = tmp_path / "broken.service"
    broken.write_text(unit.read_text().replace("Restart=always", "Restart=sometimes"))
    assert "sometimes" in analyze("verify", str(broken)).stderr, "this test could not fail"


@needs_systemd
def test_it_has_few_rights() -> None:
    """``systemd-analyze security`` gives it no more than 2.5 of 10."""
    ended = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX * 10:.0f}", str(UNIT))
    assert ended.returncode == 0, ended.stdout[-400:]
    [exposure] = re.findall(r"exposure level for \S+: ([\d.]+)", ended.stdout)
    assert float(exposure) <= EXPOSURE_MAX


@needs_systemd
def test_a_unit_with_more_rights_is_told(tmp_path: Path) -> None:
    """Without its restrictions it would be over the bound."""
    loose = tmp_path / UNIT.name
    loose.write_text(
        re.sub(r"^(?:Protect|Restrict|SystemCall|Private|Capability).*\n", "", text(UNIT), flags=re.MULTILINE)
    )
    ended = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX * 10:.0f}", str(loose))
    assert ended.returncode != 0
