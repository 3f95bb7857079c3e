"""The admin API is documented as it is."""

from app.admin.api import ROUTES
from app.errors import ADMIN_STATUSES
from app.model import Cause, State
from app.splunk.codes import Act
from tests.unit.pages import DOCS, rows, section


def test_every_admin_path_is_documented() -> None:
    """With its method."""
    said = [row for row in rows("http.md", "## The admin API") if row.code[0][0].startswith("/admin")]
    assert {row.code[0][0]: row.cells[1] for row in said} == ROUTES


def test_every_admin_refusal_is_documented() -> None:
    """With its status."""
    assert {row.code[0][0]: int(row.cells[1]) for row in rows("http.md", "### What is refused")} == ADMIN_STATUSES


def test_every_closed_set_of_a_search_is_documented() -> None:
    """States and causes, all of them and no other."""
    said = {row.code[0][0]: set(row.code[1]) for row in rows("http.md", "### Searching")}
    assert said["state"] == {each.value for each in State}
    assert said["cause"] == {each.value for each in Cause}


def test_every_one_who_must_act_is_explained() -> None:
    """In docs/deliveries.md, with every cause that leads to them."""
    page = section(DOCS / "deliveries.md", "## Who must act")
    assert not [each.value for each in Act if f"| {each.value} |" not in page]
    causes = {row.code[0][0] for row in rows("deliveries.md", "## Why a delivery is dead")}
    assert causes == {each.value for each in Cause}
