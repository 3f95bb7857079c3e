"""Alerts: which rules triggered, which of them too often, and how long metric alerts lasted."""

from deploy.splunk.generate.dashboard import INDEXED_TENANT, SEVERITY_COLORS, TENANT, Dashboard

_WIDE, _NARROW, _HALF = (960, 300), (480, 300), (720, 420)


def alerts() -> Dashboard:
    """Alerts over time, the noisiest rules, the episodes of metric alerts."""
    page = Dashboard("sentry_alerts", "Alerts", "Rules that triggered, and metric alerts with their state.")
    by_severity = f"`sentry_alerts` {TENANT} | timechart span=1h count by severity"
    page.over_time(
        "column",
        "Alerts by severity",
        page.search("severity", by_severity),
        _WIDE,
        seriesColorsByField=SEVERITY_COLORS,
        yAxisTitleText="alerts an hour",
    )
    by_resource = (
        f"| tstats count where `sentry_alerts` {INDEXED_TENANT} by relay_resource | rename relay_resource as resource"
    )
    page.panel("pie", "Alerts by resource", page.search("resource", by_resource), _NARROW, {})
    rules = (
        f'`sentry_alerts` {TENANT} | fillnull value="(none)" project rule'
        " | stats count as alerts dc(eval(coalesce(alert_id, issue_id))) as about latest(url) as url max(_time) as last"
        ' by tenant, project, rule | sort 30 - alerts | eval last=strftime(last, "%m-%d %H:%M")'
        " | table alerts about rule project last url"
    )
    page.table(
        "Noisiest rules",
        page.search("rules", rules),
        _HALF,
        note="About how many issues or incidents; a click opens the last one in Sentry.",
        opens=True,
        widths={"alerts": 85, "about": 85, "rule": 260, "project": 120, "last": 120},
    )
    episodes = (
        f'`sentry_index` sourcetype=sentry:metric_alert {TENANT} | fillnull value="(none)" project rule'
        " | stats latest(action) as state latest(first_seen) as began max(_time) as last latest(rule) as rule"
        " latest(project) as project latest(url) as url by tenant, alert_id"
        ' | eval began=strptime(began, "%Y-%m-%dT%H:%M:%S.%6NZ"), ended=if(state="resolved", last, now())'
        ' | eval minutes=round((ended-began)/60) | sort 50 - began | eval began=strftime(began, "%m-%d %H:%M")'
        " | table state minutes rule project began url"
    )
    page.table(
        "How long metric alerts lasted",
        page.search("episodes", episodes),
        _HALF,
        note="From Sentry's beginning to the hook that resolved it, or to now.",
        opens=True,
        widths={"state": 85, "minutes": 100, "rule": 240, "project": 120, "began": 120},
    )
    return page
