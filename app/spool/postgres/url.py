"""Reading a ``postgresql://`` URL, without ever showing its password."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

PORT: Final = 5432
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
    dsns: tuple[str, ...] = field(repr=False)
    """The same for each of its hosts alone, in their order."""
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
    whole = parts._replace(query=urlencode(rest, quote_via=quote))
    shown_host = hosts or dict(rest).get("host", "localhost")
    return Address(
        dsn=whole.geturl(),
        dsns=tuple(_alone(whole, hosts, rest)),
        shown=f"postgresql://{shown_host}{parts.path}",
        pooler=_POOLER[own.get("pooler", "no")],
    )


def _alone(whole: SplitResult, hosts: str, parameters: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The URL with one of its hosts each, wherever they stand in it."""
    who, at, _ = whole.netloc.rpartition("@")
    if hosts:
        for host in hosts.split(","):
            yield whole._replace(netloc=f"{who}{at}{host}").geturl()
        return
    named = dict(parameters)
    names, ports = named.get("host", "").split(","), named.get("port", "").split(",")
    for place, name in enumerate(names):
        own = {"host": name, "port": ports[place] if place < len(ports) else ports[0]}
        query = [(key, own.get(key, value)) for key, value in parameters]
        yield whole._replace(query=urlencode(query, quote_via=quote)).geturl()


def password_in(dsn: str) -> str | None:
    """The password that the file named by ``passfile`` has for a URL of one host; ``None``: the driver finds its own.

    Whatever its mode: a Secret of Kubernetes is readable for a group, and the driver would not look into it.

    Raises:
        OSError: the file cannot be read.
    """
    parts = urlsplit(dsn)
    named = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "passfile" not in named or parts.password or "password" in named:
        return None
    host = parts.hostname or named.get("host", "localhost")
    port = str(parts.port or named.get("port") or PORT)
    user = unquote(parts.username or "") or named.get("user", "")
    database = unquote(parts.path.removeprefix("/")) or named.get("dbname", named.get("database", user))
    wanted = "localhost" if host.startswith("/") else host, port, database, user
    for line in Path(named["passfile"]).read_text("utf-8").splitlines():
        fields = [re.sub(r"\\(.)", r"\1", field) for field in re.split(r"(?<!\\):", line.strip())]
        if len(fields) == len(wanted) + 1 and not line.startswith("#") and _fits(fields, wanted):
            return fields[-1]
    return None


def _fits(fields: Sequence[str], wanted: Sequence[str]) -> bool:
    return all(field in ("*", value) for field, value in zip(fields, wanted, strict=False))


def _are_hosts(text: str) -> bool:
    """Whether it is nothing, or ``host:port`` with commas between."""
    for each in text.split(",") if text else ():
        _, colon, port = each.rpartition("]")[2].partition(":")
        if colon and not (port.isascii() and port.isdigit()):
            return False
    return True
