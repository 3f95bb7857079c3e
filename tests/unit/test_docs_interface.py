"""What others hang on is documented as it is: paths, refusals, metrics, log events, the fields of searches."""

import ast
import re
from functools import cache
from typing import Any, NamedTuple, get_args

import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from app.health import Health, add_routes
from app.ingest.routes import match_route
from app.metrics import Metrics
from app.model import Cause, Hook, SpoolStats, Stream, StreamCounts, TenantFill
from app.sentry.signature import SignatureFault
from app.splunk.answers import Outcome, Scope
from app.splunk.encode import DELIVERY_ID, RELAY_ATTEMPT, RELAY_WAITED
from app.tenants.model import Destination
from app.transform import transform
from tests.goldens import only
from tests.splunk_app.packages import ADD_ON, Files
from tests.unit.pages import DOCS, PAGES, ROOT, calls, modules, refusals, rows, strings, text

EVENT = re.compile(r"[a-z_]+\.[a-z]+")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


# HTTP.


def test_every_refusal_is_documented() -> None:
    """Its code word with its status."""
    said = {(row.code[0][0], int(row.cells[1])) for row in rows("http.md", "## Refusals") if row.cells[1].isdigit()}
    assert said == {(each.code, each.status) for each in refusals()}


def test_every_reason_of_a_refusal_is_documented() -> None:
    """With the code word it comes with."""
    codes = {each.__name__: each.code for each in refusals()}
    said = {(row.code[0][0], row.code[1][0]) for row in rows("http.md", "## Refusals") if not row.cells[1].isdigit()}
    found = {(reason, codes["NotStored"]) for reason in ("disk_full", "spool_unavailable")}  # handed on in a variable
    found |= {(reason, codes["BadSignature"]) for reason in get_args(SignatureFault) if reason}
    for tree in modules():
        for call in calls(tree):
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if name in codes and call.args:
                found |= {(reason, codes[name]) for reason in strings(call.args[0])}
    assert said == found


def test_every_path_is_documented() -> None:
    """With its methods; the paths of accepting are as many as the code tells apart."""
    api = FastAPI(openapi_url=None)
    add_routes(api, Health.__new__(Health))
    served = {(each.path, ", ".join(sorted(each.methods or ()))) for each in api.routes if isinstance(each, APIRoute)}
    said = {(row.code[0][0], row.cells[1]) for row in rows("http.md", "## Paths")}
    accepting = {path for path, methods in said if path.startswith("/sentry") and methods == "POST"}
    assert {each for each in said if each[0] not in accepting} == served
    doors = {match_route(path.format(tenant="acme", key="k") + slash) for path in accepting for slash in ("", "/")}
    tree = ast.parse(text(ROOT / "app/ingest/routes.py"))
    cases = [each for each in ast.walk(tree) if isinstance(each, ast.match_case)]
    assert len(doors) == len(cases) == len(accepting)


# Metrics.


@cache
def metrics_page() -> str:
    """A page of metrics on which every metric has a value."""
    metrics, stream = Metrics("1"), Stream("acme", "main")
    metrics.accepted("acme", fresh=True, seconds=1)
    metrics.accepted("acme", fresh=False, seconds=1)
    metrics.same_body("acme", sender="integration")
    metrics.refused("bad_signature")
    metrics.admin_refused("bad_admin_token")
    metrics.attempted(stream, outcome="delivered", hec_code="0", hec_events=1, body_bytes=1, seconds=1)
    metrics.delivered(stream, delays_s=[1])
    metrics.resent(stream, count=1, ambiguous=True)
    metrics.buried(stream, cause="rejected", count=1)
    metrics.paused(stream, scope="lane")
    metrics.awaiting(stream, count=1)
    metrics.acknowledged(stream, ack="indexed", count=1)
    metrics.left_out(stream, addresses=1)
    metrics.unverified([stream])
    metrics.spool_failed(doing="claim")
    books = StreamCounts(stream=stream, accepted=1, delivered=1, filtered=0, discarded=0, adopted=0, waiting=0, dead=0)
    stats = SpoolStats(
        streams=[books], payload_bytes=0, hooks=0, oldest_waiting_at=None, tenants=[TenantFill("acme", 1, 1)]
    )
    return metrics.page(stats, now=1).decode()


