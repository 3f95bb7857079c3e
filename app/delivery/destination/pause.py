"""Why something is paused, since when and until when. Pure: every time is an argument."""

from dataclasses import dataclass, field

from app.backoff import delay, retry_after_s
from app.delivery.destination.breaker import Breaker, BreakerState, half_opened, left_s, opened, succeeded
from app.delivery.limits import DeliveryLimits
from app.splunk.answers import Scope, Verdict
from app.splunk.codes import Act


@dataclass(frozen=True, slots=True)
class Pause:
    """A circuit breaker and the words that go with it. A new one pauses nothing."""

    breaker: Breaker = field(default_factory=Breaker)
    scope: Scope = Scope.NONE
    words: str = ""
    act: Act = Act.NOBODY
    since: float = 0.0
    """Unix seconds of the first fault in a row."""

    @property
    def state(self) -> BreakerState:
        """The state of the breaker."""
        return self.breaker.state

    def left_s(self, now: float) -> float:
        """Seconds until it is tried again; ``now`` is on the clock that ``begun`` was given."""
        return left_s(self.breaker, now=now)

    def begun(self, verdict: Verdict, *, now: float, at: float, wait_s: float) -> "Pause":
        """The pause after a fault at Unix time ``at``: nothing is posted for ``wait_s`` seconds."""
        return Pause(
            breaker=opened(self.breaker, now=now, wait_s=wait_s),
            scope=verdict.scope,
            words=verdict.words,
            act=verdict.act,
            since=self.since if self.breaker.openings else at,
        )

    def half_opened(self, now: float) -> "Pause":
        """The pause as it is at ``now``: half open, if its time is over."""
        return Pause(half_opened(self.breaker, now=now), self.scope, self.words, self.act, self.since)

    def ended(self) -> "Pause":
        """The pause after a success: none, unless it is open, for then the success is of an earlier post."""
        breaker = succeeded(self.breaker)
        return Pause() if breaker.state is BreakerState.CLOSED else self


def wait_s(pause: Pause, verdict: Verdict, *, limits: DeliveryLimits, jitter: float, at: float) -> float:
    """Seconds that the next opening of ``pause`` lasts: the backoff, or longer if Splunk asked for it.

    A little jitter on what Splunk asked for keeps those that were told the same from coming back together.
    """
    cap_s = limits.retry_max_s if verdict.scope is Scope.DESTINATION else limits.pause_probe_max_s
    backoff = delay(pause.breaker.openings + 1, jitter=jitter, base_s=limits.retry_base_s, cap_s=cap_s)
    asked = retry_after_s(verdict.retry_after, now=at, cap_s=limits.retry_after_max_s)
    return backoff if asked is None else max(backoff, asked + jitter * limits.retry_base_s)
