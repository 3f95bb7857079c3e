"""Install the relay into a virtual environment, exactly as the lock files say. Standard library only.

::

    python3 tools/install.py /opt/relay                   # what runs: requirements.lock
    python3 tools/install.py --packages-only /opt/relay   # for a layer of an image: the relay itself comes later
    python3 tools/install.py --develop .venv              # with the tools: requirements-dev.lock; the relay editable
    python3 tools/install.py --lock other.lock .venv-x    # tools that live apart: that lock's packages and no more

Every package is a wheel whose hash stands in a lock file. Nothing is resolved, so no index is asked which releases
there are, and nothing is built but the relay, by the build backend of requirements-build.lock. What is in the
environment and not in the lock is removed: pip too, unless ``--develop``.

The syntax is that of Python 3.8: a Python too old for the relay has to be able to say so.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
NAME = "sentry-splunk-relay"
PYTHON_MIN = (3, 11)
LOCKED = ("install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement")
OWN = ("install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
REASONS = (
    ("DO NOT MATCH THE HASHES", "a package is not the one that the lock file names; do not trust where it came from"),
    (
        "NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProxyError|Connection refused",
        "no package index can be reached; connect this machine, or name one in PIP_INDEX_URL or PIP_FIND_LINKS",
    ),
    ("SSLError|CERTIFICATE_VERIFY_FAILED", "the package index has a certificate that is not trusted; see PIP_CERT"),
    ("No space left on device", "the disk is full"),
)
"""A pattern of what pip says, and what is wrong in words. The first that is found counts."""


class Fault(Exception):  # noqa: N818 - it says what is missing
    """The installation cannot go on; the text is one sentence for whoever sits at the machine."""


def main(arguments: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="install", description="Install the relay exactly as the lock files say.")
    parser.add_argument("folder", type=Path, help="the virtual environment; made if it is not there")
    parser.add_argument("--develop", action="store_true", help="the tools too, and the relay editable")
    parser.add_argument("--packages-only", action="store_true", help="all but the relay itself")
    parser.add_argument("--lock", type=Path, help="the packages of this lock file, without the relay")
    chosen = parser.parse_args(arguments)
    lock = chosen.lock or PROJECT / ("requirements-dev.lock" if chosen.develop else "requirements.lock")
    try:
        install(chosen.folder, lock, develop=chosen.develop, packages_only=chosen.packages_only or bool(chosen.lock))
    except Fault as fault:
        sys.stderr.write(f"install: {fault}\n")
        return 1
    return 0


def install(folder: Path, lock: Path, *, develop: bool, packages_only: bool) -> None:
    """Every step, each announced by a line."""
    missing = missing_for(sys.version_info[:2], folder)
    if missing:
        raise Fault(missing)
    names = names_in(lock.read_text("utf-8"))
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    if python.resolve() != Path(sys.executable).resolve() or "pip" not in installed_in(folder):
        step(f"virtual environment {folder} with Python {sys.version.split()[0]}")
        run([sys.executable, "-m", "venv", "--clear", str(folder)], folder)
    step(f"{len(names)} packages of {lock.name}")
    run([*pip, *LOCKED, str(lock)], folder)
    if packages_only:
        return
    step("the relay itself")
    with tempfile.TemporaryDirectory(prefix="relay-build-") as backend:
        run([*pip, *LOCKED, str(PROJECT / "requirements-build.lock"), "--target", backend], folder)
        own = ["--editable", str(PROJECT)] if develop else [str(PROJECT)]
        run([*pip, *OWN, *own], folder, PYTHONPATH=backend)
    step("pip check")
    run([*pip, "check"], folder)
    surplus = sorted(installed_in(folder) - names - {NAME} - ({"pip"} if develop else set()))
    if surplus:
        step(f"remove what the lock does not name: {', '.join(surplus)}")
        run([*pip, "uninstall", "--quiet", "--yes", *surplus], folder)


def missing_for(version: tuple[int, ...], folder: Path) -> str:
    """What keeps this Python from making the environment there, in a sentence; empty if nothing does."""
    if version < PYTHON_MIN:
        needed, found = (".".join(map(str, numbers)) for numbers in (PYTHON_MIN, version))
        return f"Python {needed} or newer is needed, this is {found}; PYTHON=/path/to/python3 names another to make"
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        return "this Python cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        return f"{folder} is not empty and no virtual environment; name another folder"
    return ""


def names_in(lock: str) -> set[str]:
    """The packages that a lock file pins."""
    return {normal(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}


def installed_in(folder: Path) -> set[str]:
    """The packages in an environment of this Python."""
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    return {normal(package.metadata["Name"]) for package in distributions(path=[str(packages)])}


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def reason(output: str) -> str:
    """Why pip failed, in words; at worst its own last error."""
    for pattern, words in REASONS:
        if re.search(pattern, output):
            return words
    absent = re.findall(r"No matching distribution found for ([\w.-]+==[\w.!+-]+)", output)
    if absent:
        return f"the package index has no wheel of {absent[-1]} for this Python and this machine"
    errors = re.findall(r"^ERROR: (.+)$", output, re.MULTILINE) or output.split("\n")
    return str(errors[-1])


def step(words: str) -> None:
    """Say what comes next."""
    sys.stdout.write(f"==> {words}\n")
    sys.stdout.flush()


def run(command: list[str], folder: Path, **environment: str) -> None:
    """Run a command; :class:`Fault` if it fails, and then all that it said is left in a file."""
    log = folder / "install.log"
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment}
    )
    if not done.returncode:
        return
    try:
        log.write_bytes(done.stdout)
        left = f"all that was said: {log}"
    except OSError as error:
        left = str(error)
    raise Fault(f"{reason(done.stdout.decode('utf-8', 'replace').strip())} ({left})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
