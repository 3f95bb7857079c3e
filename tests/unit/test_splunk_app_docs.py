"""The pages say what the app has, and every search on a page runs and finds something."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.spl.engine import Splunk
from tests.spl.times import Window
from tests.splunk_app.events import goldens, row
from tests.splunk_app.packages import both
from tests.splunk_app.searches import saved_searches, splunk
from tests.splunk_app.week import NOW, Week
from tests.unit.pages import DOCS, PAGES, fenced, prose, rows, section, text

ADD_ON, APP = both()
WINDOW = Window("-30d", "+1d")
ANY_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{4}…")


def searches() -> Iterator[Any]:
    """Blocks in Splunk's language, and what is set as code and searches an index or begins with a pipe."""
    for page in PAGES:
        for language, body in fenced(page):
            if language == "spl":
                yield pytest.param(body.replace("\n|", " |").strip(), id=f"{page.name}: {body.splitlines()[0]}")
        for code in re.findall(r"`((?:index=|\| )[^`]*)`", prose(page)):
            yield pytest.param(code, id=f"{page.name}: {code}")


def fragments() -> Iterator[Any]:
    """What docs/events.md shows for each field: the end of a search."""
    for line in rows("events.md"):
        if len(line.cells) == 6 and line.code[-1]:  # the tables with a column of searches
            yield pytest.param(line.code[-1][0], id=f"{line.code[0][0]}: {line.code[-1][0]}")


@pytest.fixture(scope="module")
def week() -> Week:
    """The week with its troubles."""
    return Week()


@pytest.fixture(scope="module")
def engine(week: Week) -> Splunk:
    """The week and every golden event, in a Splunk whose lookup is filled."""
    old = [row(event, NOW - 3_600) | {"_time": NOW - 3_600} for event in goldens().values()]
    made = splunk([*week.rows(), *old], ADD_ON, APP)
    made.run(*saved_searches(APP)["Sentry - Lookup of issues, filled once"])
    return made


@pytest.mark.parametrize("search", list(searches()))
def test_every_search_on_a_page_finds_something(engine: Splunk, week: Week, search: str) -> None:
    """Over a week of events, with an id of that week in the place of the page's."""
    some = week.events[-1][0]["event"]["delivery_id"]
    if search.startswith("| ") and not search.startswith(("| tstats", "| inputlookup", "| `")):
        search = f"index=sentry {search}"
    assert engine.run(ANY_ID.sub(some, search), WINDOW).rows


@pytest.mark.parametrize("fragment", list(fragments()))
def test_every_search_shown_for_a_field_runs(engine: Splunk, fragment: str) -> None:
    """Each names only what there is."""
    begins = re.match(r"(stats|timechart|table|dedup|where|eval|sort|spath)\b", fragment)
    engine.run(f"index=sentry | {fragment}" if begins else f"index=sentry {fragment}", WINDOW)


def test_the_page_lists_what_the_app_has() -> None:
    """Alerts and reports, dashboards, lookups, workflow actions."""
    said = {code for line in rows("splunk-app.md", "## Alerts") for code in line.code[0]}
    reports = {" ".join(name.split()) for name in re.findall(r"`(Sentry - Lookup[^`]*)`", text(DOCS / "splunk-app.md"))}
    assert said | reports == set(saved_searches(APP))
    pages = section(DOCS / "splunk-app.md", "## Dashboards")
    titles = set(re.findall(r"^\| (\w+) \| ", pages, re.MULTILINE)) - {"page"}
    assert titles == {page["title"] for page in APP.dashboards().values()}
    assert {line.code[0][0] for line in rows("splunk-app.md", "## Lookups")} == set(APP.conf("transforms"))
    menu = {line.code[0][0] for line in rows("splunk-app.md", "## In the menu of an event")}
    assert menu == set(APP.conf("workflow_actions"))


def test_a_splunk_admin_has_ten_steps() -> None:
    """No more."""
    steps = re.findall(r"^(\d+)\. ", text(DOCS / "splunk-app.md"), re.MULTILINE)
    assert steps == [str(number) for number in range(1, 11)]