@cache
def scraped() -> dict[str, tuple[str, set[str]]]:
    """Every metric by its name as scraped: type and labels."""
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(metrics_page()):
        if not family.name.endswith("_created"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert family.samples, f"{name} has no value on metrics_page()"
            found[name] = (family.type, labels)
    return found


def test_every_metric_is_documented() -> None:
    """Its name as scraped, its type, its labels."""
    named = [row for row in rows("metrics.md") if row.code[0][0].startswith("relay_")]
    assert {row.code[0][0]: (row.cells[1], set(row.code[2])) for row in named} == scraped()


def test_every_metric_that_is_named_is_one() -> None:
    """On any page, with or without the parts of a histogram; indexed fields in Splunk begin alike."""
    known = {name + part for name in scraped() for part in ("", "_bucket", "_count", "_sum")}
    known |= {*Files.of(ADD_ON).conf("fields")}
    said = {(page.name, name) for page in PAGES for name in re.findall(r"(?<![\w/])relay_\w+\w", text(page))}
    assert not [each for each in said if each[1] not in known]


@pytest.mark.parametrize(
    ("label", "values"),
    [("outcome", set(Outcome)), ("scope", set(Scope)), ("cause", set(Cause)), ("fault", {"clean", "ambiguous"})],
)
def test_every_value_of_a_closed_label_is_documented(label: str, values: set[str]) -> None:
    """And no other is."""
    (row,) = [row for row in rows("metrics.md", "## Labels") if label in row.code[0]]
    assert {name for name in row.code[1] if not name.startswith("relay_")} == {str(each) for each in values}


def test_every_alert_is_documented_and_asks_for_metrics_that_exist() -> None:
    """Its name and severity stand in docs/metrics.md, and its rule is tested."""
    loaded: Any = yaml.safe_load(text(ROOT / "deploy/prometheus/rules.yaml"))
    rules = [rule for group in loaded["groups"] for rule in group["rules"]]
    said = {(row.code[0][0], row.cells[1]) for row in rows("metrics.md", "## Alert rules")}
    assert said == {(rule["alert"], rule["labels"]["severity"]) for rule in rules}
    asked = {name for rule in rules for name in re.findall(r"\brelay_\w+", rule["expr"])}
    assert asked <= {name + part for name in scraped() for part in ("", "_bucket", "_count", "_sum")}
    tests = text(ROOT / "deploy/prometheus/rules_test.yaml")
    assert not [rule["alert"] for rule in rules if rule["alert"] not in tests]


# Logs.


class Line(NamedTuple):
    """A log line as the code writes it; ``level`` is empty where a variable decides."""

    level: str
    keys: set[str]


def level_of(function: ast.expr) -> str | None:
    """The level of a logging call; ``None`` if it is none."""
    if isinstance(function, ast.Attribute):
        return {"exception": "error"}.get(function.attr, function.attr) if function.attr in LEVELS else None
    by_variable = isinstance(function, ast.Name) and function.id in {"log", "say"}
    return "" if by_variable or isinstance(function, ast.Call) else None


def keys_of(call: ast.Call) -> set[str]:
    """The keys of a call's line; a trace stands under ``exception``."""
    keys = {each.arg for each in call.keywords if each.arg}
    thrown = "exc_info" in keys or (isinstance(call.func, ast.Attribute) and call.func.attr == "exception")
    return keys - {"exc_info"} | ({"exception"} if thrown else set())


def lines_of(tree: ast.Module) -> dict[str, Line]:
    """The log lines of a module: calls of a logger, and dicts that are a line themselves."""
    found = {}
    for call in calls(tree):
        level = level_of(call.func)
        for event in strings(call.args[0]) if call.args and level is not None else []:
            found[event] = Line(level or "", keys_of(call))
    for each in ast.walk(tree):
        if isinstance(each, ast.Dict):
            said = {name: value for key, value in zip(each.keys, each.values, strict=True) for name in strings(key)}
            for event in strings(said.pop("event", None)):
                found[event] = Line("", set(said))
    return {event: line for event, line in found.items() if EVENT.fullmatch(event)}


def test_every_log_event_is_documented() -> None:
    """With its level and every key it may have; a refusal's facts are keys of its line."""
    code = {event: line for tree in modules() for event, line in lines_of(tree).items()}
    kinds = {each.__name__ for each in refusals()}
    refused = (each for tree in modules() for each in calls(tree) if isinstance(each.func, ast.Name))
    code["request.refused"].keys.update(*(keys_of(each) for each in refused if ast.unparse(each.func) in kinds))
    said = {row.code[0][0]: row for row in rows("logs.md")}
    assert said.keys() == code.keys()
    assert {event: set(row.code[2]) for event, row in said.items()} == {
        event: line.keys for event, line in code.items()
    }
    assert not [event for event, line in code.items() if not said[event].cells[1].startswith(line.level)]


# Splunk.


@cache
def indexed_fields() -> set[str]:
    """Every indexed field of a hec_event, as it is made of the fullest payload."""
    payload = (ROOT / "tests/fixtures/payloads/error.created.typical.json").read_bytes()
    hook = Hook(delivery_id="0" * 32, tenant="acme", resource="error", payload=payload)
    made = only(transform(hook, Destination(tenant="acme", name="main", url="", hec_token=None, hec_token_ref="")))
    return {*made.fields, DELIVERY_ID, RELAY_ATTEMPT, RELAY_WAITED}


def test_every_indexed_field_and_sourcetype_is_in_the_set_up() -> None:
    """docs/splunk-setup.md names each."""
    page = text(DOCS / "splunk-setup.md")
    assert indexed_fields() <= set(re.findall(r"\w+", page))
    views = re.findall(r'^    "(\w+)": \w+,$', text(ROOT / "app/transform/views/dispatch.py"), re.MULTILINE)
    assert {f"sentry:{name}" for name in (*views, "unknown", "relay", "gap")} == set(
        re.findall(r"`(sentry:\w+)`", page)
    )
