"""The two packages in deploy/splunk as the tests read them: conf files, views, navigation."""

import configparser
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.unit.pages import ROOT

FOLDER = ROOT / "deploy" / "splunk"
ADD_ON = FOLDER / "TA_sentry_splunk_relay"
APP = FOLDER / "sentry_relay_app"

Conf = dict[str, dict[str, str]]


class Files(dict[str, str]):
    """The text files of a package by their path in it, so that a test can read them with one of them changed."""

    @staticmethod
    def of(package: Path) -> "Files":
        """As they stand."""
        paths = (path for path in package.rglob("*") if path.is_file() and path.suffix != ".png")
        return Files({path.relative_to(package).as_posix(): path.read_text(encoding="utf-8") for path in paths})

    def with_change(self, name: str, old: str, new: str) -> "Files":
        """With one text in the place of another, which has to be there."""
        assert old in self[name], f"{name} has no {old!r}"
        return Files({**self, name: self[name].replace(old, new)})

    def conf(self, name: str) -> Conf:
        """A conf file: stanzas of settings; a line that ends in a backslash goes on."""
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True, default_section="")
        parser.optionxform = str  # type: ignore[assignment,method-assign] # as the library documents
        parser.read_string(re.sub(r"\\\n\s*", " ", self.get(f"default/{name}.conf", "")))
        return {stanza: dict(parser[stanza]) for stanza in parser.sections()}

    def macros(self) -> dict[str, str]:
        """Their bodies."""
        return {name: stanza["definition"] for name, stanza in self.conf("macros").items()}

    def dashboards(self) -> dict[str, dict[str, Any]]:
        """The definition of each view."""
        found = {}
        for name in self:
            if match := re.fullmatch(r"default/data/ui/views/(\w+)\.xml", name):
                inside = re.search(r"<!\[CDATA\[(.*)\]\]>", self[name], re.DOTALL)
                assert inside, name
                found[match[1]] = json.loads(inside[1])
        return found


def both() -> tuple[Files, Files]:
    """The add-on and the app."""
    return Files.of(ADD_ON), Files.of(APP)


def all_macros(*packages: Files) -> Mapping[str, str]:
    """Every macro of these packages."""
    return {name: body for package in packages for name, body in package.macros().items()}
