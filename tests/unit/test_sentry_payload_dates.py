"""Sentry's dates and links, and how they are told."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.sentry.dates import epoch_text, instant, iso_text
from app.sentry.links import host_of, organization_of, project_of


@pytest.mark.parametrize(
    ("spelling", "told"),
    [
        ("2026-05-04T09:08:07+00:00", "1777885687"),
        ("2026-05-04T09:08:07.000000Z", "1777885687"),
        ("2026-05-04T11:08:07.250+02:00", "1777885687.25"),
        ("2026-05-04T09:08:07", "1777885687"),
        ("2026-05-04 09:08:07.123456789Z", "1777885687.123456"),
        (1588159425.978469, "1588159425.978469"),
        (1777885687, "1777885687"),
        ("1777885687.5", "1777885687.5"),
        (1e9, "1000000000"),
        (0.000001, "0.000001"),
    ],
)
def test_each_spelling_is_told_as_a_fixed_decimal(spelling: object, told: str) -> None:
    """Never scientific notation, at most six decimals, no trailing zeros."""
    when = instant(spelling)
    assert when is not None
    assert epoch_text(when) == told


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9" * 50,
        -1,
        1e300,
        float("nan"),
        [],
        {},
    ],
)
def test_what_is_no_date_is_none(value: object) -> None:
    """No guess is made of it."""
    assert instant(value) is None
    assert iso_text(value) is None


def test_dates_leave_in_one_spelling() -> None:
    """UTC with a Z, whatever came in."""
    assert iso_text("2026-05-04T11:08:07+02:00") == "2026-05-04T09:08:07.000000Z"
    assert iso_text(1777885687.25) == "2026-05-04T09:08:07.250000Z"


@given(st.floats(min_value=0, max_value=253_402_300_799))
@example(1777885687.9999998)
@example(59.9999999)
@example(1.5e-6)
@example(-0.0)
def test_a_moment_leaves_as_the_standard_library_spells_it(seconds: float) -> None:
    """Rounded to microseconds as it does, carried into the next second where that is nearer."""
    spelled = (datetime(1970, 1, 1) + timedelta(0, seconds)).isoformat(timespec="microseconds")  # noqa: DTZ001 - UTC, without saying so
    assert iso_text(seconds) == f"{spelled}Z"


@pytest.mark.parametrize(
    ("link", "organization"),
    [
        ("https://sentry.io/organizations/acme/issues/1/", "acme"),
        ("https://acme.sentry.io/issues/1/", "acme"),
        ("https://errors.acme.example:9000/organizations/acme/issues/1/", "acme"),
        ("https://us.sentry.io/api/0/projects/acme/shop/events/1/", "acme"),
        ("https://us.sentry.io/issues/1/", None),
        ("https://errors.acme.example/issues/1/", None),
        (None, None),
    ],
)
def test_the_organization_is_read_from_every_form_of_link(link: object, organization: str | None) -> None:
    """A region's API host is no organization."""
    assert organization_of([link]) == organization


def test_the_project_is_read_from_the_apis_link_alone() -> None:
    """Web links name the issue, not the project."""
    assert project_of("https://sentry.io/api/0/projects/acme/shop/events/1/") == "shop"
    assert project_of("https://sentry.io/organizations/acme/issues/1/") is None
    assert project_of(17) is None


def test_the_host_is_without_port_and_user() -> None:
    """What stands before the host may be a credential."""
    assert host_of("https://user:pw@Errors.Example:9000/x") == "errors.example"
    assert host_of("javascript:alert(1)") is None
