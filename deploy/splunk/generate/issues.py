"""Issues: what became of them, who has them, how long they take. The state of each is kept in a lookup."""

from deploy.splunk.generate.dashboard import INDEXED_TENANT, TENANT, Dashboard

_KEPT = f"| inputlookup sentry_issues | search {TENANT} status=unresolved"
_ALWAYS = {"earliest": "0", "latest": "now"}
_WIDE, _SMALL, _FULL, _NARROW, _TABLE = (960, 280), (240, 280), (1440, 420), (480, 360), (960, 360)


def issues() -> Dashboard:
    """What happened to issues in the time range; those that are open now."""
    page = Dashboard("sentry_issues", "Issues", "What became of issues, who has them, how long they take.")
    actions = (
        f"| tstats count where `sentry_issues` {INDEXED_TENANT} by _time, relay_action span=1h"
        ' | eval action=if(relay_action="archived", "ignored", relay_action) | timechart span=1h sum(count) by action'
    )
    page.over_time("column", "What happened", page.search("actions", actions), _WIDE, yAxisTitleText="issues an hour")
    hours = (
        f"`sentry_issues` {TENANT} action=resolved"
        ' | eval hours=(_time-strptime(first_seen, "%Y-%m-%dT%H:%M:%S.%6NZ"))/3600 | stats median(hours) as hours'
        " | eval hours=round(hours, 1)"
    )
    page.number(
        "Half are resolved within",
        page.search("resolve", hours),
        _SMALL,
        "from first seen to resolved",
        unit=" h",
        numberPrecision=1,
    )
    unassigned = f'{_KEPT} assignee="(nobody)" | stats count as issues'
    page.number(
        "Open and nobody's", page.search("unassigned", unassigned, **_ALWAYS), _SMALL, "by the lookup sentry_issues"
    )
    open_issues = (
        f'{_KEPT} | sort 100 - last | eval last=strftime(last, "%m-%d %H:%M"), days=round((now()-first)/86400, 1)'
        " | table priority level project short_id title assignee days last url"
    )
    page.table(
        "Open issues",
        page.search("open", open_issues, **_ALWAYS),
        _FULL,
        note="By the lookup sentry_issues, the latest first; days since first seen. A click opens it in Sentry.",
        opens=True,
        widths={
            "priority": 112,
            "level": 90,
            "project": 120,
            "short_id": 140,
            "title": 480,
            "assignee": 160,
            "days": 85,
            "last": 110,
        },
    )
    by_assignee = f"{_KEPT} | stats count as issues by assignee | sort 15 - issues"
    page.bars("Open, by assignee", page.search("assignee", by_assignee, **_ALWAYS), _NARROW)
    regressed = (
        f'`sentry_issues` {TENANT} substatus=regressed | fillnull value="(none)" project'
        " | stats max(_time) as at latest(short_id) as short_id latest(title) as title latest(url) as url"
        ' count as times by tenant, project, issue_id | sort 50 - at | eval at=strftime(at, "%m-%d %H:%M")'
        " | table at project short_id title times url"
    )
    page.table(
        "Came back",
        page.search("regressed", regressed),
        _TABLE,
        opens=True,
        widths={"at": 110, "project": 120, "short_id": 140, "title": 420, "times": 85},
    )
    return page
