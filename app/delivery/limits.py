"""How fast, how much and how long: every limit of delivering, in one value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """The names and meanings are those of the settings; ``_s`` is seconds."""

    batch_bytes_max: int
    """Of one post, before gzip."""
    batch_hec_events_max: int
    linger_s: float
    """How long a batch that is not full waits for company."""
    gzip_level: int
    concurrency_max: int
    """Posts under way to one destination."""
    in_flight_bytes_max: int
    """Payload bytes claimed at once, over all lanes."""
    lease_s: float
    poll_interval_s: float
    retry_base_s: float
    retry_max_s: float
    retry_after_max_s: float
    pause_probe_max_s: float
    event_bytes_max: int
    waiting_age_max_s: float
    dedup_window_s: float
    dead_age_max_s: float
    dead_bytes_max: int
    history_age_max_s: float
    history_max: int
    hec_connect_timeout_s: float
    hec_timeout_s: float
    hec_keepalive_s: float
    hec_connection_age_max_s: float
