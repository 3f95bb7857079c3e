"""Draws the dashboards with Splunk's own code and the rows of our searches: ``python -m tests.splunk_app.looking``.

``make splunk-app-look`` brings what it needs of npm; Chromium is the system's. It fails where Splunk's validator or the
strict check finds something, where a title or a row is missing from a page, and where a page shows an error. With
``--pictures`` it puts the pictures of docs/splunk-app.md in their place.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tests.spl.table import Table
from tests.spl.times import written
from tests.spl.values import shown
from tests.splunk_app.packages import both
from tests.splunk_app.searches import run_dashboards, saved_searches, splunk
from tests.splunk_app.week import Week
from tests.unit.pages import DOCS, ROOT

MODULES = ROOT / ".look"
FOLDER = ROOT / "build" / "splunk-app-look"
PICTURES = {
    "splunk-overview.png": "sentry_overview-dark-top.png",
    "splunk-delivery.png": "sentry_delivery-light-top.png",
}
"""Pictures of the documents, and which of those that are drawn they are."""
PICTURE_BYTES_MIN, PICTURE_BYTES_MAX = 40_000, 150_000
"""Of what is drawn; of what the documents show."""
WRONG = ("No search results", "Something went wrong", "Cannot access", "undefined", "NaN", "[object Object]", "N/A")
"""What Dashboard Studio, or JavaScript, writes where something is missing."""


def main(*arguments: str) -> int:
    """The exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    pages = given()
    for name, page in (pages | {"broken": broken(pages["sentry_overview"])}).items():
        (FOLDER / f"{name}.given.json").write_text(json.dumps(page), encoding="utf-8")
    program = ROOT / "tests" / "splunk_app" / "look" / "look.cjs"
    environment = {**os.environ, "NODE_PATH": str(MODULES / "node_modules")}
    subprocess.run(["node", str(program), str(FOLDER)], check=True, env=environment, timeout=1_200)  # noqa: S607
    report = json.loads((FOLDER / "report.json").read_bytes())
    found = [*unseen(report.pop("broken")), *faults(report, pages)]
    if "--pictures" in arguments:
        found += place_pictures()
    sys.stdout.write("".join(f"{fault}\n" for fault in found) or f"nothing is wrong; pictures in {FOLDER}\n")
    return 1 if found else 0


def given() -> dict[str, dict[str, Any]]:
    """Each dashboard with the rows of its searches and the words that have to be on the page."""
    add_on, app = both()
    engine = splunk(Week().rows(), add_on, app)
    engine.run(*saved_searches(app)["Sentry - Lookup of issues, filled once"])
    pages: dict[str, dict[str, Any]] = {
        name: {"definition": page, "rows": {}, "words": [], "schemes": ["light", "dark"]}
        for name, page in app.dashboards().items()
    }
    for name, source, table in run_dashboards(engine, app):
        pages[name]["rows"][source] = frame(table)
    for page in pages.values():
        page["words"] = list(dict.fromkeys(words(page["definition"], page["rows"])))
    return pages


def frame(table: Table) -> dict[str, Any]:
    """Rows as Splunk's search jobs return them: columns of texts."""
    names = table.shown()
    columns = [[cell(name, row.get(name)) for row in table.rows] for name in names]
    return {"fields": [{"name": name} for name in names], "columns": columns}


def cell(name: str, value: Any) -> str | list[str] | None:
    """One value as text, a time as Splunk's web interface gets it."""
    if value is None:
        return None
    if name == "_time":
        return written(float(value), "%Y-%m-%dT%H:%M:%S.000+00:00")
    return [str(shown(each)) for each in value] if isinstance(value, list) else str(shown(value))


def words(definition: Mapping[str, Any], rows: Mapping[str, Any]) -> Iterator[str]:
    """Titles of all panels, and of each table the first row's longest text that fits on a line."""
    for panel in definition["visualizations"].values():
        yield panel["title"]
        if panel["type"] == "splunk.table":
            data = rows[panel["dataSources"]["primary"]]
            named = zip(data["fields"], data["columns"], strict=True)
            first = [column[0] for field, column in named if field["name"] != "url" and isinstance(column[0], str)]
            yield max((text for text in first if " " not in text), key=len)


def broken(page: Mapping[str, Any]) -> dict[str, Any]:
    """A page with faults of every kind, to see that they are seen."""
    copied: dict[str, Any] = copy.deepcopy(dict(page))
    panels = copied["definition"]["visualizations"]
    panels["viz_1"]["options"]["majorColour"] = "#D41F1F"
    panels["viz_2"]["options"]["sparklineDisplay"] = "beneath"
    panels["viz_3"]["type"] = "splunk.singelvalue"
    copied["rows"]["ds_users"] = {"fields": [], "columns": []}
    copied["definition"]["layout"]["type"] = "gird"
    return copied | {"words": ["Nobody wrote this"], "schemes": ["light"]}


def unseen(report: Mapping[str, Any]) -> Iterator[str]:
    """Which of those faults nobody saw."""
    strict = " ".join(report["strict"])
    for fault in ("has no option majorColour", "sparklineDisplay", "no panel is called splunk.singelvalue"):
        if fault not in strict:
            yield f"the strict check does not see: {fault}"
    judged = " ".join(report["light"]["judged"])
    for place in ("/visualizations/viz_2/options/sparklineDisplay", "/visualizations/viz_3/type"):
        if place not in judged:
            yield f"Splunk's validator does not see: {place}"
    if "Nobody wrote this" in report["light"]["text"]:
        yield "a word that nobody wrote is found"


def faults(report: Mapping[str, Any], pages: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong with what was drawn, in words."""
    for name, page in report.items():
        yield from (f"{name}: {fault}" for fault in page["strict"])
        for scheme in ("light", "dark"):
            seen = page[scheme]
            yield from (f"{name}: Splunk's validator: {fault}" for fault in seen["judged"])
            yield from (f"{name} {scheme}: {said}" for said in seen["said"])
            yield from (f"{name} {scheme}: no {word!r}" for word in pages[name]["words"] if word not in seen["text"])
            yield from (f"{name} {scheme}: shows {wrong!r}" for wrong in WRONG if wrong in seen["text"])
            if (FOLDER / f"{name}-{scheme}.png").stat().st_size < PICTURE_BYTES_MIN:
                yield f"{name} {scheme}: its picture is nearly empty"


def place_pictures() -> list[str]:
    """Copy the pictures of the documents; what is too large is said."""
    (DOCS / "pictures").mkdir(exist_ok=True)
    for target, source in PICTURES.items():
        shutil.copy(FOLDER / source, DOCS / "pictures" / target)
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").glob("splunk-*.png")}
    return [f"{name}: {size} bytes" for name, size in sizes.items() if size > PICTURE_BYTES_MAX]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
