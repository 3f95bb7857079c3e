"""The pages of the project and the modules of the relay, as the tests of the documents look at them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.errors import IngestRefusal

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


class Row(NamedTuple):
    """A row of a table: its cells, and what stands in each as code."""

    cells: list[str]
    code: list[list[str]]


@cache
def text(path: Path) -> str:
    """A file."""
    return path.read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text(path))


def fenced(path: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language, text."""
    return ((language, body) for _, language, body in FENCE.findall(text(path)))


def snippets(path: Path) -> list[str]:
    """Everything on a page that stands as code: inline, and each line of a fenced or indented block."""
    lines = [line for _, body in fenced(path) for line in body.splitlines()]
    indented = re.findall(r"^ {4,}\S.*$", prose(path), re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose(path)) + lines + indented


def section(page: Path, heading: str) -> str:
    """What stands below a heading, to the next of its rank."""
    mark = heading.split(" ", maxsplit=1)[0]
    return re.split(rf"^{mark} ", text(page).split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(page: str, heading: str = "") -> list[Row]:
    """The rows of the tables of a page in docs/ (or of one of its sections) that begin with code."""
    body = section(DOCS / page, heading) if heading else text(DOCS / page)
    lines = (line.strip()[1:-1].split("|") for line in body.splitlines() if line.startswith("| `"))
    return [
        Row([cell.strip() for cell in cells], [re.findall(r"`([^`]+)`", cell) for cell in cells]) for cells in lines
    ]


def links(path: Path) -> Iterator[tuple[str, Path, str]]:
    """Relative links of a page: as written, the file, the anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            yield target, (path.parent / name).resolve() if name else path, anchor


def modules() -> Iterator[ast.Module]:
    """Every module of the relay, parsed."""
    return (ast.parse(text(path)) for path in sorted((ROOT / "app").rglob("*.py")))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in it."""
    return (each for each in ast.walk(tree) if isinstance(each, ast.Call))


def strings(node: ast.expr | None) -> list[str]:
    """The texts that an expression may be: a constant, or one or the other."""
    if isinstance(node, ast.IfExp):
        return strings(node.body) + strings(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def refusals(kind: type[IngestRefusal] = IngestRefusal) -> set[type[IngestRefusal]]:
    """Every class of refusal."""
    return {each for child in kind.__subclasses__() for each in (child, *refusals(child))}
