"""Packs the two packages for Splunk: ``python -m deploy.splunk.generate.pack [FOLDER]``, by default into ``dist``.

The same files give the same bytes, whoever packs them, when and where: names in order, one date, no owner,
0644 and 0755.
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path

from app import __version__
from deploy.splunk.generate.manifest import ADD_ON, APP

FOLDER = Path(__file__).parents[1]
LICENCE = FOLDER.parents[1] / "LICENSE"
_DATE = 1_767_225_600
"""2026-01-01: any date does, as long as it is always the same."""
_LEFT_OUT = {"local", "__pycache__", "local.meta"}
"""What a Splunk that runs on the checkout may have written there."""


def contents(package: str) -> dict[str, bytes]:
    """Every file of a package by its path in the archive, the project's licence among them."""
    found = {f"{package}/LICENSE": LICENCE.read_bytes()}
    for path in sorted((FOLDER / package).rglob("*")):
        below = path.relative_to(FOLDER)
        if path.is_file() and not _LEFT_OUT & {*below.parts} and not path.name.startswith("."):
            found[below.as_posix()] = path.read_bytes()
    return dict(sorted(found.items()))


def archive(package: str) -> bytes:
    """The package as a compressed tar archive."""
    files = contents(package)
    folders = {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=_DATE, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted({*folders, *files}):
            member = tarfile.TarInfo(name)
            member.mtime = _DATE
            if name in files:
                member.size, member.mode = len(files[name]), 0o644
                tar.addfile(member, io.BytesIO(files[name]))
            else:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
    return packed.getvalue()


def main(folder: str = "dist") -> int:
    """Write both archives and say where."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for package in (ADD_ON, APP):
        path = target / f"{package.name}-{__version__}.tgz"
        path.write_bytes(archive(package.name))
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
