"""The payload kept whole: of a hook that cannot be read as a known one, and where a tenant wants everything. Pure."""

from collections.abc import Callable

from app.sentry.payload import Fault, read, text_of
from app.sentry.resources import Kind
from app.tenants.model import Destination
from app.transform import size_budget as budget
from app.transform.privacy.located import Look
from app.transform.privacy.paths import ANY_DEPTH, kept_of
from app.transform.privacy.redact import TooDeep

_EMPTY: tuple[object, ...] = (None, "", [], {})
_INTO_PAYLOAD = ("payload", "payload_text", "*", ANY_DEPTH)
Keep = Callable[[Look], dict[str, object]]
"""Gives the section with the payload: ``payload``; ``payload_text`` where it is no JSON, too deep or too large."""


def kept_payload(kind: Kind, fault: Fault, payload: bytes, destination: Destination, bytes_max: int) -> Keep | None:
    """How to keep the payload; ``None``: it is not to be kept."""
    if destination.detail == "none" or (kind.known and destination.detail != "full"):
        return None
    paths = destination.privacy.drop_paths
    # Twice the budget: more could not fit, and credentials that are taken out leave less behind than they were.
    kept_max = 2 * max(bytes_max, budget.EVENT_BYTES_MIN)

    def keep(look: Look) -> dict[str, object]:
        if fault in ("", "payload_not_an_object") and len(payload) <= kept_max:
            try:
                whole = kept_of({"payload": read(payload).value}, paths)
                return {name: kept for name, value in whole.items() if (kept := look.payload(value)) not in _EMPTY}
            except (TooDeep, RecursionError):
                pass
        if any(path[0] in _INTO_PAYLOAD for path in paths):
            return {}  # a path into a payload cannot be followed in its text
        text = text_of(payload[:kept_max])
        return {"payload_text": look.redaction.text(text, broken=True)} if text.strip() else {}

    return keep
