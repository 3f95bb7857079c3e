"""What is kept of a refusal: a line in the log, as long as no stranger fills it, and a place in memory."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from app.errors import IngestRefusal

LINES_AT_ONCE_MAX = 20
"""Lines of one kind that may come at once ..."""
LINES_A_SECOND = 1.0
"""... and how many a second after that."""
OMITTED_S = 10.0
"""After this many seconds at most, the log says how many lines were left out."""
ALL_AT_ONCE_MAX = 200
"""The same of all kinds together ..."""
ALL_A_SECOND = 20.0
OMITTED_KINDS_MAX = 100
"""Beyond, what is left out is told by code and reason only."""
KINDS_MAX = 1_000
SAMPLES_MAX = 20
_log = structlog.get_logger()


class Kind(NamedTuple):
    """Refusals that are counted and limited together. ``tenant`` is one of the tenants file, or empty."""

    code: str
    reason: str
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """One refusal, for people to read. Holds nothing of the body, no signature, no legacy key."""

    at: float
    """Unix seconds."""
    kind: Kind
    status: int
    path: str
    peer: str
    """The address at the other end of the connection."""
    client: str
    """Whom a trusted proxy asked for; else ``peer``."""
    facts: Mapping[str, object]


class RefusalSink(Protocol):
    """Where refusals are kept."""

    def refused(self, request: RefusedRequest) -> None:
        """One more."""
        ...


@dataclass(slots=True)
class KindTotal:
    """The refusals of one kind since the start: how many, when, and the latest of them."""

    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    samples: deque[RefusedRequest] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))


class RefusalMemory(RefusalSink):
    """Keeps totals and samples by kind, in memory. Of too many kinds the one refused longest ago is forgotten."""

    def __init__(self) -> None:
        self._totals: OrderedDict[Kind, KindTotal] = OrderedDict()

    def refused(self, request: RefusedRequest) -> None:
        """One more."""
        total = self._totals.pop(request.kind, None) or KindTotal(first_at=request.at)
        self._totals[request.kind] = total
        total.count += 1
        total.last_at = request.at
        total.samples.append(request)
        if len(self._totals) > KINDS_MAX:
            self._totals.popitem(last=False)

    def totals(self) -> Sequence[tuple[Kind, KindTotal]]:
        """Every kind, the one refused last first."""
        return list(reversed(self._totals.items()))


class Bucket:
    """A token bucket: ``burst`` at once, then ``per_s``."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = self._tokens = burst
        self._per_s = per_s
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take one token, if there is one. ``now`` is steady seconds."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class LineQuota:
    """How many lines of each kind the log takes, and of all kinds together. Pure: ``now`` is steady seconds."""

    def __init__(self) -> None:
        self._all = Bucket(ALL_AT_ONCE_MAX, ALL_A_SECOND)
        self._buckets: OrderedDict[Kind, Bucket] = OrderedDict()
        self._omitted: dict[Kind, int] = {}

    def take(self, kind: Kind, now: float) -> int | None:
        """``None``: leave this line out. Else how many of its kind were left out before it."""
        bucket = self._buckets.pop(kind, None) or Bucket(LINES_AT_ONCE_MAX, LINES_A_SECOND)
        self._buckets[kind] = bucket
        if len(self._buckets) > KINDS_MAX:
            self._buckets.popitem(last=False)
        if bucket.take(now) and self._all.take(now):
            return self._omitted.pop(kind, 0)
        known = kind in self._omitted or len(self._omitted) < OMITTED_KINDS_MAX
        counted = kind if known else kind._replace(tenant="")
        self._omitted[counted] = self._omitted.get(counted, 0) + 1
        return None

    def omitted(self) -> Mapping[Kind, int]:
        """What was left out and not said yet; it counts as said now."""
        omitted, self._omitted = self._omitted, {}
        return omitted


class RefusalLog:
    """Writes the lines that the quota allows, and says in time how many it did not."""

    def __init__(self) -> None:
        self._quota = LineQuota()
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, kind: Kind) -> int | None:
        """As ``LineQuota.take``, now."""
        loop = asyncio.get_running_loop()
        left_out = self._quota.take(kind, loop.time())
        if left_out is None and self._timer is None:
            self._timer = loop.call_later(OMITTED_S, self.flush)
        return left_out

    @staticmethod
    def write(request: RefusedRequest, *, left_out: int, hint: str | None = None) -> None:
        """One line."""
        log = _log.error if request.status >= 500 else _log.warning  # noqa: PLR2004 - HTTP's own border
        facts = {**request.facts, "hint": hint} if hint else request.facts
        log(
            "request.refused",
            code=request.kind.code,
            reason=request.kind.reason,
            path=request.path,
            peer=request.peer or None,
            client=request.client if request.client != request.peer else None,
            left_out=left_out or None,
            **facts,
        )

    def flush(self) -> None:
        """Say what was left out."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kind, count in self._quota.omitted().items():
            _log.warning(
                "refusals.omitted", code=kind.code, reason=kind.reason, tenant=kind.tenant or None, left_out=count
            )


def kind_of(refusal: IngestRefusal) -> Kind:
    """The kind of a refusal. A tenant that a stranger made up makes no kind of its own."""
    known = refusal.reason != "no_such_tenant"
    return Kind(refusal.code, refusal.reason, str(refusal.facts.get("tenant") or "") if known else "")
