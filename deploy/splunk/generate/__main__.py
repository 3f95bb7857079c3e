"""Writes what of the packages is made by code: ``python -m deploy.splunk.generate``."""

import sys
from pathlib import Path

from deploy.splunk.generate.alerts import alerts
from deploy.splunk.generate.delivery import delivery
from deploy.splunk.generate.errors import errors
from deploy.splunk.generate.issues import issues
from deploy.splunk.generate.manifest import ADD_ON, APP, app_conf, app_manifest
from deploy.splunk.generate.overview import overview
from deploy.splunk.generate.props import props_conf

FOLDER = Path(__file__).parents[1]
"""Where the packages stand."""
DASHBOARDS = (overview, errors, issues, alerts, delivery)


def files() -> dict[str, str]:
    """The text of each file that is made, by its path below ``FOLDER``."""
    made = {f"{ADD_ON.name}/default/props.conf": props_conf()}
    for package in (ADD_ON, APP):
        made[f"{package.name}/default/app.conf"] = app_conf(package)
        made[f"{package.name}/app.manifest"] = app_manifest(package)
    for page in (make() for make in DASHBOARDS):
        made[f"{APP.name}/default/data/ui/views/{page.name}.xml"] = page.view()
    return made


def main() -> int:
    """Write them."""
    for name, text in files().items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(files())} files under {FOLDER.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
