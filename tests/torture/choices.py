"""What a trial will do, chosen from its seed alone. Pure: the same seed gives the same choices."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

WINDOW_S = 1.6
"""A life ends, or looks for the point where to end, within so long of being able to accept."""


class Engine(StrEnum):
    """Where the spool is."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class End(StrEnum):
    """How one life of the relay ends. Everything but ``TERM`` is SIGKILL."""

    RANDOM = "random"
    """At an instant that has nothing to do with what it is doing."""
    POSTING = "posting"
    """Within milliseconds of a hook being sent: while it is read, verified, committed or answered."""
    VERIFIED = "verified"
    """A hook has been verified and is about to be stored."""
    BATCH = "batch"
    """In the middle of writing a batch: half of a write to the log, half of the statement."""
    COMMITTING = "committing"
    """Everything is written, and about to be committed."""
    COMMITTED = "committed"
    """It is committed, and the relay has not been told."""
    ANSWERING = "answering"
    """The 202 is about to be said."""
    ACCEPTED = "accepted"
    """The moment that a 202 has been read."""
    TAKEN = "taken"
    """Splunk has taken hec_events of a batch and has not answered."""
    SETTLING = "settling"
    """Splunk's answer has come in, and nothing has been made of it."""
    ATTEMPTED = "attempted"
    """The relay has read Splunk's answer and says so; it is about to settle, or is doing it."""
    SETTLE_COMMITTING = "settle_committing"
    """Settled but for the commit."""
    SETTLED = "settled"
    """That is committed, and the relay has not been told."""
    CHECKPOINTING = "checkpointing"
    """In the middle of a write from the log into the database file."""
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
    """What else happens during a life."""

    NONE = "none"
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT a while later; with several replicas, or on PostgreSQL, past its leases."""
    FILE_LIMIT = "file_limit"
    """Its files cannot grow, by RLIMIT_FSIZE."""
    DISK_FULL = "disk_full"
    """No file can grow, by ENOSPC: the relay's, or PostgreSQL's."""
    CLOCK = "clock"
    """Its wall clock is put hours ahead or back, and right again."""
    CUT_SENTRY = "cut_sentry"
    """Nothing comes through between Sentry and it."""
    CUT_SPLUNK = "cut_splunk"
    """Nothing comes through between it and a Splunk."""
    CUT_SPOOL = "cut_spool"
    """Nothing comes through between it and PostgreSQL."""
    SPOOL_KILLED = "spool_killed"
    """All of PostgreSQL gets SIGKILL, and is started again."""
    SPOOL_CRASHED = "spool_crashed"
    """One process of PostgreSQL gets SIGKILL: it ends all of its connections and recovers."""


ONLY_SQLITE = frozenset({End.CHECKPOINTING, Trouble.FILE_LIMIT})
ONLY_POSTGRES = frozenset(
    {End.SETTLE_COMMITTING, End.SETTLED, Trouble.CUT_SPOOL, Trouble.SPOOL_KILLED, Trouble.SPOOL_CRASHED}
)
ACCEPTS = frozenset({End.POSTING, End.VERIFIED, End.BATCH, End.COMMITTING, End.COMMITTED, End.ANSWERING, End.ACCEPTED})
"""Only a replica that accepts comes to these."""
DELIVERS = frozenset({End.TAKEN, End.SETTLING, End.ATTEMPTED, End.SETTLE_COMMITTING, End.SETTLED})
"""Only a replica that delivers comes to these."""
REPLICAS = ("all", "accept", "deliver")
"""What three of them do."""
LEASE_S = 2.0
"""On PostgreSQL: a replica that was killed holds its deliveries for so long."""


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
    """Of a file limit: the most a file may have, as a part of what the write-ahead log has then (0 to 2)."""
    clock_s: float = 0.0
    """How far the clock is put off."""
    hole: bool = False
    """Of a cut network: nothing is heard, instead of resets."""
    passes: int = 0
    """So many times the point is passed before the end."""
    replica: int = 0
    """Whose life it is."""

    @property
    def kind(self) -> str:
        """One word for it."""
        return self.end.value if self.trouble is Trouble.NONE else self.trouble.value


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
    engine: Engine = Engine.SQLITE
    replicas: int = 1

    @property
    def kills(self) -> int:
        """How many lives end by SIGKILL."""
        return sum(life.end.kills for life in self.lives)


_ENDS = {
    End.RANDOM: 6,
    End.POSTING: 2,
    End.VERIFIED: 3,
    End.BATCH: 3,
    End.COMMITTING: 3,
    End.COMMITTED: 3,
    End.ANSWERING: 3,
    End.ACCEPTED: 3,
    End.TAKEN: 4,
    End.SETTLING: 3,
    End.ATTEMPTED: 2,
    End.SETTLE_COMMITTING: 3,
    End.SETTLED: 3,
    End.CHECKPOINTING: 3,
    End.STARTING: 2,
    End.DRAINING: 2,
    End.TERM: 2,
}
_TROUBLES = dict.fromkeys(Trouble, 1) | {Trouble.NONE: 16, Trouble.DISK_FULL: 2, Trouble.SPOOL_KILLED: 2}
_REPLICATED = 0.4
"""Of the trials on PostgreSQL, so many have three replicas."""


def choices(
    seed: int,
    *,
    lives: int,
    engine: Engine = Engine.SQLITE,
    end: End | None = None,
    trouble: Trouble | None = None,
    replicas: int | None = None,
) -> Choices:
    """The trial of that seed: one to ``lives`` lives, all with that ``end`` and ``trouble`` if any is named."""
    rng = Random(f"{seed}:{engine}:choices")  # noqa: S311 - repeatable on purpose
    count = rng.randint(max(1, lives // 2), lives)
    several = engine is Engine.POSTGRES and rng.random() < _REPLICATED
    replicas = replicas if replicas and engine is Engine.POSTGRES else len(REPLICAS) if several else 1
    return Choices(
        seed=seed,
        lives=tuple(_life(rng, engine, replicas, end, trouble) for _ in range(count)),
        posters=rng.randint(3, 10),
        pause_s=rng.uniform(0.02, 0.1),
        claimed_in=rng.randint(0, count),
        engine=engine,
        replicas=replicas,
    )


def _life(rng: Random, engine: Engine, replicas: int, end: End | None, trouble: Trouble | None) -> Life:
    unknown = ONLY_SQLITE if engine is Engine.POSTGRES else ONLY_POSTGRES
    ends = {each: weight for each, weight in _ENDS.items() if each not in unknown}
    troubles = {each: weight for each, weight in _TROUBLES.items() if each not in unknown}
    end = end or rng.choices(list(ends), list(ends.values()))[0]
    trouble = trouble or rng.choices(list(troubles), list(troubles.values()))[0]
    chosen = [each for each, role in enumerate(REPLICAS[:replicas]) if _can(role, end)]
    replica = rng.choice(chosen)
    if end is End.STARTING:
        return Life(end=end, end_after_s=rng.uniform(0.3, 1.1), then_s=0.0, replica=replica)
    then_s = {End.POSTING: rng.uniform(0.0, 0.006), End.DRAINING: rng.uniform(0.0, 0.5)}
    trouble_s = rng.uniform(0.2, 1.3)
    if trouble is Trouble.FREEZE and engine is Engine.POSTGRES:
        trouble_s += rng.choice([0.0, LEASE_S])
    trouble_after_s = rng.uniform(0.0, 0.6)
    end_after_s = rng.uniform(0.0, WINDOW_S)
    if trouble is not Trouble.NONE:
        end_after_s = trouble_after_s + rng.uniform(0.1, 1.5) * trouble_s
    return Life(
        end=end,
        end_after_s=end_after_s,
        then_s=then_s.get(end, rng.choice([0.0, 0.0, rng.uniform(0.0, 0.03)])),
        trouble=trouble,
        trouble_after_s=trouble_after_s,
        trouble_s=trouble_s,
        file_bytes=rng.choice([0.0, rng.random(), 1.0, rng.uniform(1.0, 2.0)]),
        clock_s=rng.choice([-1, 1]) * rng.uniform(60, 6 * 3600),
        hole=rng.random() < 0.5,
        passes=rng.choice([0, 0, rng.randint(0, 5)]),
        replica=replica,
    )


def _can(role: str, end: End) -> bool:
    """Whether a replica of that role comes to that end."""
    return role == "all" or end not in (DELIVERS if role == "accept" else ACCEPTS)
