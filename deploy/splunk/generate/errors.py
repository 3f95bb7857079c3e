"""Errors: where they happen, since which release, and what they have in common."""

from deploy.splunk.generate.dashboard import INDEXED_TENANT, LEVEL_COLORS, TENANT, Dashboard

_HALF, _THIRD, _TWO_THIRDS, _SMALL, _HIGH = (720, 280), (480, 330), (720, 330), (240, 330), (960, 390)


def errors() -> Dashboard:
    """Errors over time; exceptions, frames and servers; what is new in a release."""
    page = Dashboard("sentry_errors", "Errors", "Error events: where they happen, and since which release.")
    by_level = (
        f'| tstats fillnull_value="(none)" count where `sentry_errors` {INDEXED_TENANT} by _time, relay_level span=1h'
        " | timechart span=1h sum(count) by relay_level"
    )
    page.over_time(
        "column",
        "Errors by level",
        page.search("level", by_level),
        _HALF,
        seriesColorsByField=LEVEL_COLORS,
        yAxisTitleText="errors an hour",
    )
    by_release = (
        f'`sentry_errors` {TENANT} | fillnull value="(none)" release | timechart span=1h count by release limit=8'
    )
    page.over_time(
        "column", "Errors by release", page.search("release", by_release), _HALF, yAxisTitleText="errors an hour"
    )
    what = page.search(
        "what",
        f'`sentry_errors` {TENANT} | fillnull value="(none)" issue_id exception_type frame server_name handled'
        " | stats count as errors by tenant, issue_id, exception_type, frame, server_name, handled",
    )
    share = (
        'search handled!="(none)" | stats sum(eval(if(handled="false", errors, 0))) as unhandled sum(errors) as all'
        " | eval share=round(100*unhandled/all, 1) | fields share"
    )
    page.number(
        "Not handled",
        page.chain("unhandled", what, share),
        _SMALL,
        "of the errors that say",
        unit="%",
        numberPrecision=1,
    )
    issues = "sum(errors) as errors dc(issue_id) as issues"
    exceptions = (
        f"stats {issues} by exception_type | sort 20 - errors | rename exception_type as exception"
        " | table errors issues exception"
    )
    page.table(
        "Exceptions",
        page.chain("exceptions", what, exceptions),
        _THIRD,
        widths={"errors": 100, "issues": 100, "exception": 250},
    )
    frames = f"stats {issues} by frame | sort 20 - errors | table errors issues frame"
    page.table(
        "Frames", page.chain("frames", what, frames), _TWO_THIRDS, widths={"errors": 95, "issues": 95, "frame": 500}
    )
    new = (
        f'`sentry_errors` {TENANT} release=* issue_id=* | fillnull value="(none)" project'
        " | stats earliest(_time) as first latest(title) as title latest(url) as url count as errors"
        " by tenant, project, release, issue_id"
        " | eventstats min(first) as first_of_issue by tenant, issue_id | where first=first_of_issue"
        ' | sort 50 - first | eval first=strftime(first, "%m-%d %H:%M") | table first release project title errors url'
    )
    page.table(
        "Where an issue was first seen",
        page.search("new", new),
        _HIGH,
        note="The release that brought it, within the time range; a click opens it in Sentry.",
        opens=True,
        widths={"first": 110, "release": 150, "project": 110, "title": 450, "errors": 92},
    )
    servers = (
        f"stats {issues} by server_name | sort 20 - errors | rename server_name as server | table errors issues server"
    )
    page.table(
        "Servers",
        page.chain("servers", what, servers),
        (480, 390),
        widths={"errors": 100, "issues": 100, "server": 250},
    )
    return page
