"""Which door a request came to. Every path works with and without one trailing slash, and none redirects. Pure."""

from collections.abc import Container
from typing import NamedTuple

from app.asgi import Scope
from app.errors import NotFound

_MARKS = frozenset({b"sentry-hook-resource", b"sentry-hook-signature", b"x-servicehook-signature"})
"""Headers that nobody but Sentry sends."""
_MASK = "…"


class Route(NamedTuple):
    """``tenant`` empty: the shared integration's door. ``key`` given: the legacy plugin's."""

    tenant: str
    key: str | None


def match_route(path: str) -> Route:
    """The door of a decoded path below ``/sentry``.

    Raises:
        NotFound: it is none.
    """
    match path.removesuffix("/").split("/"):
        case ["", "sentry"]:
            return Route("", None)
        case ["", "sentry", tenant] if tenant:
            return Route(tenant, None)
        case ["", "sentry", tenant, "legacy", key] if tenant and key:
            return Route(tenant, key)
    raise NotFound("no_such_path")


def looks_like_hook(scope: Scope) -> bool:
    """Whether a request to a path of nobody's was meant as a hook: it bears Sentry's headers, or its path says so."""
    if scope["method"] != "POST":
        return False
    return any(name in _MARKS for name, _ in scope["headers"]) or _door(scope["path"].split("/")) is not None


def right_path(path: str, tenants: Container[str]) -> str:
    """The path that a hook sent to ``path`` should have, as far as that can be told: without a legacy key."""
    parts = path.split("/")
    door = _door(parts)
    below = [part for part in parts[door + 1 :] if part] if door is not None else []
    if not below:
        return "/sentry/TENANT"
    tenant = below[0] if below[0] in tenants or below[0].lower() not in tenants else below[0].lower()
    legacy = [part.lower() for part in below[1:2]] == ["legacy"]
    return f"/sentry/{tenant}/legacy/{_MASK}" if legacy else f"/sentry/{tenant}"


def shown_path(path: str, *, chars_max: int = 128) -> str:
    """The path as a log may have it: bounded, and without a legacy key, right or wrong."""
    parts = path[: chars_max * 8].split("/")
    door = _door(parts)
    kept = door + 2 if door is not None else 3
    if len(parts) > kept:
        parts[kept:] = [_MASK]
    return "/".join(parts)[:chars_max]


def _door(parts: list[str]) -> int | None:
    """Where the part ``sentry`` stands, in whatever case."""
    return next((place for place, part in enumerate(parts) if part.lower() == "sentry"), None)
