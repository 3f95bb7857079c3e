"""Reading a ``postgresql://`` URL, without ever showing its password."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SCHEMES: Final = ("postgresql", "postgres")
WRONG: Final = (
    "must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE; every character of user and password that is not a "
    "letter or digit has to be percent-encoded"
)
_POOLER: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is."""

    dsn: str = field(repr=False)
    """For the driver, password included."""
    shown: str
    """For people: host, port and database."""
    pooler: bool
    """Whether a pooler that hands out connections by the transaction stands between."""


def read_url(url: str) -> Address:
    """The address behind a URL.

    ``pooler=yes`` among its parameters is the relay's own; every other goes to the driver, which knows libpq's
    (``sslmode``, ``target_session_attrs``, ...) and hands what it does not know to the server as a setting.

    Raises:
        ValueError: it is none, or half of the password would be taken for something else. The text holds no part
            of the URL.
    """
    try:
        parts = urlsplit(url)
        parameters = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(WRONG) from None
    _, _, hosts = parts.netloc.rpartition("@")
    if parts.scheme not in SCHEMES or "@" in parts.path + parts.query or "#" in url or not _are_hosts(hosts):
        raise ValueError(WRONG)
    own = {name: value for name, value in parameters if name == "pooler"}
    if own.get("pooler", "no") not in _POOLER:
        raise ValueError("has a parameter pooler that is neither yes nor no")
    rest = [(name, value) for name, value in parameters if name not in own]
    shown_host = hosts or dict(rest).get("host", "localhost")
    return Address(
        dsn=parts._replace(query=urlencode(rest, quote_via=quote)).geturl(),
        shown=f"postgresql://{shown_host}{parts.path}",
        pooler=_POOLER[own.get("pooler", "no")],
    )


def _are_hosts(text: str) -> bool:
    """Whether it is nothing, or ``host:port`` with commas between."""
    for each in text.split(",") if text else ():
        _, colon, port = each.rpartition("]")[2].partition(":")
        if colon and not (port.isascii() and port.isdigit()):
            return False
    return True
