"""The dashboard asks for what the relay has: each query parses, each metric, label and variable exists."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from tests.unit.pages import ROOT, text
from tests.unit.promql import PROMETHEUS, labels_of, metrics_of

BOARD: Any = json.loads(text(ROOT / "deploy" / "grafana" / "sentry-splunk-relay.json"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
UNITS = {"none", "short", "s", "bytes", "ops", "reqps", "percentunit"}
"""Of Grafana's own, those that are used here."""
OF_GRAFANA = {"$__rate_interval": "5m", "$__range": "6h"}
QUERIES = [(panel["title"], target["expr"], target) for panel in PANELS for target in panel["targets"]]


def filled(query: str) -> str:
    """A query as Grafana sends it: its variables have values."""
    for name, value in OF_GRAFANA.items():
        query = query.replace(name, value)
    return re.sub(r"\$(\w+)", lambda found: ".*" if found[1] in VARIABLES else found[0], query)


@pytest.mark.parametrize(("title", "query", "target"), QUERIES, ids=[f"{title}: {q[:40]}" for title, q, _ in QUERIES])
def test_every_query_names_metrics_and_labels_that_there_are(title: str, query: str, target: dict[str, Any]) -> None:
    """And its legend no label that the result has lost; no variable is left without a value."""
    assert "$" not in filled(query), title
    labels = labels_of(filled(query))
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, title


def deaf_to(label: str) -> set[str]:
    """The titles of panels with a metric that has the label and is shown whatever is chosen for it."""
    selectors = [(title, each) for title, query, _ in QUERIES for each in re.findall(r"relay_\w+(?:\{[^}]*\})?", query)]
    return {
        title
        for title, selector in selectors
        if label in labels_of(selector.partition("{")[0]) and f'{label}=~"${label}"' not in selector
    }


def test_what_is_chosen_above_is_what_is_shown_below() -> None:
    """Wherever a metric has the label. Parked hooks have no tenant, and a tenant is silent as a whole."""
    assert deaf_to("instance") == set()
    assert deaf_to("tenant") == {"Parked"}
    assert deaf_to("destination") == {"Parked", "Silent tenants"}


@pytest.mark.parametrize("name", [name for name, variable in VARIABLES.items() if variable["type"] == "query"])
def test_every_variable_asks_for_a_label_that_there_is(name: str) -> None:
    """It lists the values of a label of a metric."""
    query = VARIABLES[name]["query"]["query"]
    asked = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
    assert asked
    assert asked[2] in labels_of(filled(asked[1]))
    assert VARIABLES[name]["definition"] == query


def test_the_board_is_for_any_prometheus_tenant_and_destination() -> None:
    """Nothing of the Grafana that it was made in is in it."""
    assert {"datasource", "tenant", "destination", "instance"} == set(VARIABLES)
    sources = re.findall(r'"uid": "([^"]*)"', json.dumps(BOARD["panels"]))
    assert set(sources) == {"${datasource}"}
    assert "id" not in BOARD


def test_every_panel_says_what_it_shows() -> None:
    """With a unit that Grafana knows; no two have the same title or number."""
    assert not [panel["title"] for panel in PANELS if len(panel["description"]) < 10]
    units = {panel["fieldConfig"]["defaults"].get("unit", "none") for panel in PANELS}
    assert units <= UNITS
    titles = [panel["title"] for panel in BOARD["panels"]]
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(titles)) == len(titles)
    assert len(set(numbers)) == len(numbers)


def test_no_panel_covers_another() -> None:
    """Each has its place within the 24 columns."""
    places = [(panel["title"], *(panel["gridPos"][key] for key in "xywh")) for panel in BOARD["panels"]]
    assert not [title for title, x, _, w, _ in places if x + w > 24]
    assert not [
        (title, other)
        for (title, x, y, w, h), (other, ox, oy, ow, oh) in combinations(places, 2)
        if x < ox + ow and ox < x + w and y < oy + oh and oy < y + h
    ]


def test_the_board_shows_what_the_alerts_are_about() -> None:
    """Every metric that a rule names has a panel, so that an alert leads to a picture."""
    shown = {name for _, query, _ in QUERIES for name in metrics_of(filled(query))}
    rules = re.findall(
        r"\brelay_\w+", re.sub(r"^#.*$", "", text(ROOT / "deploy/prometheus/rules.yaml"), flags=re.MULTILINE)
    )
    assert set(rules) - shown == set()
    assert {name for name in shown if not name.startswith("relay_")} <= set(PROMETHEUS)
