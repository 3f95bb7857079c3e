"""Splunk's own judgement of the two packages, and its data models beside what our tests take them to want.

Both come with ``make splunk-app-inspect``, into an environment of their own; ``make check`` makes it.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.splunk.generate.manifest import ADD_ON, APP, Package
from deploy.splunk.generate.pack import archive
from tests.splunk_app.cim import ALERTS, CHANGE, PROBLEM, Model
from tests.unit.pages import ROOT

TOOLS = ROOT / ".venv-splunk"
WARNINGS = {APP.name: {"check_collections_conf"}, ADD_ON.name: set[str]()}
"""That there is a KV store is worth a warning to AppInspect, with the words "No action required"."""

pytestmark = pytest.mark.skipif(not (TOOLS / ".ready").exists(), reason="make splunk-app-inspect brings Splunk's tools")


@pytest.fixture(scope="module", params=[ADD_ON, APP], ids=lambda package: package.name)
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, Path]:
    """A package as a file."""
    package: Package = request.param
    path = tmp_path_factory.mktemp("packed") / f"{package.name}.tgz"
    path.write_bytes(archive(package.name))
    return package, path


@pytest.mark.parametrize("tags", ["", "cloud", "self-service", "future"])
def test_appinspect_finds_no_error_and_no_failure(packed: tuple[Package, Path], tags: str) -> None:
    """Of all its checks, of those for Splunk Cloud and for Splunkbase, and of those that are to come."""
    package, path = packed
    report = path.with_suffix(".json")
    program = ROOT / "tests" / "splunk_app" / "appinspect.py"
    command = [str(TOOLS / "bin" / "python"), str(program), "inspect", str(path), "--mode", "precert"]
    command += ["--data-format", "json", "--output-file", str(report), *(["--included-tags", tags] if tags else [])]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert report.exists(), f"AppInspect needs libmagic (Debian: apt-get install libmagic1): {done.stderr[-2_000:]}"
    judged = json.loads(report.read_bytes())
    summary = judged["summary"]
    assert summary["success"] > 0
    found = {
        (check["result"], check["name"])
        for each in judged["reports"]
        for group in each["groups"]
        for check in group["checks"]
        if check["result"] not in ("success", "not_applicable")
    }
    assert {name for result, name in found if result == "warning"} <= WARNINGS[package.name]
    assert {result for result, _ in found} <= {"warning"}


def _dataset(model: Model) -> list[dict[str, Any]]:
    """The fields of a dataset and of those it stands below."""
    (folder,) = TOOLS.glob("lib/python*/site-packages/pytest_splunk_addon/data_models")
    inside = json.loads((folder / f"{model.file}.json").read_bytes())["objects"]
    fields: list[dict[str, Any]] = []
    for name in model.datasets:
        (dataset,) = (each for each in inside if each["name"] == name)
        fields += dataset["fields"]
        tags, inside = dataset["tags"], dataset.get("child_dataset", [])
    assert set(model.tags) in [set(each) for each in tags]
    return fields


@pytest.mark.parametrize("model", [PROBLEM, CHANGE, ALERTS], ids=lambda model: model.file)
def test_the_models_want_what_the_tests_hold_events_against(model: Model) -> None:
    """Required fields, prescribed values and tags, as the data models have them."""
    fields = _dataset(model)
    assert {field["name"] for field in fields if field["type"] == "required"} == model.required
    prescribed = {field["name"]: tuple(field["expected_values"]) for field in fields if field.get("expected_values")}
    assert prescribed == model.prescribed
