"""A body of ``/event`` is a stream of JSON objects; what stands before the first bad one is taken (pure).

Objects may follow each other with or without white space, or stand in an array (Splunk docs, "Format events
for HTTP Event Collector"; arrays measured). That everything before the first bad object is indexed, and that
an unknown key ends the reading without a word, was measured on Splunk 10.4 and Cloud 10.5.

``read_batch`` has a fast path for one object a line. Where it is not sure it hands over to the walk over the
text, which knows every exact boundary; both give the same answer for every body.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.splunk.envelope import Envelope, Verdict, judged
from app.sandbox.splunk.fast_line import UNSURE, FastLine, fast_line
from app.sandbox.splunk.model import HecToken
from app.sandbox.splunk.walk import BrokenJsonError, WalkedObject, next_object, skip_space

NO_DATA = 5


@dataclass(slots=True)
class Batch:
    """What Splunk took of a body, and what it says about it."""

    taken: list[Envelope] = field(default_factory=list)
    """To be indexed, in order. Objects with ``fields`` only are not among them."""
    objects: int = 0
    """Objects read, the culprit included; what follows it was not looked at."""
    code: int = 0
    number: int | None = None
    """``invalid-event-number`` as told: for code 7 one more than the culprit's (measured)."""


def read_batch(body: bytes, token: HecToken, *, event_bytes_max: int, fast: bool = True) -> Batch:
    """Read a body as Splunk does. ``fast=False`` forgoes the fast path; the answer is the same."""
    reading = _Reading(token, event_bytes_max)
    at = reading.read_lines(body) if fast else 0
    if not reading.ended:
        reading.walk(body[at:].decode("utf-8", "replace"))
    batch = reading.batch
    if not reading.ended and batch.objects == 0:
        batch.code = NO_DATA
    return batch


class _Reading:
    """One pass over one body. ``ended``: an object stopped the reading before the end of the body."""

    def __init__(self, token: HecToken, event_bytes_max: int) -> None:
        self.token = token
        self.event_bytes_max = event_bytes_max
        self.batch = Batch()
        self.ended = False

    def read_lines(self, body: bytes) -> int:
        """Read line by line as long as that is sure to be right; where the walk has to go on."""
        at = 0
        while at < len(body) and not self.ended:
            end = body.find(b"\n", at)
            end = len(body) if end < 0 else end
            line = fast_line(body[at:end], self.event_bytes_max)
            if line is UNSURE:
                return at
            if isinstance(line, FastLine):
                self._take(line.members, line.time_text, line.raw)
            at = end + 1
        return at

    def walk(self, text: str) -> None:
        """Read object by object, whatever stands between them."""
        at = skip_space(text, 0)
        while at < len(text) and not self.ended:
            at = self._array(text, at) if text[at] == "[" else self._object(text, at)
            at = skip_space(text, at)

    def _array(self, text: str, at: int) -> int:
        at = skip_space(text, at + 1)
        if text[at : at + 1] == "]":
            return at + 1
        while not self.ended:
            at = skip_space(text, self._object(text, at))
            mark = text[at : at + 1]
            if mark == "]":
                return at + 1
            if mark != "," and not self.ended:
                self._refuse(Verdict.BAD_FORMAT)
            at = skip_space(text, at + 1)
        return at

    def _object(self, text: str, at: int) -> int:
        try:
            walked = next_object(text, at)
        except BrokenJsonError:
            self._refuse(Verdict.BAD_FORMAT)
            return at
        if _bytes_of(walked, "event", self.event_bytes_max) > self.event_bytes_max:
            self._refuse(Verdict.BAD_FORMAT)
        else:
            self._take(walked.members, walked.texts.get("time"), text[at : walked.end].encode())
        return walked.end

    def _take(self, members: Mapping[str, object], time_text: str | None, raw: bytes) -> None:
        verdict = judged(members, time_text, self.token)
        if verdict is not Verdict.INDEXED and verdict is not Verdict.SKIPPED:
            self._refuse(verdict)
            return
        if verdict is Verdict.INDEXED:
            self.batch.taken.append(_envelope(self.batch.objects, members, time_text, raw))
        self.batch.objects += 1

    def _refuse(self, verdict: Verdict) -> None:
        """The next object is the culprit: it ends the reading."""
        batch = self.batch
        number = batch.objects
        self.ended = True
        batch.objects += 1
        if verdict is Verdict.STOPPED:
            batch.code = NO_DATA if number == 0 else 0
            return
        batch.code = int(verdict)
        batch.number = number + 1 if verdict is Verdict.BAD_INDEX else number


def _bytes_of(walked: WalkedObject, name: str, enough: int) -> int:
    """The length of a member in UTF-8; only counted exactly where it could exceed ``enough``."""
    text = walked.texts.get(name, "")
    return len(text) if len(text) * 4 <= enough else len(text.encode())


def _envelope(number: int, members: Mapping[str, object], time_text: str | None, raw: bytes) -> Envelope:
    fields = members.get("fields")
    return Envelope(
        number,
        _text(members, "index"),
        time_text,
        _text(members, "host"),
        _text(members, "source"),
        _text(members, "sourcetype"),
        fields if isinstance(fields, dict) else {},
        raw,
    )


def _text(members: Mapping[str, object], name: str) -> str | None:
    text = members.get(name)
    return text if isinstance(text, str) else None
