"""The page that one opens first: what Sentry said lately, and what is wrong now."""

from deploy.splunk.generate.dashboard import INDEXED_TENANT, TENANT, Dashboard

_NUMBER, _WIDE, _NARROW, _TABLE, _SIDE = (288, 190), (960, 300), (480, 300), (940, 420), (500, 420)


def _hourly(condition: str, name: str) -> str:
    """The course of a number by the hour, and its total; 0 where there were other hooks only."""
    return (
        f"timechart span=1h sum(eval(if({condition}, count, 0))) as {name} | fillnull value=0 {name}"
        f" | eventstats sum({name}) as total"
    )


def overview() -> Dashboard:
    """Errors, issues and alerts of the time range; issues with the most errors; alerts that go on."""
    page = Dashboard(
        "sentry_overview", "Overview", "What Sentry said: errors, issues and alerts by tenant and project."
    )
    hours = page.search(
        "hours",
        f'| tstats fillnull_value="(none)" count where `sentry_hooks` {INDEXED_TENANT}'
        " by _time, relay_resource, relay_action, relay_project span=1h",
    )
    alerts = 'relay_resource="event_alert" OR relay_resource="activity_alert" OR relay_resource="metric_alert"'
    new = 'relay_resource="issue" AND relay_action="created"'
    page.total("Errors", page.chain("errors", hours, _hourly('relay_resource="error"', "errors")), _NUMBER, "errors")
    page.total("New issues", page.chain("new", hours, _hourly(new, "issues")), _NUMBER, "issues")
    page.total("Alerts", page.chain("alerts", hours, _hourly(alerts, "alerts")), _NUMBER, "alerts")
    regressed = f"`sentry_issues` {TENANT} substatus=regressed | stats dc(issue_id) as regressed"
    page.trouble("Issues that came back", page.search("regressed", regressed), _NUMBER, "regressed in the time range")
    users = f"`sentry_errors` {TENANT} | stats dc(user_id) as users"
    page.number("Users affected", page.search("users", users), _NUMBER, "by errors that name one")
    by_resource = "timechart span=1h sum(count) by relay_resource useother=f limit=20"
    page.over_time(
        "column",
        "Hooks by resource",
        page.chain("by_resource", hours, by_resource),
        _WIDE,
        yAxisTitleText="hooks an hour",
    )
    by_project = 'search relay_resource="error" | stats sum(count) as errors by relay_project | sort 10 - errors'
    page.bars("Errors by project", page.chain("by_project", hours, by_project), _NARROW)
    top = (
        f'`sentry_errors` {TENANT} | fillnull value="(none)" project issue_id'
        " | stats count as errors dc(user_id) as users latest(title) as title latest(level) as level"
        " latest(release) as release latest(url) as url max(_time) as last by tenant, project, issue_id"
        ' | sort 20 - errors | eval last=strftime(last, "%m-%d %H:%M")'
        " | table errors users level project title release last url"
    )
    page.table(
        "Issues with the most errors",
        page.search("top", top),
        _TABLE,
        opens=True,
        widths={"errors": 100, "users": 90, "level": 85, "project": 105, "title": 320, "release": 145, "last": 115},
    )
    going_on = (
        f'`sentry_index` sourcetype=sentry:metric_alert {TENANT} | fillnull value="(none)" project rule'
        " | stats latest(action) as state latest(project) as project latest(rule) as rule latest(url) as url"
        ' max(_time) as since by tenant, alert_id | where state!="resolved" | sort 0 - since'
        ' | eval since=strftime(since, "%m-%d %H:%M") | table state rule project since url'
    )
    page.table(
        "Metric alerts that go on",
        page.search("going_on", going_on, earliest="-30d@d", latest="+1d"),
        _SIDE,
        note="Of the last 30 days; a click opens it in Sentry.",
        opens=True,
        widths={"state": 90, "rule": 200, "project": 110, "since": 110},
    )
    return page
