"""What Sentry makes of an answer, in words, by its own retry rules.

They stand in the sentry_apps tasks and webhook code of getsentry/sentry.
"""

from dataclasses import dataclass, field

from app.model import Sender

TIMED_OUT = 0
CONNECTION_FAILED = -1
"""Sentry's own request log shows these two numbers where there was no status."""

_NOT_RETRIED_5XX = {503, 504}
_OTHER_SENDERS = {
    "legacy": "the legacy plugin never retries: lost",
    "service_hook": "a service hook's answer is not looked at",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one POST. ``status`` is ``TIMED_OUT`` or ``CONNECTION_FAILED`` where nothing did."""

    status: int
    body: bytes = field(repr=False)
    seconds: float
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names in lower case."""
    fault: str = ""
    """Why there was no answer, in words."""

    def header(self, name: str) -> str:
        """The first header of that name (lower case), or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


def verdict(answer: Answer, sender: Sender = "integration") -> str:
    """One sentence on what becomes of the hook at Sentry's side after this answer."""
    if answer.status in _NOT_RETRIED_5XX and sender == "integration":
        return "lost: the newest Sentry does not retry 503 and 504, and an internal integration retries nothing"
    match answer.status // 100:
        case 2:
            return "Sentry calls this a success"
        case 3:
            return "Sentry would call this a success and the hook would be lost: it follows no redirect"
        case 4 if sender == "integration":
            return "Sentry never retries a 4xx: lost"
        case _ if sender == "integration":
            return "lost for an internal integration; a published one tries twice more, 5 minutes apart"
    return _OTHER_SENDERS[sender]
