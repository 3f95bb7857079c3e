"""Routes: first match wins, and no pattern can be made slow."""

import pytest

from app.globs import Glob
from app.tenants.model import Match, Route
from app.transform.routing import pick


def _route(index: str, **conditions: tuple[str, ...]) -> Route:
    return Route(when=Match(conditions), index=index)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("checkout", "Checkout", True),
        ("check*", "checkout", True),
        ("*out", "checkout", True),
        ("c*k*t", "checkout", True),
        ("check?ut", "checkout", True),
        ("check?ut", "checkut", False),
        ("*", "", True),
        ("?", "", False),
        ("check", "checkout", False),
        ("[P1] *", "[p1] down", True),
        ("[P1]", "P", False),
        ("straße", "STRASSE", True),
    ],
)
def test_patterns_are_exact_or_globs_in_any_case(pattern: str, value: str, *, expected: bool) -> None:
    """Star and question mark only: brackets are what alert rules are called by."""
    assert Glob(pattern).matches(value) is expected


def test_the_first_route_that_matches_wins() -> None:
    """Later ones are not looked at; none matching leaves the destination's defaults."""
    routes = (_route("a", project=("stock",)), _route("b", project=("shop*",)), _route("c"))
    assert pick(routes, {"project": ("shop-eu", "17")}) == 1
    assert pick(routes, {}) == 2
    assert pick(routes[:2], {"project": ("x",)}) is None


def test_every_condition_must_hold_and_any_value_will_do() -> None:
    """``when`` is and over its keys, or over a key's values; a fact that is absent matches nothing."""
    route = _route("a", project=("shop", "stock"), level=("fatal", "error"))
    assert pick((route,), {"project": ("stock",), "level": ("error",)}) == 0
    assert pick((route,), {"project": ("stock",)}) is None
    assert pick((route,), {"project": ("stock",), "level": ("info",)}) is None


def test_no_pattern_is_slow() -> None:
    """The pattern with which a backtracking matcher would not be done before the test's deadline."""
    assert not Glob("*a" * 200 + "b").matches("a" * 100_000)
