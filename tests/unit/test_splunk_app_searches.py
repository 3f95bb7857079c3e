"""Every search of the app is run over a week of events: panels have rows, alerts tell what happened, no more."""

from typing import Any

import pytest

from tests.spl.engine import Splunk
from tests.spl.table import Table
from tests.splunk_app.events import goldens, row
from tests.splunk_app.packages import Files, all_macros, both
from tests.splunk_app.searches import TENANTS, run_dashboards, runner, saved_searches, splunk, workflow_searches
from tests.splunk_app.week import NEVER_HEARD, NOW, SILENT_TENANT, Week

ADD_ON, APP = both()
PANELS = [(page, source) for page, definition in APP.dashboards().items() for source in definition["dataSources"]]
SAVED = saved_searches(APP)
ALERTS = [name for name in SAVED if "Lookup" not in name]
ONCE = "Sentry - Lookup of issues, filled once"


@pytest.fixture(scope="module")
def week() -> Week:
    """The week with its troubles."""
    return Week()


@pytest.fixture(scope="module")
def engine(week: Week) -> Splunk:
    """A Splunk that holds the week, its lookup of issues filled by hand as the page says."""
    made = splunk(week.rows(), ADD_ON, APP)
    made.run(*SAVED[ONCE])
    return made


@pytest.fixture(scope="module")
def results(engine: Splunk) -> dict[tuple[str, str], Table]:
    """The rows of every data source."""
    return {(page, name): table for page, name, table in run_dashboards(engine, APP)}


@pytest.fixture(scope="module")
def quiet() -> Splunk:
    """The same week without anything to tell."""
    return splunk(Week(trouble=False).rows(), ADD_ON, APP, TENANTS[:1])


@pytest.mark.parametrize(("page", "source"), PANELS)
def test_every_panel_has_rows(results: dict[tuple[str, str], Table], page: str, source: str) -> None:
    """Each search runs, names only fields that there are, and finds something."""
    assert results[page, source].rows


def test_what_a_panel_formats_or_opens_is_among_its_columns(results: dict[tuple[str, str], Table]) -> None:
    """Widths, colours and links name columns that the search has."""
    missing = []
    for page, definition in APP.dashboards().items():
        for name, panel in definition["visualizations"].items():
            columns = results[page, panel["dataSources"]["primary"]].shown()
            formatted = [*panel["options"].get("columnFormat", {}), *(["url"] if "eventHandlers" in panel else [])]
            if panel["type"] == "splunk.table" and formatted != columns:
                missing.append((page, name, formatted, columns))
    assert not missing


def test_the_head_of_a_column_has_room() -> None:
    """It is not broken in the middle of a word: some nine pixels a letter, and the arrows that sort."""
    for page, definition in APP.dashboards().items():
        for panel in definition["visualizations"].values():
            for column, style in panel["options"].get("columnFormat", {}).items():
                assert style["width"] >= 9 * len(column) + 34, f"{page}: {panel['title']}: {column}"


def test_the_totals_of_the_overview_are_those_of_the_events(results: dict[tuple[str, str], Table], week: Week) -> None:
    """Counted a second time, without SPL."""
    rows = [each for each in week.rows() if NOW - 86_400 - 1_800 <= each["_time"] < NOW]
    for source, resources, actions in (
        ("ds_errors", ("error",), ("created",)),
        ("ds_new", ("issue",), ("created",)),
        ("ds_alerts", ("event_alert", "activity_alert", "metric_alert"), None),
    ):
        wanted = [each for each in rows if each["resource"] in resources and (not actions or each["action"] in actions)]
        assert results["sentry_overview", source].rows[-1]["total"] == len(wanted)


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_tells_of_the_trouble_it_is_for(engine: Splunk, quiet: Splunk, name: str) -> None:
    """One row or more over the week that has it, none over the same week without."""
    assert engine.run(*SAVED[name]).rows
    assert not quiet.run(*SAVED[name]).rows


TOLD: dict[str, list[dict[str, Any]]] = {
    "Tenant silent": [
        {"relay_tenant": SILENT_TENANT, "state": "silent"},
        {"relay_tenant": NEVER_HEARD, "state": "never heard"},
    ],
    "Spike of new issues": [{"relay_tenant": "acme", "relay_project": "checkout", "issues": 7}],
    "Issue regressed": [{"tenant": "acme", "issue_id": "shop-0"}],
    "Fatal and not handled in production": [{"tenant": "acme", "issue_id": "shop-0", "errors": 3}],
    "Metric alert stays critical": [{"tenant": "acme", "alert_id": "620", "minutes": 90}],
    "Hooks come late": [{"relay_tenant": "globex", "waited_s": 500}],
    "Backlog": [{"tenant": "globex", "oldest_waiting_s": 1_740}],
    "Dead letters": [{"tenant": "globex", "before": 0, "dead": 3}],
    "Relay silent": [{"tenant": SILENT_TENANT}],
    "Hooks missed": [{"tenant": "acme", "expected": 22, "not_repairable": 2}],
    "Deliveries doubled": [{"relay_tenant": "globex", "copies": 3}],
    "Hooks not understood": [{"relay_tenant": "globex", "relay_resource": "tide_table", "hooks": 1}],
    "Integration removed": [{"tenant": "globex", "actor_name": "Anna Weiß"}],
}  # fmt: skip


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_whose_trouble_it_is(engine: Splunk, name: str) -> None:
    """Exactly those that have it."""
    rows = engine.run(*SAVED[name]).rows
    wanted = TOLD[name.removeprefix("Sentry - ")]
    assert [{key: found.get(key) for key in said} for found, said in zip(rows, wanted, strict=True)] == wanted


