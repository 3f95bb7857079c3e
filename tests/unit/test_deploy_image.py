"""The image's base can be named by its digest, and is the same for every stage."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.image import base_by_tag
from tests.unit.pages import ROOT, text

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
DOCKERFILE = text(ROOT / "Dockerfile")


def made_base(folder: Path, answer: str, dockerfile: str = DOCKERFILE) -> tuple[int, str]:
    """Run ``make base`` in a folder, with a docker that gives this answer: exit status, and the Dockerfile after it."""
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "Dockerfile").write_text(dockerfile)
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\ntest "$1 $2 $3 $4" = "buildx imagetools inspect python:3.13-slim" && {answer}\n')
    docker.chmod(0o755)
    environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    ended = subprocess.run(["make", "-s", "base"], cwd=folder, env=environ, check=False, capture_output=True)  # noqa: S607
    return ended.returncode, (folder / "Dockerfile").read_text()


def test_one_base_for_every_stage() -> None:
    """Named once, by a tag and perhaps its digest; the image itself holds what was left of it."""
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.13-slim(@sha256:[0-9a-f]{64})?", stages[0][0])
    assert [source for source, _ in stages[1:]] == ["base", "base", "scratch"]


def test_the_digest_is_put_beside_the_tag_and_renewed(tmp_path: Path) -> None:
    """By one command, which changes nothing else."""
    status, written = made_base(tmp_path, f"echo {DIGEST}")
    assert status == 0
    assert f"\nFROM python:3.13-slim@{DIGEST} AS base\n" in written
    assert base_by_tag(written, made_here=True) == base_by_tag(DOCKERFILE, made_here=True)
    assert base_by_tag(written, made_here=False) == written
    newer = DIGEST.replace("0", "f")
    assert made_base(tmp_path, f"echo {newer}", written) == (0, written.replace(DIGEST, newer))


@pytest.mark.parametrize("answer", ["exit 1", "echo", "echo sha256:short", "echo no such manifest"])
def test_what_is_no_digest_is_not_written(answer: str, tmp_path: Path) -> None:
    """A registry that cannot be reached leaves the Dockerfile as it is."""
    status, written = made_base(tmp_path, answer)
    assert status != 0
    assert written == DOCKERFILE
