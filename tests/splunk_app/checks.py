"""What can be wrong with the packages before a search is run: names that lead nowhere, settings, times, places."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.splunk_app.packages import Files

_STANZA = {"description", "disabled"}
SETTINGS: dict[str, set[str]] = {
    "props": {
        *("SHOULD_LINEMERGE", "LINE_BREAKER", "TRUNCATE", "DATETIME_CONFIG", "CHARSET", "KV_MODE", "category"),
        *("pulldown_type", "description"),
    },
    "macros": {"definition", "iseval", "description"},
    "eventtypes": {"search", "description"},
    "fields": {"INDEXED"},
    "transforms": {"external_type", "collection", "fields_list", "filename", "case_sensitive_match"},
    "savedsearches": {
        *("search", "cron_schedule", "schedule_window", "enableSched", "counttype", "relation", "quantity"),
        *("alert.severity", "alert.track", "alert.digest_mode", "alert.suppress", "alert.suppress.fields"),
        *("alert.suppress.period", "request.ui_dispatch_app", "request.ui_dispatch_view"),
        *(f"dispatch.{name}" for name in ("earliest_time", "latest_time", "index_earliest", "index_latest")),
        *_STANZA,
    },
    "workflow_actions": {
        *("type", "label", "fields", "eventtypes", "display_location", "link.method", "link.target", "link.uri"),
        *(f"search.{name}" for name in ("search_string", "target", "earliest", "latest", "preserve_timerange", "app")),
        *_STANZA,
    },
}
"""The settings of each conf file that the packages use, by Splunk's conf specifications."""


def faults(add_on: Files, app: Files) -> list[str]:
    """Everything that is wrong, in words."""
    found = [
        *_settings(add_on),
        *_settings(app),
        *_macros(add_on, app),
        *_saved(app),
        *_menu(add_on, app),
        *_views(app),
    ]
    for name, page in app.dashboards().items():
        found += [f"{name}: {fault}" for fault in _dashboard(page)]
    return [*found, *_identity(add_on, "TA_sentry_splunk_relay"), *_identity(app, "sentry_relay_app")]


def _settings(package: Files) -> Iterator[str]:
    for conf, known in SETTINGS.items():
        for stanza, settings in package.conf(conf).items():
            for name in settings:
                if name not in known and not (conf == "props" and re.fullmatch(r"EVAL-\w+", name)):
                    yield f"{conf}.conf [{stanza}]: no setting {name}"


def _macros(add_on: Files, app: Files) -> Iterator[str]:
    macros = {**add_on.conf("macros"), **app.conf("macros")}
    if double := {*add_on.macros()} & {*app.macros()}:
        yield f"macros in both packages: {sorted(double)}"
    texts = [text for package in (add_on, app) for name, text in package.items() if not name.endswith(".md")]
    used = {name for text in texts for name in re.findall(r"`(\w+)`", text)}
    for name in sorted(used - {*macros}):
        yield f"macro {name} is used and nowhere defined"
    for name, stanza in macros.items():
        if not stanza.get("description"):
            yield f"macro {name} has no description"


def _saved(app: Files) -> Iterator[str]:
    minutes: dict[int, str] = {}
    for name, stanza in app.conf("savedsearches").items():
        if not stanza.get("dispatch.earliest_time") or not stanza.get("dispatch.latest_time"):
            yield f"{name}: no time range"
        if stanza.get("dispatch.index_earliest", "") and not stanza.get("dispatch.index_latest", ""):
            yield f"{name}: index times without an end"
        if "cron_schedule" not in stanza:
            continue
        if stanza.get("disabled") != "1":
            yield f"{name}: is on by default"
        if stanza.get("alert.suppress") == "1" and stanza.get("alert.digest_mode") != "0":
            yield f"{name}: suppressed by fields needs an alert for each result"
        starts = re.match(r"(\d+)(?:-59/(\d+))? ", stanza["cron_schedule"])
        if not starts or (starts[2] and int(starts[2]) < 5):
            yield f"{name}: runs too often: {stanza['cron_schedule']}"
        elif (first := int(starts[1])) in minutes:
            yield f"{name}: begins at the same minute as {minutes[first]}"
        else:
            minutes[first] = name


def _menu(add_on: Files, app: Files) -> Iterator[str]:
    event_types = {*add_on.conf("eventtypes")}
    for name in add_on.conf("tags"):
        if name.removeprefix("eventtype=") not in event_types:
            yield f"tags.conf: no event type {name}"
    for name, stanza in app.conf("workflow_actions").items():
        if stanza["eventtypes"] not in event_types:
            yield f"workflow action {name}: no event type {stanza['eventtypes']}"
        if stanza["type"] == "link" and not stanza["link.uri"].startswith("https://"):
            yield f"workflow action {name}: its link is not encrypted"


def _views(app: Files) -> Iterator[str]:
    nav = re.findall(r'<view name="(\w+)"', app["default/data/ui/nav/default.xml"])
    pages = {*app.dashboards()}
    for name in sorted(pages - {*nav}):
        yield f"{name} is not in the navigation"
    for name in sorted({*nav} - pages - {"search", "reports", "alerts", "dashboards"}):
        yield f"the navigation names {name}, which is no view"
    for name in pages:
        if not app[f"default/data/ui/views/{name}.xml"].startswith('<dashboard version="2"'):
            yield f"{name}: no dashboard of version 2"


def _dashboard(page: dict[str, Any]) -> Iterator[str]:
    sources, panels = page["dataSources"], page["visualizations"]
    parts = [*panels.values(), *page["inputs"].values()]
    read = {name for part in parts for name in part.get("dataSources", {}).values()}
    bases = {source["options"]["extend"] for source in sources.values() if "extend" in source["options"]}
    for name in sorted((read | bases) - {*sources}):
        yield f"no data source {name}"
    for name in sorted({*sources} - read - bases):
        yield f"nothing reads the data source {name}"
    set_by_inputs = {part["options"]["token"] for part in page["inputs"].values()}
    text = json.dumps([sources, page["defaults"]])
    for token in sorted({name.split(".")[0] for name in re.findall(r"\$([\w.]+)(?:\|\w)?\$", text)} - set_by_inputs):
        yield f"no input sets the token {token}"
    places = page["layout"]["structure"]
    placed = [place["item"] for place in places]
    for name in sorted({*panels} ^ {*placed}):
        yield f"{name} is a panel without a place, or a place without a panel"
    for place in places:
        at = place["position"]
        if at["x"] + at["w"] > page["layout"]["options"]["width"]:
            yield f"{place['item']} stands out to the right"
        for other in places[: places.index(place)]:
            if _overlap(at, other["position"]):
                yield f"{place['item']} stands on {other['item']}"


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] >= other["x"] + other["w"] or other["x"] >= one["x"] + one["w"]
    below = one["y"] >= other["y"] + other["h"] or other["y"] >= one["y"] + one["h"]
    return not beside and not below


def _identity(package: Files, name: str) -> Iterator[str]:
    app, manifest = package.conf("app"), json.loads(package["app.manifest"])["info"]["id"]
    if {app["launcher"]["version"], app["id"]["version"]} != {manifest["version"]}:
        yield f"{name}: two versions"
    if {app["package"]["id"], app["id"]["name"], manifest["name"]} != {name}:
        yield f"{name}: has another id"
    if "README.md" not in package or not app["install"].get("build", "").isdigit():
        yield f"{name}: no README.md or no build"
