"""What limits delivering, in one value: how much at once, how fast, how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """The names and meanings are those of the settings; a suffix is the unit (``_s``: seconds)."""

    batch_bytes_max: int
    """Largest body of one post, before gzip."""
    batch_hec_events_max: int
    """Most hec_events in one post."""
    linger_s: float
    """How long a batch that is not full waits for more hec_events."""
    gzip_level: int
    """0 sends every body plain."""
    concurrency_max: int
    """Most posts under way to one destination."""
    in_flight_bytes_max: int
    """Most payload bytes claimed at once, over all destinations."""
    lease_s: float
    """How long a claim is ours without being renewed."""
    poll_interval_s: float
    """How long an idle dispatcher waits before it looks into the spool again."""
    retry_base_s: float
    """Upper bound of the first backoff; it doubles with each failure in a row."""
    retry_max_s: float
    """Upper bound of any backoff of a delivery or a destination."""
    retry_after_max_s: float
    """Longest ``Retry-After`` that is obeyed."""
    pause_probe_max_s: float
    """Upper bound of the backoff between two tries of a refused hec_token or index."""
    event_bytes_max: int
    """Largest hec_event; longer ones are shortened."""
