"""Whether a request comes from the console's own pages. Pure.

Browsers say where a request comes from; that replaces tokens in forms. ``Sec-Fetch-Site`` is not sent to plain http
hosts other than loopback, where ``Origin`` has to do (Fetch Metadata, W3C; Fetch, section 3.2).
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD"})


def is_own(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the request may do what it asks for. Reading is always allowed: it changes nothing."""
    if method in SAFE:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser came here by a link of another site: it then leaves a ``SameSite=Strict`` cookie at home."""
    return headers.get("sec-fetch-site") in {"cross-site", "same-site"}


def is_secure(headers: Mapping[str, str]) -> bool:
    """Whether the browser speaks https, whatever stands between it and the relay: ``Origin`` of its post says so."""
    return headers.get("origin", "").lower().startswith("https://")
