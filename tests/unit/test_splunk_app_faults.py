"""The tests of the app see what is broken: each of these changes, made on purpose, is found."""

from collections.abc import Iterator

import pytest

from tests.spl.faults import Fault
from tests.splunk_app.checks import faults
from tests.splunk_app.packages import Files, both
from tests.splunk_app.searches import run_dashboards, saved_searches, splunk
from tests.splunk_app.week import NOW, Week

ADD_ON, APP = both()
VIEWS = "default/data/ui/views"


@pytest.fixture(scope="module")
def events() -> list[dict[str, object]]:
    """The last hours of the week."""
    return [each for each in Week().rows() if each["_time"] > NOW - 10_800]


def found_in(add_on: Files, app: Files, events: list[dict[str, object]]) -> Iterator[str]:
    """What the checks say and what running everything says."""
    before = faults(add_on, app)
    yield from before
    if before:
        return  # what leads nowhere cannot be run
    try:
        engine = splunk(events, add_on, app)
        for saved in saved_searches(app).values():
            engine.run(*saved)
        yield from (
            f"{page} {name} has no columns" for page, name, table in run_dashboards(engine, app) if not table.columns
        )
    except Fault as fault:
        yield str(fault)


def test_nothing_is_wrong(events: list[dict[str, object]]) -> None:
    """So that what follows is seen for its change alone."""
    assert not [*found_in(ADD_ON, APP, events)]


BREAKS: list[tuple[str, str, str, str]] = [
    (f"{VIEWS}/sentry_overview.xml", "| tstats", "| tstat", "no search begins with 'tstat'"),
    (f"{VIEWS}/sentry_errors.xml", "eventstats min", "eventstat min", "no command 'eventstat'"),
    (f"{VIEWS}/sentry_overview.xml", "`sentry_errors`", "`sentry_error`", "macro sentry_error is used and nowhere"),
    (
        f"{VIEWS}/sentry_overview.xml",
        "dc(user_id)",
        "dc(user_nickname)",
        "neither in the events nor made before: user_nickname",
    ),
    (f"{VIEWS}/sentry_overview.xml", "strftime(last", "strftme(last", "no function strftme()"),
    (f"{VIEWS}/sentry_overview.xml", "by _time, relay_resource", "by _time, resource", "not indexed: resource"),
    (f"{VIEWS}/sentry_issues.xml", "inputlookup sentry_issues", "inputlookup sentry_issue", "no lookup 'sentry_issue'"),
    (f"{VIEWS}/sentry_alerts.xml", 'fillnull value=\\"(none)\\"', 'fillnull value=\\"(none)', "stays open"),
    (f"{VIEWS}/sentry_alerts.xml", "tenant=$tenant|s$", "tenant=$customer|s$", "no input sets the token customer"),
    (f"{VIEWS}/sentry_delivery.xml", '"primary": "ds_gaps"', '"primary": "ds_gap"', "no data source ds_gap"),
    (f"{VIEWS}/sentry_overview.xml", '"extend": "ds_hours"', '"extend": "ds_hour"', "no data source ds_hour"),
    (f"{VIEWS}/sentry_overview.xml", '"item": "viz_2"', '"item": "viz_1"', "a panel without a place"),
    (f"{VIEWS}/sentry_overview.xml", '"x": 288', '"x": 188', "stands on"),
    (f"{VIEWS}/sentry_overview.xml", 'version="2"', 'version="1.1"', "no dashboard of version 2"),
    ("default/data/ui/nav/default.xml", "sentry_alerts", "sentry_alarms", "sentry_alarms, which is no view"),
    ("default/macros.conf", "| fields - known", "", "sentry_issues has no known"),
    ("default/macros.conf", "rename tenant as relay_tenant", "rename tenat as relay_tenant", "tenat"),
    ("default/transforms.conf", "_key, tenant,", "_key,", "sentry_issues has no tenant"),
    ("default/savedsearches.conf", "perc95(relay_waited)", "perc95(waited)", "not indexed: waited"),
    ("default/savedsearches.conf", "dispatch.latest_time = @h", "", "no time range"),
    ("default/savedsearches.conf", "cron_schedule = 7 * * * *", "cron_schedule = * * * * *", "runs too often"),
    ("default/savedsearches.conf", "3-59/5", "1-59/5", "begins at the same minute"),
    ("default/savedsearches.conf", "schedule_window", "schedule_windows", "no setting schedule_windows"),
    ("default/savedsearches.conf", "alert.digest_mode = 0", "alert.digest_mode = 1", "needs an alert for each result"),
    ("default/savedsearches.conf", "disabled = 1", "disabled = 0", "is on by default"),
    ("default/workflow_actions.conf", "https://$!url_path$", "$!url$", "not encrypted"),
    ("default/workflow_actions.conf", "eventtypes = sentry_any", "eventtypes = sentry_all", "no event type sentry_all"),
    ("default/app.conf", "version = ", "version = 9", "two versions"),
    ("app.manifest", '"name": "sentry_relay_app"', '"name": "sentry_app"', "has another id"),
]


@pytest.mark.parametrize(("file", "old", "new", "said"), BREAKS)
def test_a_break_of_the_app_is_seen(file: str, old: str, new: str, said: str, events: list[dict[str, object]]) -> None:
    """And said in words that lead to it."""
    assert [fault for fault in found_in(ADD_ON, APP.with_change(file, old, new), events) if said in fault]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("default/macros.conf", "`sentry_index` sourcetype=sentry:error", "`sentry_indexes`", "macro sentry_indexes"),
        ("default/tags.conf", "eventtype=sentry_issue", "eventtype=sentry_issues", "no event type"),
        ("default/props.conf", "KV_MODE", "KVMODE", "no setting KVMODE"),
        ("default/fields.conf", "[relay_waited]", "[relay_wait]", "not indexed: relay_waited"),
        ("default/macros.conf", "description = Error events", "discription = Error events", "has no description"),
    ],
)  # fmt: skip
def test_a_break_of_the_add_on_is_seen(
    file: str, old: str, new: str, said: str, events: list[dict[str, object]]
) -> None:
    """The same, for the package that stands alone on indexers."""
    found = [*found_in(ADD_ON.with_change(file, old, new), APP, events)]
    assert [fault for fault in found if said in fault]
