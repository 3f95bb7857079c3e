"""Which route a hook takes, and whether it goes anywhere at all. Pure.

Index, sourcetype and hec_source come from the tenants file, never from a payload.
"""

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

from app.tenants.model import Match, Route
from app.transform.values import items, obj

Facts = Mapping[str, tuple[str, ...]]
"""What a hook is, by the keys a condition may have; several values where it is several things at once."""

TAG = "tag:"
"""Begins the key of a condition on a tag: ``tag:team``."""

_SINGLE = ("resource", "action", "environment", "level", "issue_type", "issue_category")


def pick(routes: Sequence[Route], facts: Facts) -> int | None:
    """Which route is the first whose every condition holds; ``None`` if there is none."""
    return next((number for number, route in enumerate(routes) if _holds(route.when, facts)), None)


def facts_of(head: Mapping[str, object], detail: Mapping[str, object]) -> Facts:
    """What a route may ask for. A project is its slug and its id; several projects or rules are all of them."""
    facts = {name: _texts([head.get(name)]) for name in _SINGLE}
    facts["project"] = _texts([head.get("project"), head.get("project_id"), *items(head.get("projects"))])
    facts["rule"] = _texts([head.get("rule"), *items(obj(detail.get("alert")).get("rules"))])
    for name, value in obj(head.get("tags")).items():
        facts[TAG + name] = _texts(value if isinstance(value, list) else [value])
    return facts


def filtered_by(route: Route, identity: str) -> str | None:
    """Why a hook that takes this route goes nowhere; ``None``: it goes on. ``identity``: of its issue."""
    if route.drop:
        return f"a route drops {_spelled(route.when)}"
    if route.sample is not None and not sampled(identity, route.sample):
        return f"a route lets {route.sample:g} of the issues pass: {_spelled(route.when)}"
    return None


def sampled(identity: str, part: float) -> bool:
    """Whether what has this identity is among the part (0 to 1) that passes: always the same answer for the same."""
    drawn = int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big")
    return drawn < part * 2**64


def is_own(head: Mapping[str, object], own: Collection[str]) -> bool:
    """Whether a hook is about one of the relay's own projects, all of its projects if it has several."""
    several = _texts(items(head.get("projects")))
    if several:
        return all(project in own for project in several)
    return head.get("project") in own or head.get("project_id") in own


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values if value is not None)


def _spelled(when: Match) -> str:
    return ", ".join(f"{key}: {'|'.join(wanted)}" for key, wanted in when.conditions.items()) or "everything"


def _holds(when: Match, facts: Facts) -> bool:
    return all(
        any(pattern.matches(value) for pattern in patterns for value in facts.get(key, ()))
        for key, patterns in when.patterns.items()
    )
