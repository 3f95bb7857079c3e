"""The closer look by position: only what has a finding in it is looked at, everything else stays as it is. Pure.

Where the quick look (``prefilter``) finds something in some JSON, the value is walked along that JSON: an entry
whose bytes hold no finding cannot hold anything to take out (a test compares this with looking at everything).
"""

import sys
from bisect import bisect_left, bisect_right

from orjson import dumps as _dumps

from app.sentry.event import User
from app.transform.privacy.personal import CUT_CHARS_MIN, email_in, ip_in, name_in
from app.transform.privacy.prefilter import FINDINGS_MAX, findings
from app.transform.privacy.redact import LEVELS_MAX, NEVER, PEOPLE, Redaction, TooDeep, entry_name
from app.transform.values import CUT

_CUT = CUT.encode()


class Spots:
    """Where findings are in some JSON: disjoint or not, by their beginnings."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, spans: list[tuple[int, int]], size: int) -> None:
        spans.sort()
        if len(spans) >= FINDINGS_MAX:  # behind the last of them there may be more
            spans.append((spans[-1][0], size))
        self._starts = [start for start, _ in spans]
        self._ends: list[int] = []
        for _, end in spans:  # the furthest end so far
            self._ends.append(end if not self._ends else max(end, self._ends[-1]))

    def after(self, at: int) -> int:
        """Where the first finding that ends behind ``at`` begins, or a number that is beyond any JSON."""
        place = bisect_right(self._ends, at)
        return self._starts[place] if place < len(self._starts) else sys.maxsize

    def between(self, start: int, end: int) -> bool:
        """Whether a finding has a byte from ``start`` up to ``end``."""
        before = bisect_left(self._starts, end)  # those that begin before ``end``
        return before > 0 and self._ends[before - 1] > start


class Look:
    """The closer look of one hook: by position, or at everything where a tenant masks what nothing quick can find."""

    __slots__ = ("_masked", "_person", "_personal", "redaction")

    def __init__(self, redaction: Redaction, person: User | None, *, personal: bool, masked: bool) -> None:
        self.redaction = redaction
        self._person = person
        self._personal = personal
        self._masked = masked

    def event(self, event: dict[str, object], encoded: bytes) -> dict[str, object]:
        """An event without what must not leave; its keys are the schema's. ``encoded``: its JSON, empty if unknown."""
        if self._masked:
            return {name: self.redaction.field(name, value) for name, value in event.items()}
        return _Walk(self.redaction, self._spots(encoded or _dumps(event), payload=False)).section(event)

    def payload(self, value: object) -> object:
        """A payload without what must not leave.

        Raises:
            TooDeep: it nests deeper than can be looked at or written.
        """
        if self._masked:
            return self.redaction.redact(value)
        try:
            encoded = _dumps([[value]])[2:-2]  # within the event it nests two levels deeper
        except TypeError:
            raise TooDeep from None
        spots = self._spots(encoded, payload=True)
        return _Walk(self.redaction, spots).value(value, 0) if spots.between(0, len(encoded)) else value

    def _spots(self, encoded: bytes, *, payload: bool) -> Spots:
        spans = findings(encoded, personal=self._personal, payload=payload)
        return Spots(spans + spots_of_person(encoded, self._person), len(encoded))


def spots_of_person(encoded: bytes, person: User | None) -> list[tuple[int, int]]:
    """Where JSON may hold its user's IP address or name, or the beginning of an address in a text that was cut."""
    if person is None:
        return []
    said, identity = person.ip_address, person.id
    spans: list[tuple[int, int]] = []
    if isinstance(said, str) and said:
        spans += _all(said.encode(), encoded)
    if isinstance(identity, str) and not identity.isalnum() and ip_in(identity):
        spans += _all(identity.encode(), encoded)
    lowered = b""
    if (name := name_in(person.name)) is not None:
        lowered = encoded.lower()
        spans += _all(_dumps(name)[1:-1].lower(), lowered)
    if was_cut(encoded):
        lowered = lowered or encoded.lower()
        known = (said, identity, person.email, person.username, person.name)
        addresses = [found for value in known if (found := email_in(value) or ip_in(value) or name_in(value))]
        for beginning in {address.replace("%40", "@").partition("@")[0][:CUT_CHARS_MIN] for address in addresses}:
            spans += _all(beginning.lower().encode(), lowered)
    return spans


def was_cut(encoded: bytes) -> bool:
    """Whether a text in it was cut. By the first byte of the mark: looking for one byte costs a tenth."""
    at = encoded.find(_CUT[:1])
    while at >= 0 and not encoded.startswith(_CUT, at):
        at = encoded.find(_CUT[:1], at + 1)
    return at >= 0


def _all(sought: bytes, encoded: bytes) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    at = encoded.find(sought)
    while at >= 0 and len(spans) < FINDINGS_MAX:
        spans.append((at, at + len(sought)))
        at = encoded.find(sought, at + len(sought))
    return spans


class _Walk:
    """Goes along some JSON, whose positions it counts, and through the value that it is of."""

    __slots__ = ("_redaction", "_spots")

    def __init__(self, redaction: Redaction, spots: Spots) -> None:
        self._redaction = redaction
        self._spots = spots

    def section(self, event: dict[str, object]) -> dict[str, object]:
        """Top-level fields under the schema's own names."""
        at, redacted, start = 1, event.copy(), self._spots.after(0)
        for name, item in event.items():
            value_at = at + len(name) + 3  # two quotes and a colon; a name of the schema needs no escapes
            end = value_at + len(_dumps(item))
            if start < end:
                if self._spots.between(at, end):
                    redacted[name] = self._entry(name, item, "", value_at, 0)
                start = self._spots.after(end)
            at = end + 1
        return redacted

    def value(self, value: object, at: int, *, within: str = "", level: int = 0) -> object:
        """As ``Redaction.redact``, of a value whose JSON begins at ``at`` and holds a finding."""
        if not isinstance(value, dict | list):
            return self._redaction.redact(value)
        if level >= LEVELS_MAX:
            raise TooDeep
        if isinstance(value, list):
            return self._list(value, at, within, level)
        if "value" in value and entry_name(value) is not None:  # the name tells what the value is
            return self._redaction.redact(value, within=within, level=level)
        redacted: dict[str, object] = {}
        at += 1
        for key, item in value.items():
            value_at = at + len(_dumps(key)) + 1
            end = value_at + len(_dumps(item))
            if not self._spots.between(at, end):
                redacted[key] = item
            elif key not in NEVER:
                name = self._redaction.text(key) if self._spots.between(at, value_at) else key
                redacted[name] = self._entry(key, item, within, value_at, level + 1)
            at = end + 1
        return redacted

    def _list(self, value: list[object], at: int, within: str, level: int) -> object:
        if len(value) > 1 and isinstance(value[0], str) and isinstance(value[1], str | list):
            return self._redaction.redact(value, within=within, level=level)  # a name and what stands under it
        redacted: list[object] = []
        at += 1
        for item in value:
            end = at + len(_dumps(item))
            found = self._spots.between(at, end)
            redacted.append(self._entry(within, item, "", at, level + 1) if found else item)
            at = end + 1
        return redacted

    def _entry(self, key: str, item: object, within: str, at: int, level: int) -> object:
        """What stands under a key, with a finding in one of them."""
        if not isinstance(item, dict | list) or key in PEOPLE or self._redaction.hides(key, item, within):
            return self._redaction.entry(key, item, within, level)
        return self.value(item, at, within=key, level=level)
