"""What ``GET /admin/api/status`` answers: the verdict with what to do, and the books in a line. Pure."""

from typing import Final

from app.admin.serialization import Json, iso
from app.model import SpoolStats
from app.verdict import Situation, Todo, Verdict, judge

TODO_MAX: Final = 100
"""Troubles that are told one by one, worst first."""


def status_json(situation: Situation, *, version: str) -> Json:
    """The verdict on a situation as the API shows it."""
    verdict = judge(situation)
    return verdict_json(verdict, now=situation.now) | {
        "version": version,
        "destinations": situation.destinations,
        "books": None if situation.stats is None else _books(situation.stats),
        "limits": {"hooks": situation.limits.hooks_max, "bytes": situation.limits.bytes_max},
    }


def verdict_json(verdict: Verdict, *, now: float) -> Json:
    """A verdict by itself."""
    return {
        "at": iso(now),
        "level": verdict.level.words,
        "verdict": verdict.words,
        "detail": verdict.detail,
        "todo": [_todo(item) for item in verdict.todo[:TODO_MAX]],
        "todo_more": max(0, len(verdict.todo) - TODO_MAX),
    }


def _todo(item: Todo) -> Json:
    return {
        "level": item.level.words,
        "for": item.whose,
        "state": item.state,
        "words": item.words,
        "must_act": item.act,
        "advice": item.advice,
        "count": item.count,
        "since": iso(item.since),
        "next_in_s": item.next_in_s,
    }


def _books(stats: SpoolStats) -> Json:
    names = ("accepted", "delivered", "filtered", "discarded", "adopted", "waiting", "dead")
    return {name: sum(getattr(books, name) for books in stats.streams) for name in names} | {
        "hooks": stats.hooks,
        "payload_bytes": stats.payload_bytes,
        "oldest_waiting_at": iso(stats.oldest_waiting_at),
        "oldest_dead_at": iso(stats.oldest_dead_at),
    }
