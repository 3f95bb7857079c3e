"""Both packages are packed alike by everybody, hold what Splunk wants and nothing that it refuses."""

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import pytest

from app import __version__
from deploy.splunk.generate.__main__ import FOLDER, files
from deploy.splunk.generate.manifest import ADD_ON, APP, Package
from deploy.splunk.generate.pack import archive, contents, main
from tests.splunk_app.packages import Files
from tests.unit.pages import ROOT, rows, text

PACKAGES = (ADD_ON, APP)


@pytest.mark.parametrize("name", files())
def test_what_is_made_by_code_is_as_the_code_makes_it(name: str) -> None:
    """``python -m deploy.splunk.generate`` would change nothing."""
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_is_the_same_whoever_packs_it(package: Package) -> None:
    """No time, no owner, no order of the disk's; folders before what is in them."""
    packed = archive(package.name)
    assert packed == archive(package.name)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert {(member.isdir(), member.mode) for member in members} == {(True, 0o755), (False, 0o644)}
    assert len({member.mtime for member in members}) == 1
    assert {member.name.split("/")[0] for member in members} == {package.name}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_holds_what_splunk_asks_for(package: Package) -> None:
    """And neither inputs, indexes, programs, nor anything that a running Splunk left behind."""
    found = {name.removeprefix(f"{package.name}/") for name in contents(package.name)}
    assert {"LICENSE", "README.md", "app.manifest", "default/app.conf", "metadata/default.meta"} <= found
    assert not {"default/inputs.conf", "default/indexes.conf"} & found
    assert {Path(name).suffix for name in found} <= {"", ".conf", ".csv", ".manifest", ".md", ".meta", ".png", ".xml"}
    assert contents(package.name)[f"{package.name}/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert json.loads(contents(package.name)[f"{package.name}/app.manifest"])["info"]["id"]["version"] == __version__


def test_names_are_nobody_elses() -> None:
    """Splunk keeps "Splunk for …" and "Splunk Add-on for …" to itself."""
    for package in PACKAGES:
        label = Files.of(FOLDER / package.name).conf("app")["ui"]["label"]
        assert label == package.title
        assert label.endswith((" Add-on for Splunk", " App for Splunk"))
        assert "Not affiliated with" in text(FOLDER / package.name / "README.md")


@pytest.mark.parametrize(
    ("name", "side"), [("appIcon", 36), ("appIconAlt", 36), ("appIcon_2x", 72), ("appIconAlt_2x", 72)]
)
def test_icons_have_the_size_that_splunk_shows(name: str, side: int) -> None:
    """They are PNG files of 36 and 72 pixels."""
    data = (FOLDER / APP.name / "static" / f"{name}.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (side, side)


def test_packing_writes_both_with_the_version_in_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says where."""
    assert main(str(tmp_path)) == 0
    wanted = {str(tmp_path / f"{package.name}-{__version__}.tgz") for package in PACKAGES}
    assert {str(path) for path in tmp_path.iterdir()} == set(capsys.readouterr().out.splitlines()) == wanted


def test_what_draws_the_dashboards_is_locked_and_answered_for() -> None:
    """Every package of npm has a hash and no registry; each direct one stands in the decision on dependencies."""
    folder = ROOT / "tests" / "splunk_app" / "look"
    direct = json.loads(text(folder / "package.json"))["dependencies"]
    packages = json.loads(text(folder / "package-lock.json"))["packages"]
    assert packages.pop("")["dependencies"] == direct
    assert not [name for name, package in packages.items() if "resolved" in package or "integrity" not in package]
    said = rows("decisions/0002-dependencies.md", "## What draws the Splunk app's dashboards")
    assert {name for line in said for name in line.code[0]} == set(direct)
