"""app.conf and app.manifest of both packages, with the relay's version."""

import json
from dataclasses import dataclass
from typing import Any

from app import __version__


@dataclass(frozen=True)
class Package:
    """One of the two packages."""

    name: str
    title: str
    description: str
    visible: bool
    workloads: tuple[str, ...]
    models: tuple[str, ...] = ()


ADD_ON = Package(
    name="TA_sentry_splunk_relay",
    title="Sentry Relay Add-on for Splunk",
    description="Source types, indexed fields, macros and CIM names of the events that sentry-splunk-relay sends.",
    visible=False,
    workloads=("_search_heads", "_indexers", "_forwarders"),
    models=("Ticket Management", "Change"),
)
APP = Package(
    name="sentry_relay_app",
    title="Sentry Relay App for Splunk",
    description="Dashboards, alerts and workflow actions for what sentry-splunk-relay brings from Sentry.",
    visible=True,
    workloads=("_search_heads",),
)


def app_conf(package: Package) -> str:
    """``default/app.conf``."""
    build = "".join(f"{int(part):02d}" for part in __version__.split("."))
    themes = "show_in_nav = 1\nsupported_themes = light,dark\n" if package.visible else ""
    return (
        "# Made by deploy/splunk/generate.\n"
        f"[install]\nis_configured = 0\nbuild = {int(build)}\n\n"
        f"[ui]\nis_visible = {int(package.visible)}\nlabel = {package.title}\n{themes}\n"
        f"[launcher]\nauthor = sentry-splunk-relay\ndescription = {package.description}\nversion = {__version__}\n\n"
        f"[package]\nid = {package.name}\ncheck_for_updates = 0\n\n"
        f"[id]\nname = {package.name}\nversion = {__version__}\n"
    )


def app_manifest(package: Package) -> str:
    """``app.manifest``, as Splunk's packaging toolkit and Splunk Cloud read it."""
    nothing = {"name": None, "text": None, "uri": None}
    manifest: dict[str, Any] = {
        "schemaVersion": "2.0.0",
        "info": {
            "title": package.title,
            "id": {"group": None, "name": package.name, "version": __version__},
            "author": [{"name": "sentry-splunk-relay", "email": None, "company": None}],
            "releaseDate": None,
            "description": package.description,
            "classification": {
                "intendedAudience": "IT Professionals",
                "categories": ["DevOps"],
                "developmentStatus": "Production/Stable",
            },
            "commonInformationModels": dict.fromkeys(package.models, ">=5.0") or None,
            "license": {
                "name": "Apache-2.0",
                "text": "LICENSE",
                "uri": "https://www.apache.org/licenses/LICENSE-2.0",
            },
            "privacyPolicy": nothing,
            "releaseNotes": {"name": "README", "text": "README.md", "uri": None},
        },
        "dependencies": None,
        "tasks": None,
        "inputGroups": None,
        "incompatibleApps": None,
        "platformRequirements": {"splunk": {"Enterprise": "*"}},
        "supportedDeployments": ["_standalone", "_distributed", "_search_head_clustering"],
        "targetWorkloads": list(package.workloads),
    }
    return json.dumps(manifest, indent=2) + "\n"
