"""The JSON of the admin API, both ways. Pure. Times are ISO 8601, UTC, to the microsecond; a payload is never in it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from app.admin.narrative import must_act
from app.errors import AdminRefusal
from app.model import Attempt, AuditEntry, Cause, DeliveryRecord, State, Stream, StreamCounts
from app.verdict import Trouble

Json: TypeAlias = dict[str, Any]

_AGO: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_EARLIEST: Final = 0.0
_LATEST: Final = 4_102_444_800.0
"""The year 2100. Engines keep times of their own kinds, and need not hold what no delivery can have."""


def iso(at: float | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def moment(text: str, *, now: float) -> float:
    """Unix seconds of ``2h`` (s, m, h or d before ``now``), or of an ISO 8601 date or time (UTC unless it says).

    Raises:
        Refused: ``bad_query``; it is neither.
    """
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(_EARLIEST, now - float(ago[1]) * _UNITS_S[ago[2]])
    try:
        parsed = datetime.fromisoformat(text)
        at = parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        at = -1.0
    if not _EARLIEST <= at <= _LATEST:
        words = "is neither an age (90s, 30m, 2h, 7d) nor a time such as 2026-11-22T10:00Z"
        raise AdminRefusal("bad_query", f"{shown(text)} {words}")
    return at


def shown(text: object) -> str:
    """What somebody gave, in quotes, bounded."""
    words = repr(text)
    return words if len(words) <= 60 else words[:59] + "…"  # noqa: PLR2004 - a sentence stays one


def life_json(life: DeliveryRecord) -> Json:
    """A delivery as the API shows it."""
    return {
        "seq": life.seq,
        "delivery_id": life.delivery_id,
        "tenant": life.stream.tenant,
        "destination": life.stream.destination,
        "state": life.state.value,
        "cause": life.cause.value if life.cause else None,
        "must_act": must_act(life).value,
        "fault": life.fault,
        "attempts": life.attempts,
        "ambiguous": life.ambiguous,
        "received_at": iso(life.received_at),
        "first_attempt_at": iso(life.first_attempt_at),
        "last_attempt_at": iso(life.last_attempt_at),
        "due_at": iso(life.due_at),
        "ended_at": iso(life.ended_at),
        "sender": life.sender,
        "resource": life.resource,
        "request_id": life.request_id,
        "verified_with": life.verified_with,
        "installation": life.installation,
        "payload_bytes": life.payload_bytes,
        "tried": [
            {"at": iso(each.at), "took_s": each.took_s, "answer": each.answer, "ambiguous": each.ambiguous}
            for each in life.tried
        ],
    }


def waiting_json(life: DeliveryRecord, troubles: Mapping[Stream, Trouble]) -> Json:
    """Why a delivery waits, where something holds up its whole stream: to be put over ``life_json``."""
    trouble = troubles.get(life.stream)
    if life.state is not State.WAITING or trouble is None:
        return {"held_up": None}
    held_up = {"words": trouble.words, "must_act": trouble.act, "since": iso(trouble.since), "state": trouble.state}
    return {"held_up": held_up, "must_act": trouble.act}


def life_of(shown_life: Mapping[str, Any]) -> DeliveryRecord:
    """What ``life_json`` showed, read back (by the command line, from a relay's answer)."""
    return DeliveryRecord(
        seq=int(shown_life["seq"]),
        delivery_id=str(shown_life["delivery_id"]),
        stream=Stream(str(shown_life["tenant"]), str(shown_life["destination"])),
        state=State(shown_life["state"]),
        cause=Cause(shown_life["cause"]) if shown_life["cause"] else None,
        fault=str(shown_life["fault"]),
        attempts=int(shown_life["attempts"]),
        ambiguous=int(shown_life["ambiguous"]),
        received_at=_at(shown_life["received_at"]) or 0.0,
        first_attempt_at=_at(shown_life["first_attempt_at"]),
        last_attempt_at=_at(shown_life["last_attempt_at"]),
        due_at=_at(shown_life["due_at"]),
        ended_at=_at(shown_life["ended_at"]),
        sender=str(shown_life["sender"]),
        resource=str(shown_life["resource"]),
        request_id=str(shown_life["request_id"]),
        verified_with=str(shown_life["verified_with"]),
        installation=str(shown_life["installation"]),
        payload_bytes=int(shown_life["payload_bytes"]),
        tried=tuple(
            Attempt(_at(each["at"]) or 0.0, float(each["took_s"]), str(each["answer"]), bool(each["ambiguous"]))
            for each in shown_life["tried"]
        ),
    )


def _at(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def audit_json(entry: AuditEntry) -> Json:
    """An entry of the audit as the API shows it."""
    return {
        "number": entry.number,
        "at": iso(entry.at),
        "action": entry.action,
        "actor": entry.actor,
        "reason": entry.reason,
        "count": entry.count,
        "delivery_ids": list(entry.delivery_ids),
    }


def count_json(count: StreamCounts) -> Json:
    """The books of one stream, and whether they add up."""
    ended = count.delivered + count.filtered + count.discarded + count.adopted
    return {
        "tenant": count.stream.tenant,
        "destination": count.stream.destination,
        "accepted": count.accepted,
        "delivered": count.delivered,
        "filtered": count.filtered,
        "discarded": count.discarded,
        "adopted": count.adopted,
        "waiting": count.waiting,
        "dead": count.dead,
        "adds_up": count.accepted == ended + count.waiting + count.dead,
    }


def grouped(lives: Sequence[DeliveryRecord]) -> Counter[tuple[str, str, str, str]]:
    """How many of these dead letters there are by tenant, destination, cause and who must act."""
    return Counter((*each.stream, each.cause.value if each.cause else "", must_act(each).value) for each in lives)


def groups_json(groups: Mapping[tuple[str, str, str, str], int]) -> list[Json]:
    """``grouped`` as the API shows it, the largest first."""
    names = ("tenant", "destination", "cause", "must_act")
    ordered = sorted(groups.items(), key=lambda each: (-each[1], each[0]))
    return [{**dict(zip(names, group, strict=True)), "count": count} for group, count in ordered]
