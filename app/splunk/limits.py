"""What a client of HEC allows itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Times are in seconds. Splunk closes idle connections after 12 s when busy; ours expire before that."""

    connect_timeout_s: float
    timeout_s: float
    """For the whole exchange, connecting included."""
    keepalive_s: float
    """How long an idle connection is kept."""
    connection_age_max_s: float
    """Connections are made anew after this, so that balancers and changes of DNS are followed."""
    connections_max: int
    """Posts at once to one address; probes and ack polls have a connection each beside them."""
