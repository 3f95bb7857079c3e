"""The map is true: what docs/architecture.md and ``app`` itself name is there."""

import re

import app
from tests.unit.pages import DOCS, ROOT, text

PAGE = DOCS / "architecture.md"


def test_every_module_that_the_map_names_is_there() -> None:
    """A newcomer who follows it finds a file."""
    named = set(re.findall(r"`(?:app/)?((?:[a-z_]+/)+(?:[a-z_0-9]+\.py)?|[a-z_]+\.py)`", text(PAGE)))
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / "app" / path).exists()]


def test_every_room_is_on_the_map() -> None:
    """In the table of the page, and in the package's own words."""
    rooms = {folder.name for folder in (ROOT / "app").iterdir() if (folder / "__init__.py").exists()}
    rows = set(re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", text(PAGE), re.MULTILINE))))
    assert rooms <= rows
    assert rooms <= set(re.findall(r"``([a-z]+)``", app.__doc__ or ""))


def test_no_word_is_explained_twice() -> None:
    """One name for one thing, in the order of the alphabet."""
    words = re.findall(r"^\| ([a-z_ ,]+) \| ", text(PAGE).partition("## Words")[2], re.MULTILINE)[1:]
    assert words == sorted(set(words))
