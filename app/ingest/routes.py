"""Which door a request came to. Every path works with and without one trailing slash, and none redirects."""

from typing import NamedTuple

from app.errors import NotFound


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
