"""Delivery: whether hooks arrive, from whom none come any more, how late, how often twice, what was missed."""

from deploy.splunk.generate.dashboard import INDEXED_TENANT, TENANT, Dashboard

_NUMBER, _WIDE, _NARROW, _HALF, _LOW = (240, 170), (660, 300), (780, 300), (720, 300), (720, 230)
_HEARTBEATS = f"`sentry_heartbeats` {TENANT}"
_DATE = "%Y-%m-%dT%H:%M:%S.%6NZ"
_LATELY = {"earliest": "-15m", "latest": "+1d"}


def delivery() -> Dashboard:
    """The relay as Splunk sees it: by its heartbeats, by the fields it puts on, and by what is missing."""
    page = Dashboard("sentry_delivery", "Delivery", "Whether hooks arrive: silence, backlog, delay, doubles, gaps.")
    _numbers(page)
    _volume(page)
    _silence(page)
    _delay(page)
    _oddities(page)
    return page


def _numbers(page: Dashboard) -> None:
    for title, field, under in (
        ("Waiting", "waiting", "in the relay now"),
        ("Oldest waiting", "oldest_waiting_s", "seconds, now"),
        ("Dead letters", "dead", "for somebody to look at"),
    ):
        over = "max" if field == "oldest_waiting_s" else "sum"
        query = f"{_HEARTBEATS} | stats latest({field}) as now by tenant, destination | stats {over}(now) as {field}"
        limit = {"waiting": 1_000, "oldest_waiting_s": 300, "dead": 1}[field]
        page.trouble(title, page.search(field, query, **_LATELY), _NUMBER, under, limit=limit)
    copies = (
        f"| tstats count dc(relay_delivery_id) as hooks where `sentry_hooks` {INDEXED_TENANT}"
        " | eval copies=count-hooks | fields copies"
    )
    page.trouble("Copies", page.search("copies", copies), _NUMBER, "more events than hooks", limit=100)
    unknown = f"| tstats dc(relay_delivery_id) as hooks where `sentry_index` sourcetype=sentry:unknown {INDEXED_TENANT}"
    page.trouble("Not understood", page.search("unknown", unknown), _NUMBER, "source type sentry:unknown")
    missed = f"`sentry_gaps` {TENANT} | stats sum(not_repairable) as missed | fillnull value=0 missed"
    page.trouble("Missed for good", page.search("missed", missed), _NUMBER, "in gaps that were found")


def _volume(page: Dashboard) -> None:
    hooks = (
        f"| tstats count where `sentry_hooks` {INDEXED_TENANT} by _time, relay_tenant span=1h"
        " | timechart span=1h sum(count) by relay_tenant limit=20"
    )
    page.over_time(
        "line",
        "Hooks by tenant",
        page.search("hooks", hooks),
        _WIDE,
        yAxisTitleText="hooks an hour",
        nullValueDisplay="zero",
    )
    relays = (
        f"{_HEARTBEATS} | stats max(_time) as last latest(version) as version latest(waiting) as waiting"
        " latest(paused) as paused by tenant, destination | eval minutes=round((now()-last)/60)"
        " | sort 0 - minutes | table tenant destination minutes version waiting paused"
    )
    page.table(
        "Heartbeats",
        page.search("relays", relays, earliest="-7d@d", latest="+1d"),
        _NARROW,
        widths={"tenant": 105, "destination": 155, "minutes": 115, "version": 115, "waiting": 115, "paused": 150},
        note="Minutes since the last one; five are usual.",
    )


def _silence(page: Dashboard) -> None:
    silence = (
        "| `sentry_silence` | rename relay_tenant as tenant, silent_hours as hours"
        f" | search {TENANT} | table tenant state hours allowed hooks"
    )
    page.table(
        "Silence",
        page.search("silence", silence, earliest="-30d@d", latest="+1d"),
        _HALF,
        widths={"tenant": 160, "state": 140, "hours": 90, "allowed": 100, "hooks": 90},
        note="Hours since a tenant was last heard; allowed by the lookup sentry_tenants, else 24.",
    )
    day = ", ".join(f'{name}=strftime(strptime({name}, "{_DATE}"), "%m-%d %H:%M")' for name in ("from", "to"))
    gaps = (
        f"`sentry_gaps` {TENANT} | sort 50 - _time | eval {day} | rename not_repairable as lost"
        " | table tenant from to cause expected repaired lost"
    )
    page.table(
        "Gaps",
        page.search("gaps", gaps, earliest="-30d@d", latest="+1d"),
        _HALF,
        widths={"tenant": 114, "from": 118, "to": 118, "cause": 140, "expected": 132, "repaired": 132, "lost": 90},
        note="When Sentry could not deliver, and how much was brought in afterwards; of the last 30 days.",
    )


def _delay(page: Dashboard) -> None:
    waited = (
        f"| tstats perc95(relay_waited) as seconds where `sentry_hooks` {INDEXED_TENANT} by _time, relay_tenant span=1h"
        " | timechart span=1h max(seconds) by relay_tenant limit=20"
    )
    page.over_time(
        "line",
        "Delay in the relay",
        page.search("waited", waited),
        _HALF,
        yAxisTitleText="seconds (95 %)",
        nullValueDisplay="zero",
    )
    latency = (
        f"`sentry_sent` {TENANT} NOT relay_backfilled=* | eval lag_s=_indextime-_time"
        " | stats count as hooks median(lag_s) as p50 perc95(lag_s) as p95 max(lag_s) as worst by tenant, resource"
        " | eval p50=round(p50, 1), p95=round(p95, 1), worst=round(worst, 1) | sort 20 - p95"
    )
    page.table(
        "From Sentry to the index",
        page.search("latency", latency),
        _HALF,
        widths={"tenant": 120, "resource": 180, "hooks": 90, "p50": 85, "p95": 85, "worst": 85},
        note="Seconds from the sending to the index, of hooks whose time is that of the sending.",
    )


def _oddities(page: Dashboard) -> None:
    odd = (
        f"`sentry_hooks` {TENANT} (flags{{}}=* OR trimmed{{}}=*)"
        " | stats count as hooks values(flags{}) as flags values(trimmed{}) as trimmed by tenant, resource, action"
        " | sort 50 - hooks | table tenant resource action hooks flags trimmed"
    )
    page.table(
        "What was odd",
        page.search("odd", odd),
        _LOW,
        widths={"tenant": 90, "resource": 120, "action": 110, "hooks": 85, "flags": 160, "trimmed": 120},
        note="Flags of the relay, and what it left out to fit.",
    )
    again = (
        f"| tstats count as events dc(relay_delivery_id) as hooks max(relay_attempt) as attempts where `sentry_hooks`"
        f" relay_attempt=* {INDEXED_TENANT} by relay_tenant, relay_resource | sort 50 - events"
        " | rename relay_tenant as tenant, relay_resource as resource | table tenant resource hooks attempts"
    )
    page.table(
        "Sent more than once",
        page.search("again", again),
        _LOW,
        widths={"tenant": 160, "resource": 200, "hooks": 100, "attempts": 120},
        note="Marked by the relay, since Splunk may have had them already.",
    )
