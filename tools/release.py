"""Cut a release: one version everywhere, and the changelog's section. Standard library only.

::

    python3 tools/release.py 0.2.0          # write the version and the section; then commit, tag and push
    python3 tools/release.py --notes 0.2.0  # print that section; fails unless the code names this version

The version stands in ``app/__init__.py``. Splunk wants it in the ``app.conf`` of each app as well, Helm in the
chart, and kustomize as the image's tag.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
UNRELEASED = "## [Unreleased]\n"


class Refused(Exception):  # noqa: N818 - it says why not
    """The release cannot be cut; the text says why."""


def main(arguments: Sequence[str], project: Path = PROJECT) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="release", description="Cut a release.")
    parser.add_argument("version", help="the new version, such as 0.2.0")
    parser.add_argument("--notes", action="store_true", help="only print what the changelog says about it")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.notes:
            sys.stdout.write(notes(chosen.version, project))
        else:
            cut(chosen.version, project, today=datetime.now(UTC).date().isoformat())
            sys.stdout.write(f"now: git commit -am 'Release {chosen.version}' && git tag -a v{chosen.version}\n")
    except Refused as refused:
        sys.stderr.write(f"release: {refused}\n")
        return 1
    return 0


def cut(version: str, project: Path, *, today: str) -> None:
    """Write the version into every file that names it, and give the changelog's unreleased part to it."""
    changelog = project / "CHANGELOG.md"
    dated = section_dated(changelog.read_text("utf-8"), version, today=today)
    source = project / "app" / "__init__.py"
    current = version_in(source.read_text("utf-8"))
    if not VERSION.fullmatch(version) or _key(version) <= _key(current):
        raise Refused(f"{version} does not come after {current}")
    replace(source, r'^(__version__ = ").*(?=")', version)
    for conf in sorted((project / "deploy" / "splunk").glob("*/default/app.conf")):
        replace(conf, r"^(version = ).*", version)
    for chart in sorted((project / "deploy" / "helm").glob("*/Chart.yaml")):
        replace(chart, r"^(version: |appVersion: ).*", version)
    for kustomization in sorted((project / "deploy" / "kubernetes").rglob("kustomization.yaml")):
        replace(kustomization, r"^( *newTag: ).*", version)
    changelog.write_text(dated, "utf-8")


def replace(path: Path, pattern: str, version: str) -> None:
    """Put the version behind the pattern's group, wherever it is found in a file."""
    path.write_text(re.sub(pattern, rf"\g<1>{version}", path.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


def notes(version: str, project: Path) -> str:
    """What the changelog says about a version."""
    current = version_in((project / "app" / "__init__.py").read_text("utf-8"))
    if current != version:
        raise Refused(f"the code is version {current}, not {version}")
    found = re.search(
        rf"^## \[{re.escape(version)}\].*\n((?:(?!## ).*\n)*)",
        (project / "CHANGELOG.md").read_text("utf-8"),
        re.MULTILINE,
    )
    if not found or not found[1].strip():
        raise Refused(f"CHANGELOG.md says nothing about {version}")
    return f"{found[1].strip()}\n"


def section_dated(changelog: str, version: str, *, today: str) -> str:
    """The changelog with its unreleased part as that of ``version``, and an empty one above it."""
    head, found, rest = changelog.partition(UNRELEASED)
    unreleased = rest.partition("\n## ")[0]
    if not found or not unreleased.strip():
        raise Refused("CHANGELOG.md has nothing under Unreleased")
    if f"## [{version}]" in changelog:
        raise Refused(f"CHANGELOG.md has a section for {version} already")
    return f"{head}{UNRELEASED}\n## [{version}] - {today}\n{rest}"


def version_in(source: str) -> str:
    """The version that ``app/__init__.py`` names."""
    found = re.search(r'^__version__ = "(.*)"', source, re.MULTILINE)
    if not found:
        raise Refused("app/__init__.py names no version")
    return found[1]


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
