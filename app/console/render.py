"""Templates and assets, read once. Escaping is on everywhere, and what a template does not know is a fault."""

import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types relay",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}


class Assets:
    """The files of ``static/`` under names that change with their content, so that a browser may keep them for good."""

    def __init__(self) -> None:
        self.by_name: dict[str, tuple[str, bytes]] = {}
        """Content type and bytes by the name in the URL."""
        self.names: dict[str, str] = {}
        """The name in the URL by that of the file."""
        for file in files("app.console").joinpath("static").iterdir():
            stem, dot, ending = file.name.rpartition(".")
            if dot + ending in TYPES:
                content = file.read_bytes()
                name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
                self.by_name[name] = TYPES[dot + ending], content
                self.names[file.name] = name


class Renderer:
    """Fills templates."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader("app.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(clock=clock, number=number, size=size)
        self._environment.globals["asset"] = assets.names

    def __call__(self, template: str, **values: Any) -> str:  # noqa: ANN401 - whatever the template shows
        """The page as HTML."""
        return self._environment.get_template(template).render(**values)


def clock(at: str) -> str:
    """A time of the API as people read it; the page says that times are UTC."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def number(count: float) -> str:
    """``1,204``."""
    return f"{count:,}"


def size(count: float) -> str:
    """Bytes in the unit that fits: ``512 B``, ``1.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":  # noqa: PLR2004 - a unit's step
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return ""
