"""``tools/install.py``: what the lock says, whatever an index holds by now; else one sentence."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.tools.wheels import BACKEND, make_wheel
from tools.install import missing_for, names_in, reason

ROOT = Path(__file__).parents[2]
Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but pip: copies are cheaper than new ones."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Run the script in a small project of its own, whose only index is the folder ``index``."""
    project, index = tmp_path / "project", tmp_path / "index"
    (project / "tools").mkdir(parents=True)
    index.mkdir()
    shutil.copy(ROOT / "tools" / "install.py", project / "tools")
    system = '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
    (project / "pyproject.toml").write_text(f'{system}[project]\nname = "sentry-splunk-relay"\nversion = "1.0"\n')
    # An extra of a locked package is what a resolver looks up in the index, pin or no pin.
    lock = make_wheel(index, "thing", "1.0", head=("Requires-Dist: other[extra]>=1.0",))
    lock += make_wheel(index, "other", "1.0", head=("Provides-Extra: extra",))
    backend = make_wheel(index, "flit_core", "1.0", files={"flit_core/buildapi.py": BACKEND})
    for name in ("requirements.lock", "requirements-dev.lock"):
        (project / name).write_text(lock)
    (project / "requirements-build.lock").write_text(backend)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
        command = [sys.executable, str(project / "tools" / "install.py"), *arguments, str(tmp_path / "environment")]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env={**os.environ, **pip, **environment}
        )

    return run


def installed(folder: Path) -> dict[str, str]:
    """Every package in an environment, with its version."""
    (packages,) = folder.glob("lib/python*/site-packages")
    return {each.metadata["Name"]: each.version for each in distributions(path=[str(packages)])}


@pytest.mark.slow
def test_an_index_with_newer_releases_changes_nothing(install: Install, tmp_path: Path) -> None:
    """Of packages, of what they require with an extra, of the build backend; and nothing else is left behind."""
    for name in ("thing", "other"):
        make_wheel(tmp_path / "index", name, "2.0", head=("Provides-Extra: extra",))
    make_wheel(tmp_path / "index", "flit_core", "2.0", files={"flit_core/buildapi.py": "raise SystemExit('too new')"})
    done = install()
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed(tmp_path / "environment") == {"thing": "1.0", "other": "1.0", "sentry-splunk-relay": "1.0"}
    assert re.findall(r"^==> (\w+)", done.stdout, re.MULTILINE) == ["virtual", "2", "the", "pip", "remove"]


@pytest.mark.slow
def test_what_requires_more_than_the_lock_has_is_refused(install: Install, empty: Path, tmp_path: Path) -> None:
    """``pip check`` after it: an environment that would not run is no success."""
    shutil.copytree(empty, tmp_path / "environment", symlinks=True)
    line = make_wheel(tmp_path / "index", "needy", "1.0", head=("Requires-Dist: nowhere>=1.0",))
    (tmp_path / "project" / "requirements-dev.lock").write_text(line)
    done = install("--develop")
    assert done.returncode == 1
    assert done.stderr.startswith("install: needy 1.0 requires nowhere, which is not installed. (all that was said: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pip", "sentence"),
    [
        ({}, "the package index has no wheel of thing==1.0 for this Python and this machine"),
        ({"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:1/"}, "no package index can be reached"),
    ],
)
def test_without_an_index_there_is_one_sentence(
    install: Install, empty: Path, tmp_path: Path, pip: dict[str, str], sentence: str
) -> None:
    """No trace, no page of retries; they stand in a file."""
    shutil.copytree(empty, tmp_path / "environment", symlinks=True)
    done = install("--packages-only", PIP_RETRIES="1", PIP_FIND_LINKS="", **pip)
    assert done.returncode == 1
    assert done.stderr.startswith(f"install: {sentence}")
    assert done.stderr.count("\n") == 1
    assert "ERROR: " in (tmp_path / "environment" / "install.log").read_text()


def test_a_python_without_venv_is_told_what_to_install(install: Install, tmp_path: Path) -> None:
    """Debian's python3 comes without ``ensurepip``."""
    hidden = "import importlib.util as util; found = util.find_spec\n"
    hidden += "util.find_spec = lambda name, *more: None if name == 'ensurepip' else found(name, *more)\n"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    done = install(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.endswith("on Debian and Ubuntu: apt-get install python3-venv\n")
    assert done.stderr.count("\n") == 1


def test_an_older_python_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    (tmp_path / "file").touch()
    assert missing_for((3, 10), tmp_path / "new").startswith("Python 3.11 or newer is needed, this is 3.10")
    assert missing_for((3, 11), tmp_path).endswith("is not empty and no virtual environment; name another folder")
    assert not missing_for((3, 14), tmp_path / "new")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "a package is not the one"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError('…')'", "no package index can be reached"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: this\nERROR: that\nERROR: Something of its own\n", "Something of its own"),
        ("Error: Command '['python', '-m', 'ensurepip']' failed", "Error: Command"),
        ("", ""),
    ],
)
def test_what_pip_says_becomes_a_reason(output: str, words: str) -> None:
    """The cause before the consequence, and at worst its own words."""
    assert reason(output).startswith(words)


def test_the_locks_name_packages_as_indexes_compare_them() -> None:
    """With dots, underscores, capitals; not the lines of their hashes."""
    assert names_in("Zope.Interface==1 \\\n    --hash=sha256:0==\npy_yaml==6.0 ; python_version < '4'\n") == {
        "zope-interface",
        "py-yaml",
    }
