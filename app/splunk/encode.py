r"""Writes hec_events as HEC reads them, after checking what Splunk would refuse or, worse, silently skip. Pure.

The rules come from Splunk's docs ("Format events for HTTP Event Collector") and from measuring Splunk 10.4: an
unknown envelope key ends a batch silently; nested indexed fields draw code 15; so does a time in scientific
notation; ``\u`` escapes in an event make non-ASCII text unsearchable.
"""

import gzip
import math
import re
from collections.abc import Mapping, Sequence

import orjson

from app.errors import EnvelopeFault
from app.splunk.hec_event import HecEvent, Scalar

GZIP_FROM_BYTES = 1_024
DELIVERY_ID = "relay_delivery_id"
RELAY_ATTEMPT = "relay_attempt"
RELAY_WAITED = "relay_waited"
WAITED_BYTES_MAX = 26
"""Most that ``with_waited`` adds to an envelope."""

_TIME = re.compile(r"\d{1,12}(\.\d{1,9})?")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_OPENING = b'{"fields":{'
"""How every envelope begins, so that a mark can be put in without encoding again."""
_WAITED_S_MAX = 9_999_999_999.0
"""Three centuries: a clock that is wrong by more says nothing, and the envelope's growth has a bound."""
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def _text_faults(name: str, value: object) -> list[str]:
    if not isinstance(value, str):
        return [f"{name} is not text"]
    if not value.strip():
        return [f"{name} is blank"]
    return [f"{name} holds a NUL"] if "\0" in value else []


def _field_faults(name: object, value: object) -> list[str]:
    faults = _text_faults("a field's name", name)
    if isinstance(value, float) and not math.isfinite(value):
        faults.append(f"field {name!s} is not a finite number")
    elif isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        faults.append(f"field {name!s} is beyond 64 bits")
    elif isinstance(value, str) and "\0" in value:
        faults.append(f"field {name!s} holds a NUL")
    elif not isinstance(value, str | int | float):
        faults.append(f"field {name!s} is not a text, number or boolean")
    return faults


def _faults(hec_event: HecEvent) -> list[str]:
    """What is wrong with everything but the inside of ``event``."""
    faults: list[str] = []
    for name in ("host", "hec_source", "sourcetype"):
        faults += _text_faults(name, getattr(hec_event, name))
    if hec_event.index is not None:
        faults += _text_faults("index", hec_event.index)
    if hec_event.time is not None and not _TIME.fullmatch(hec_event.time):
        faults.append("time is not a fixed decimal")
    if not hec_event.event:
        faults.append("event is empty")
    own = (name for name in (RELAY_ATTEMPT, RELAY_WAITED) if name in hec_event.fields)
    faults += [f"field {name} is the relay's own" for name in own]
    for name, value in hec_event.fields.items():
        faults += _field_faults(name, value)
    return faults


def _surely_good(hec_event: HecEvent) -> bool:
    """Whether ``_faults`` would find nothing but perhaps a NUL: one look that most pass, at a fraction of the cost.

    A NUL is seen once it is written.
    """
    index, time, fields = hec_event.index, hec_event.time, hec_event.fields
    texts = (hec_event.host, hec_event.hec_source, hec_event.sourcetype, *fields)
    if index is not None:
        texts += (index,)
    for text in texts:
        if type(text) is not str or not text or text.isspace():
            return False
    for value in fields.values():
        if not isinstance(value, str) and not (isinstance(value, int) and _INT_MIN <= value <= _INT_MAX):
            return False  # floats too: few, and to be looked at
    if time is not None and not _TIME.fullmatch(time):
        return False
    return bool(hec_event.event) and RELAY_ATTEMPT not in fields and RELAY_WAITED not in fields


def _plain(value: object) -> dict[object, object]:
    """Mappings that are no dict, for the encoder."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def encode(hec_event: HecEvent, *, delivery_id: str | None = None, attempt: int = 1) -> bytes:
    """One envelope: known keys only, all metadata on it, fixed-point time, raw UTF-8.

    ``delivery_id`` is always among the indexed fields, as ``relay_delivery_id``. ``attempt`` above 1 marks a
    hec_event that Splunk may have already (``relay_attempt``), for those who search for doubles; 1 leaves no mark.

    Numbers inside ``event`` that are not finite are written as null; JSON has no other word for them.

    Raises:
        EnvelopeFault: it would be refused or skipped; the fault lists everything that is wrong.
    """
    if not _surely_good(hec_event) and (faults := _faults(hec_event)):
        raise EnvelopeFault(faults)
    fields: dict[str, Scalar] = dict(hec_event.fields)
    if delivery_id is not None:
        fields[DELIVERY_ID] = delivery_id
    envelope: dict[str, object] = {"fields": fields}
    if hec_event.time is not None:
        envelope["time"] = orjson.Fragment(hec_event.time)
    envelope |= {"host": hec_event.host, "source": hec_event.hec_source, "sourcetype": hec_event.sourcetype}
    if hec_event.index is not None:
        envelope["index"] = hec_event.index
    envelope["event"] = orjson.Fragment(hec_event.event_json) if hec_event.event_json else hec_event.event
    try:
        written = orjson.dumps(envelope, default=_plain)
    except TypeError as fault:
        raise EnvelopeFault(_faults(hec_event) or [str(fault)]) from None
    if b"\\u0000" in written and _NUL.search(written):
        raise EnvelopeFault(_faults(hec_event) or ["event holds a NUL"])
    return mark(written, attempt) if attempt > 1 else written


def mark(envelope: bytes, attempt: int) -> bytes:
    """The same envelope with ``relay_attempt`` among its indexed fields; a mark it has already is replaced."""
    rest = envelope.removeprefix(_OPENING)
    if rest.startswith(b'"relay_attempt":'):
        rest = rest.partition(b",")[2]
    return b'%s"relay_attempt":%d,%s' % (_OPENING, attempt, rest)


def with_waited(envelope: bytes, waited_s: float) -> bytes:
    """The envelope as it is posted: with ``relay_waited``, whole seconds since receipt, among its indexed fields.

    Put on at each post and never kept, so that what is posted again says how long it has waited by then.
    """
    return b'%s"relay_waited":%d,%s' % (_OPENING, max(0.0, min(waited_s, _WAITED_S_MAX)), envelope[len(_OPENING) :])


def join(envelopes: Sequence[bytes]) -> bytes:
    """The body of one post: the envelopes, one a line."""
    return b"\n".join(envelopes)


def gzipped(size: int, level: int) -> bool:
    """Whether a body of ``size`` bytes is worth compressing."""
    return level > 0 and size >= GZIP_FROM_BYTES


def compress(body: bytes, level: int) -> bytes:
    """The body gzipped; the same bytes for the same body."""
    return gzip.compress(body, compresslevel=level, mtime=0)
