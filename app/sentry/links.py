"""What Sentry's links tell: most payloads name their organization nowhere else.

Forms, as Sentry writes them: ``https://sentry.io/organizations/<org>/...``, ``https://<org>.sentry.io/...``,
``https://<self-hosted>/organizations/<org>/...``, and for the API ``/api/0/projects/<org>/<project>/...`` and
``/api/0/organizations/<org>/...``, whose host may be a region.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

_HOST = re.compile(r"https?://(?:[^/?#@\s]{1,100}@)?([A-Za-z0-9.-]{1,255})(?::\d{1,5})?(?=[/?#]|$)")
_ORGANIZATION = re.compile(r"/(?:organizations|api/0/projects)/([^/?#\s]{1,100})(?:/|$)")
_PROJECT = re.compile(r"/api/0/projects/[^/?#\s]{1,100}/([^/?#\s]{1,100})(?:/|$)")
_OLD_WEB = re.compile(r"https?://[^/?#\s]{1,255}/([^/?#\s]{1,100})/([^/?#\s]{1,100})/(?:issues|group)/\d")
_SAAS = ".sentry.io"
_NOT_ORGANIZATIONS = frozenset({"www", "app", "us", "us2", "de", "eu"})
_LINK_CHARS_MAX = 2000


def host_of(link: object) -> str | None:
    """The host that a link names, lower case, without port and user-info."""
    if not isinstance(link, str):
        return None
    found = _HOST.match(link, 0, _LINK_CHARS_MAX)
    return found[1].lower() if found else None


def organization_of(links: Iterable[object]) -> str | None:
    """The organization's slug, from the first link that names one."""
    for link in links:
        if not isinstance(link, str):
            continue
        if "/organizations/" in link or "/api/0/" in link:  # a quick no: most links name it as their host
            found = _ORGANIZATION.search(link, 0, _LINK_CHARS_MAX)
            if found:
                return _slug(found[1])
        host = host_of(link)
        if host and host.endswith(_SAAS):
            slug = host.removesuffix(_SAAS)
            if "." not in slug and slug not in _NOT_ORGANIZATIONS:
                return slug
    return None


def organization_and_project_of(link: object) -> tuple[str | None, str | None]:
    """The slugs in ``https://HOST/ORGANIZATION/PROJECT/issues/ID/``, a link of old Sentrys; ``None`` from others."""
    found = _OLD_WEB.match(link, 0, _LINK_CHARS_MAX) if isinstance(link, str) else None
    if found is None or found[1] == "organizations":
        return None, None
    return _slug(found[1]), _slug(found[2])


def project_of(link: object) -> str | None:
    """The project's slug, if the link is one of the API's project links."""
    if not isinstance(link, str):
        return None
    found = _PROJECT.search(link, 0, _LINK_CHARS_MAX)
    return _slug(found[1]) if found else None


def _slug(quoted: str) -> str:
    return unquote(quoted) if "%" in quoted else quoted
