"""Puts a dashboard together as Dashboard Studio wants it: data sources, panels from left to right, inputs."""

import json
from collections.abc import Mapping
from typing import Any

TENANT = "tenant=$tenant|s$"
"""The tenant that the person chose, in searches over events and lookups."""
INDEXED_TENANT = "relay_tenant=$tenant|s$"
"""The same for ``tstats``, which knows indexed fields only."""

WIDTH = 1440
SEVERITY_COLORS = {
    "critical": "#9E2520",
    "high": "#D41F1F",
    "medium": "#CBA700",
    "low": "#3993FF",
    "informational": "#708794",
}
LEVEL_COLORS = {
    "fatal": "#9E2520",
    "error": "#D41F1F",
    "warning": "#CBA700",
    "info": "#3993FF",
    "debug": "#708794",
    "(none)": "#4A5760",
}
_GOOD, _BAD = "#118832", "#D41F1F"
_ROWS_A_TABLE = 20
_FRAME = 26
"""Pixels beside a table in its panel."""
_NUMBER = {"trendDisplay": "off", "majorFontSize": 52, "underLabelColor": "> themes.defaultFontColor"}

Options = Mapping[str, object]


class Dashboard:
    """One dashboard. Panels fill rows of 1,440 pixels; a row is as high as its highest panel."""

    def __init__(self, name: str, title: str, description: str) -> None:
        self.name = name
        self.title = title
        self.description = description
        self._sources: dict[str, Any] = {}
        self._panels: dict[str, Any] = {}
        self._places: list[dict[str, Any]] = []
        self._x = self._y = self._height = 0
        self.search("tenants", "| tstats count where `sentry_index` by relay_tenant | sort 0 relay_tenant")

    def search(self, name: str, query: str, *, earliest: str = "", latest: str = "") -> str:
        """A search of its own; without a time range it takes the one that the person chose."""
        options: dict[str, Any] = {"query": query}
        if earliest:
            options["queryParameters"] = {"earliest": earliest, "latest": latest}
        self._sources[f"ds_{name}"] = {"type": "ds.search", "name": name, "options": options}
        return f"ds_{name}"

    def chain(self, name: str, base: str, query: str) -> str:
        """A search that goes on from the results of another."""
        options = {"extend": base, "query": query}
        self._sources[f"ds_{name}"] = {"type": "ds.chain", "name": name, "options": options}
        return f"ds_{name}"

    def panel(
        self,
        kind: str,
        title: str,
        source: str,
        size: tuple[int, int],
        options: Options,
        *,
        note: str = "",
        **more: object,
    ) -> None:
        """A panel of this width and height beside the one before, or below where it does not fit."""
        width, height = size
        if self._x + width > WIDTH:
            self._y += self._height
            self._x = self._height = 0
        name = f"viz_{len(self._panels) + 1}"
        self._panels[name] = {
            "type": f"splunk.{kind}",
            "title": title,
            **({"description": note} if note else {}),
            "dataSources": {"primary": source},
            "options": dict(options),
            **more,
        }
        position = {"x": self._x, "y": self._y, "w": width, "h": height}
        self._places.append({"item": name, "type": "block", "position": position})
        self._x += width
        self._height = max(self._height, height)

    def number(self, title: str, source: str, size: tuple[int, int], under: str, **options: object) -> None:
        """A single number with a line of words below."""
        self.panel("singlevalue", title, source, size, {"underLabel": under, **_NUMBER, **options})

    def trouble(self, title: str, source: str, size: tuple[int, int], under: str, *, limit: float = 1) -> None:
        """A single number that is red from this limit on."""
        ranges = [{"to": limit, "value": _GOOD}, {"from": limit, "value": _BAD}]
        options = {"underLabel": under, **_NUMBER, "majorColor": "> majorValue | rangeValue(troubleRanges)"}
        self.panel("singlevalue", title, source, size, options, context={"troubleRanges": ranges})

    def total(self, title: str, source: str, size: tuple[int, int], field: str) -> None:
        """The sum over the time range (field ``total``), with the course of it below."""
        options = {
            "majorValue": '> primary | seriesByName("total") | lastPoint()',
            "sparklineValues": f'> primary | seriesByName("{field}")',
            "sparklineDisplay": "below",
            "showSparklineAreaGraph": True,
            "sparklineNullValueDisplay": "zero",
            "underLabel": "in the time range",
            **_NUMBER,
        }
        self.panel("singlevalue", title, source, size, options)

    def table(
        self,
        title: str,
        source: str,
        size: tuple[int, int],
        *,
        widths: Mapping[str, int],
        note: str = "",
        opens: bool = False,
    ) -> None:
        """A table whose columns divide its width as these widths are to each other.

        Where ``opens``, a click opens the row's ``url``, which is not shown.
        """
        share = (size[0] - _FRAME) / sum(widths.values())
        columns = {name: {"width": int(width * share)} for name, width in widths.items()}
        options: dict[str, Any] = {"count": _ROWS_A_TABLE, "headerVisibility": "fixed", "columnFormat": columns}
        more: dict[str, Any] = {}
        if opens:
            options["table"] = '> primary | frameWithoutSeriesNames("url")'
            link = {"type": "drilldown.customUrl", "options": {"url": "$row.url.value$", "newTab": True}}
            more["eventHandlers"] = [link]
            note = note or "A click opens it in Sentry."
        self.panel("table", title, source, size, options, note=note, **more)

    def over_time(self, kind: str, title: str, source: str, size: tuple[int, int], **options: object) -> None:
        """A chart over time; what stands in several series is stacked, unless it is a line."""
        stacked = {} if kind == "line" else {"stackMode": "stacked"}
        self.panel(kind, title, source, size, {"xAxisTitleVisibility": "hide", **stacked, **options})

    def bars(self, title: str, source: str, size: tuple[int, int]) -> None:
        """Bars from left to right, one a row."""
        hidden = {"xAxisTitleVisibility": "hide", "yAxisTitleVisibility": "hide", "legendDisplay": "off"}
        self.panel("bar", title, source, size, hidden)

    def definition(self) -> dict[str, Any]:
        """The dashboard as Dashboard Studio stores it."""
        formatted = "formatByType(formattedConfig)"
        label, value = (
            f'> primary | seriesByName("relay_tenant") | renameSeries("{name}") | {formatted}'
            for name in ("label", "value")
        )
        tenant = {
            "type": "input.dropdown",
            "title": "Tenant",
            "dataSources": {"primary": "ds_tenants"},
            "options": {
                "items": "> frame(label, value) | prepend(formattedStatics) | objects()",
                "token": "tenant",
                "defaultValue": "*",
            },
            "context": {
                "formattedConfig": {"number": {"prefix": ""}},
                "formattedStatics": f"> statics | {formatted}",
                "statics": [["All"], ["*"]],
                "label": label,
                "value": value,
            },
        }
        time = {
            "type": "input.timerange",
            "title": "Time",
            "options": {"token": "time", "defaultValue": "-24h@h,now"},
        }
        chosen = {"earliest": "$time.earliest$", "latest": "$time.latest$"}
        return {
            "title": self.title,
            "description": self.description,
            "dataSources": self._sources,
            "visualizations": self._panels,
            "inputs": {"input_time": time, "input_tenant": tenant},
            "defaults": {"dataSources": {"ds.search": {"options": {"queryParameters": chosen}}}},
            "layout": {
                "type": "grid",
                "options": {"width": WIDTH},
                "globalInputs": ["input_time", "input_tenant"],
                "structure": self._places,
            },
        }

    def view(self) -> str:
        """The file under ``data/ui/views``."""
        definition = json.dumps(self.definition(), indent=1, ensure_ascii=False)
        return (
            '<dashboard version="2" theme="dark">\n'
            f"  <label>{self.title}</label>\n"
            f"  <description>{self.description}</description>\n"
            f"  <definition><![CDATA[\n{definition}\n  ]]></definition>\n"
            "</dashboard>\n"
        )