def test_what_an_alert_is_suppressed_by_is_in_its_results(engine: Splunk) -> None:
    """Else Splunk suppresses everything, or nothing."""
    for name, stanza in APP.conf("savedsearches").items():
        if fields := stanza.get("alert.suppress.fields"):
            assert set(fields.split(",")) <= set(engine.run(*SAVED[name]).shown()), name


def _lookup_after(*changes: dict[str, Any]) -> dict[str, Any]:
    """The row of the lookup after these hooks of one issue, each seen by a run of its own."""
    week = Week(trouble=False, hours=0)
    made = splunk([], ADD_ON, APP)
    for change in changes:
        at = change.pop("at")
        event = week.hook("issue.created", at, "acme", **({"issue_id": "7", "action": "assigned"} | change))
        step = splunk([row(event, NOW - 30)], ADD_ON, APP)
        step.lookups = made.lookups
        step.run(*SAVED["Sentry - Lookup of issues"])
    (kept,) = made.lookups["sentry_issues"].rows
    return kept


def test_the_lookup_keeps_the_last_state_of_an_issue() -> None:
    """A later hook replaces it, an older one that comes late does not, and who was unassigned is nobody's."""
    assert _lookup_after({"at": NOW - 90, "assignee": "Ana"}, {"at": NOW - 60, "assignee": "Ben"})["assignee"] == "Ben"
    assert _lookup_after({"at": NOW - 60, "assignee": "Ben"}, {"at": NOW - 90, "assignee": "Ana"})["assignee"] == "Ben"
    unassigned = _lookup_after({"at": NOW - 90, "assignee": "Ana"}, {"at": NOW - 60, "assignee": None})
    assert unassigned["assignee"] == "(nobody)"
    assert unassigned["_key"] == "acme:7"


def test_no_search_loses_what_has_less_to_say() -> None:
    """Sparse hooks are counted like the others: every group is made by fields that are always there."""
    events = [row(event, float(event["time"])) for event in goldens().values()]
    now = max(each["_time"] for each in events)
    for each in events:
        each["_time"] = each["_indextime"] = NOW - 600 - (now - each["_time"]) / 1e6
    engine = splunk(events, ADD_ON, APP)
    pages = APP.dashboards()
    lost = {}
    for page, source, column, macro in (
        ("sentry_overview", "ds_top", "errors", "sentry_errors"),
        ("sentry_errors", "ds_exceptions", "errors", "sentry_errors"),
        ("sentry_errors", "ds_frames", "errors", "sentry_errors"),
        ("sentry_alerts", "ds_rules", "alerts", "sentry_alerts"),
    ):
        counted = sum(found[column] for found in runner(engine, pages[page])(source).rows)
        lost[source] = engine.run(f"`{macro}` | stats count").rows[0]["count"] - counted
    alerts = {each["alert_id"] for each in events if each["resource"] == "metric_alert"}
    episodes = runner(engine, pages["sentry_alerts"])("ds_episodes").rows
    lost["ds_episodes"] = len(alerts) - len(episodes)
    assert lost == dict.fromkeys(lost, 0)


def test_the_menu_of_an_event_leads_to_its_copies_and_its_issue(engine: Splunk, week: Week) -> None:
    """Every workflow action that searches, on a hook that was sent twice."""
    twice = next(each for each in week.rows() if each.get("relay_attempt"))
    found = {name: engine.run(text).rows for name, text in workflow_searches(APP, twice).items()}
    assert {each.get("relay_attempt") for each in found["sentry_delivery"]} == {2, None}
    assert {each["resource"] for each in found["sentry_issue_history"]} >= {"error"}
    assert found["sentry_trace"]


def test_a_link_to_sentry_is_the_events_own() -> None:
    """The workflow action puts https:// before what props.conf leaves of the url."""
    link = APP.conf("workflow_actions")["sentry_open"]["link.uri"]
    for name, event in goldens().items():
        if url := event["event"].get("url"):
            assert link.replace("$!url_path$", row(event)["url_path"]) == url, name


def test_every_macro_runs(engine: Splunk) -> None:
    """Alone, where it begins a search; behind one, where it goes on."""
    goes_on = {"sentry_once", "sentry_keep_issues"}
    for name in all_macros(ADD_ON, APP):
        text = (
            f"`sentry_issues` | `{name}`"
            if name in goes_on
            else f"| `{name}`"
            if name == "sentry_silence"
            else f"`{name}`"
        )
        assert engine.run(text).rows, name


def test_one_macro_is_all_there_is_to_change() -> None:
    """No other file names an index, but for the search of a trace in all of them."""
    found = [
        (name, line)
        for package in both()
        for name, text in package.items()
        for line in text.splitlines()
        if "index=" in line and not name.endswith(".md")
    ]
    assert {line for _, line in found} == {"definition = (index=sentry)", 'search.search_string = index=* "$trace_id$"'}


def test_the_files_read_like_a_person_wrote_them() -> None:
    """No line of a conf file written by hand is longer than a screen is wide, but for what Splunk wants on one line."""
    files: list[Files] = [ADD_ON, APP]
    long = [
        line
        for package in files
        for name, text in package.items()
        if name in {"default/savedsearches.conf", "default/macros.conf"}
        for line in text.splitlines()
        if len(line) > 200
    ]
    assert not long
