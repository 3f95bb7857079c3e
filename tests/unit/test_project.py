"""What people use to help themselves says the same everywhere: Pythons, versions, locks, commands."""

import configparser
import re
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from app import __version__
from tests.unit.pages import DOCS, ROOT, text
from tools.install import PYTHON_MIN
from tools.release import Refused, cut, main, notes, section_dated

PROJECT: dict[str, Any] = tomllib.loads(text(ROOT / "pyproject.toml"))
LOCKS = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-build.lock": ("build",),
    "requirements-splunk.lock": ("splunk",),
}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- The first.\n"


def pins(lock: str) -> dict[str, str]:
    """What a lock file pins, by name."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text(ROOT / lock), re.MULTILINE))


def test_every_python_is_named_everywhere() -> None:
    """``requires-python``, the classifiers, the matrix of CI, the installer and the tools' target agree."""
    classifiers = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    matrix = yaml.safe_load(text(ROOT / ".github/workflows/ci.yaml"))["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert classifiers == matrix
    oldest = classifiers[0]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert ".".join(map(str, PYTHON_MIN)) == PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


def test_the_version_stands_in_one_place() -> None:
    """What Splunk wants in its own files is written by ``make release``; the changelog knows every release."""
    assert PROJECT["project"]["dynamic"] == ["version"]
    for conf in (ROOT / "deploy" / "splunk").glob("*/default/app.conf"):
        parser = configparser.ConfigParser()
        parser.read_string(text(conf))
        said = {parser[name]["version"] for name in parser.sections() if "version" in parser[name]}
        assert said == {__version__}, conf
    assert f"\n## [{__version__}] - 20" in text(ROOT / "CHANGELOG.md")
    assert __version__ not in text(ROOT / "Dockerfile")


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_hold_what_the_project_asks_for(lock: str) -> None:
    """Each direct dependency, in a release that fits, and each package with a hash."""
    groups = PROJECT["dependency-groups"]
    asked = (
        [] if lock in ("requirements-build.lock", "requirements-splunk.lock") else PROJECT["project"]["dependencies"]
    )
    wanted = [Requirement(line) for line in asked + [line for group in LOCKS[lock] for line in groups[group]]]
    pinned = pins(lock)
    wrong = [str(each) for each in wanted if not each.specifier.contains(pinned.get(each.name.lower(), "0"))]
    assert not wrong, "make lock"
    entries = re.split(r"\n(?=[\w.-]+==)", text(ROOT / lock))
    assert not [entry for entry in entries[1:] if "--hash=sha256:" not in entry]


def test_what_runs_is_what_is_developed_with() -> None:
    """Every release in requirements.lock is that of requirements-dev.lock."""
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("recipe", ["Makefile", "Dockerfile", "docs/operations.md"])
def test_one_installer_installs_everywhere(recipe: str) -> None:
    """Nobody calls pip by hand, so nobody asks an index what is newest."""
    said = text(ROOT / recipe)
    assert "tools/install.py" in said
    assert not re.search(r"\bpip3? (install|wheel|download)", said)


def test_workflows_run_pinned_actions_and_commands_that_exist() -> None:
    """An action is named by its commit: a tag can be moved. What they run is what people run."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", text(ROOT / "Makefile"), re.MULTILINE))
    assert WORKFLOWS
    for path in WORKFLOWS:
        workflow = yaml.safe_load(text(path))
        assert workflow["permissions"] == {"contents": "read"}, "more is given to the job that needs it"
        for job in workflow["jobs"].values():
            assert "uses" in job or job["timeout-minutes"]
            for step in job.get("steps", ()):
                assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}")), step
                assert set(re.findall(r"^make ([a-z-]+)", step.get("run", ""), re.MULTILINE)) <= targets
    assert "run: .ci/run" in text(ROOT / ".github/workflows/ci.yaml")


def test_a_release_is_cut_once_and_forward(tmp_path: Any) -> None:
    """The version in every file, the changelog's section dated; an older version changes nothing."""
    (tmp_path / "app").mkdir()
    (tmp_path / "deploy/splunk/TA/default").mkdir(parents=True)
    source, conf, changelog = (tmp_path / name for name in ("app/__init__.py", "x.conf", "CHANGELOG.md"))
    conf = tmp_path / "deploy/splunk/TA/default/app.conf"
    source.write_text('"""A map."""\n\n__version__ = "0.1.0"\n')
    conf.write_text("[launcher]\nversion = 0.1.0\n\n[id]\nversion = 0.1.0\n")
    changelog.write_text(CHANGELOG)
    with pytest.raises(Refused, match="does not come after"):
        cut("0.0.9", tmp_path, today="2026-12-01")
    assert changelog.read_text() == CHANGELOG
    cut("0.10.0", tmp_path, today="2026-12-01")
    assert '__version__ = "0.10.0"\n' in source.read_text()
    assert conf.read_text().count("version = 0.10.0\n") == 2
    assert "## [Unreleased]\n\n## [0.10.0] - 2026-12-01\n\n### Added\n" in changelog.read_text()
    assert notes("0.10.0", tmp_path) == "### Added\n\n- A thing.\n"
    with pytest.raises(Refused, match="nothing under Unreleased"):
        cut("0.11.0", tmp_path, today="2026-12-01")


def test_a_release_of_another_version_is_no_release(capsys: pytest.CaptureFixture[str]) -> None:
    """The tag has to name the version of the code."""
    assert main(["--notes", "99.0.0"]) == 1
    assert f"the code is version {__version__}" in capsys.readouterr().err
    assert main(["--notes", __version__]) == 0
    with pytest.raises(Refused, match="already"):
        section_dated(CHANGELOG, "0.1.0", today="2026-12-01")


def test_what_starts_by_itself_is_written_down() -> None:
    """CONTRIBUTING names each workflow that changes something."""
    said = text(ROOT / "CONTRIBUTING.md")
    assert all(f".github/workflows/{name}.yaml" in said for name in ("release", "upgrade"))
    assert (DOCS / "decisions" / "0038-one-installer.md").exists()
