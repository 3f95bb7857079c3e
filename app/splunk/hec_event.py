"""One hec_event before it is encoded. ``transform`` makes it, ``splunk.encode`` checks and writes it."""

from collections.abc import Mapping

from msgspec import Struct

Scalar = str | int | float | bool


class HecEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The envelope of HEC's ``/event`` endpoint (known keys only: an unknown one stops Splunk silently).

    ``hec_source`` is Splunk's ``source`` field. ``time`` is epoch seconds as fixed decimal text, or ``None`` for
    the time of receipt. ``index`` ``None`` leaves the choice to the hec_token's default. ``fields`` are indexed
    and flat. ``event`` is never empty.
    """

    time: str | None
    host: str
    hec_source: str
    sourcetype: str
    index: str | None
    fields: Mapping[str, Scalar]
    event: Mapping[str, object]
    event_json: bytes = b""
    """The JSON of ``event`` as UTF-8, where whoever made the hec_event had to write it anyway; else empty."""
