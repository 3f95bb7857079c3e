"""What a trial will do, chosen from its seed alone. Pure: the same seed gives the same choices."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

WINDOW_S = 1.6
"""A life ends, or looks for the point where to end, within so long of being able to accept."""


class End(StrEnum):
    """How one life of the relay ends. Everything but ``TERM`` is SIGKILL."""

    RANDOM = "random"
    """At an instant that has nothing to do with what it is doing."""
    POSTING = "posting"
    """Within milliseconds of a hook being sent: while it is read, verified, committed or answered."""
    ACCEPTED = "accepted"
    """The moment that a 202 has been read."""
    TAKEN = "taken"
    """Splunk has taken hec_events of a batch and has not answered."""
    ATTEMPTED = "attempted"
    """The relay has read Splunk's answer and says so; it is about to settle, or is doing it."""
    STARTING = "starting"
    """Before it is ready, while it opens the spool."""
    DRAINING = "draining"
    """A moment after SIGTERM."""
    TERM = "term"
    """SIGTERM alone: it has to end by itself, with status 143."""

    @property
    def kills(self) -> bool:
        """Whether it is a SIGKILL."""
        return self is not End.TERM


class Trouble(StrEnum):
    """What else happens to the relay during a life."""

    NONE = "none"
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT a while later."""
    DISK_FULL = "disk_full"
    """Its files cannot grow, by RLIMIT_FSIZE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of the relay. Times are seconds from the moment it listens."""

    end: End
    end_after_s: float
    """``STARTING``: from its start, as a part of the time that a start takes."""
    then_s: float
    """Between the point of ``end`` and the signal."""
    trouble: Trouble = Trouble.NONE
    trouble_after_s: float = 0.0
    trouble_s: float = 0.0
    file_bytes: float = 0.0
    """Of a full disk: the most a file may have, as a part of what the write-ahead log has then (0 to 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Everything about a trial that its seed decides."""

    seed: int
    lives: tuple[Life, ...]
    posters: int
    pause_s: float
    """Each poster waits so long on average between two hooks."""
    claimed_in: int
    """From this life on the tenants file names the installation whose hooks are parked until then."""

    @property
    def kills(self) -> int:
        """How many lives end by SIGKILL."""
        return sum(life.end.kills for life in self.lives)


_ENDS = {
    End.RANDOM: 8,
    End.POSTING: 4,
    End.ACCEPTED: 4,
    End.TAKEN: 5,
    End.ATTEMPTED: 3,
    End.STARTING: 2,
    End.DRAINING: 2,
    End.TERM: 2,
}
_TROUBLES = {Trouble.NONE: 7, Trouble.FREEZE: 1, Trouble.DISK_FULL: 2}


def choices(seed: int, *, lives: int, end: End | None = None, trouble: Trouble | None = None) -> Choices:
    """The trial of that seed: one to ``lives`` lives, all with that ``end`` and ``trouble`` if any is named."""
    rng = Random(f"{seed}:choices")  # noqa: S311 - repeatable on purpose
    count = rng.randint(max(1, lives // 2), lives)
    return Choices(
        seed=seed,
        lives=tuple(_life(rng, end, trouble) for _ in range(count)),
        posters=rng.randint(3, 10),
        pause_s=rng.uniform(0.02, 0.1),
        claimed_in=rng.randint(0, count),
    )


def _life(rng: Random, end: End | None, trouble: Trouble | None) -> Life:
    end = end or rng.choices(list(_ENDS), list(_ENDS.values()))[0]
    trouble = trouble or rng.choices(list(_TROUBLES), list(_TROUBLES.values()))[0]
    if end is End.STARTING:
        return Life(end=end, end_after_s=rng.uniform(0.3, 1.1), then_s=0.0)
    then_s = {End.POSTING: rng.uniform(0.0, 0.006), End.DRAINING: rng.uniform(0.0, 0.5)}
    trouble_s = rng.uniform(0.2, 1.3)
    end_after_s = rng.uniform(0.0, WINDOW_S) + (0.0 if trouble is Trouble.NONE else trouble_s * rng.random())
    return Life(
        end=end,
        end_after_s=end_after_s,
        then_s=then_s.get(end, rng.choice([0.0, 0.0, rng.uniform(0.0, 0.03)])),
        trouble=trouble,
        trouble_after_s=rng.uniform(0.0, 0.6),
        trouble_s=trouble_s,
        file_bytes=rng.choice([0.0, rng.random(), 1.0, rng.uniform(1.0, 2.0)]),
    )
