"""Wheels made on the spot, for a package index that is a folder."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

NOTHING: Mapping[str, str] = {}
# A build backend in one file: of the two hooks that are asked for, each makes a wheel with nothing but a name in it.
BACKEND = """
import zipfile
from pathlib import Path


def build_wheel(folder, settings=None, metadata=None):
    name = "sentry_splunk_relay-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        info = "sentry_splunk_relay-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: sentry-splunk-relay\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", f"{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n")
    return name


build_editable = build_wheel
"""


def make_wheel(
    folder: Path, name: str, version: str, *, head: tuple[str, ...] = (), files: Mapping[str, str] = NOTHING
) -> str:
    """A wheel of ``files`` with further lines of METADATA; its line for a lock file."""
    info = f"{name}-{version}.dist-info"
    metadata = "".join(f"{line}\n" for line in ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *head))
    inside = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in inside.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in {**inside, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(inner, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
