"""What a connection may take, and all of them together. Names and meanings are those of the settings."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Seconds, bytes and counts."""

    connections_max: int
    bodies_bytes_max: int
    """Bytes of unread and unanswered bodies, all together."""
    body_bytes_max: int
    """Of a refused body, twice as much is read and thrown away, so that its sender reads the answer."""
    head_bytes_max: int = 32_768
    head_deadline_s: float = 30.0
    """From the first byte after the last answer (or from the connection's start) to the end of the head."""
    first_byte_s: float = 1.0
    """From the end of a head to the first byte of its body."""
    body_deadline_s: float = 10.0
    """From the end of a head to the end of its body."""
    keepalive_s: float = 75.0
    """A connection on which nothing came for so long after an answer is closed."""
    answer_s: float = 10.0
    """So long an answer may wait for its reader."""
    linger_s: float = 2.0
    """So long a refused body is read and thrown away."""
    requests_end_s: float = 3.0
    """Once the port is closed, requests that have begun get so long. Sentry waits one second."""
    idle_end_s: float = 1.0
    """Once the port is closed, idle connections are kept for so long: a request may be on its way on one."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
