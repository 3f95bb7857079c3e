"""docs/hec.md, reliability.md and check.md say what there is: tests that exist, steps that the check takes."""

import ast
import re

from app.cli.check.command import check_command
from tests.unit.pages import DOCS, ROOT, calls, rows, strings, text

MADE = re.compile(r"^ *(?:async )?def (test_\w+)|^(Test\w+) = ", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+|Test[A-Z]\w+)`")


def every_test() -> set[str]:
    """The names of all tests."""
    folders = ("unit", "journey", "contract", "system")
    files = (path for folder in folders for path in (ROOT / "tests" / folder).glob("test_*.py"))
    return {name for path in files for names in MADE.findall(text(path)) for name in names if name}


def test_every_test_that_is_named_exists() -> None:
    """On these pages, inside a table or not."""
    named = {name for page in ("hec.md", "reliability.md") for name in NAMED.findall(text(DOCS / page))}
    assert not named - every_test()


def test_every_row_names_a_test() -> None:
    """What nobody shows is only said."""
    lines = [line for line in text(DOCS / "hec.md").splitlines() if line.startswith("| ")]
    bare = [line for line in lines if not NAMED.search(line.rsplit("|", 2)[1])]
    assert [line.split(" |")[0] for line in bare] == ["| complaint", "| ---", "| behaviour", "| ---"]


def test_every_step_of_the_check_is_documented() -> None:
    """And no other is."""
    made = set()
    for name in ("command", "findings", "probe"):
        for call in calls(ast.parse(text(ROOT / "app" / "cli" / "check" / f"{name}.py"))):
            kind = ast.unparse(call.func)
            if kind in {"Finding", "report.faults"}:
                made |= set(strings(call.args[0]))
    assert {row.code[0][0] for row in rows("check.md", "## Steps")} == made


def test_every_option_of_the_check_is_documented() -> None:
    """By the name that is used; what is so by default needs no line."""
    said = {row.code[0][0].split()[0] for row in rows("check.md", "## Options")}
    usual = {"--send"}
    assert said == {name for each in check_command.params for name in (*each.opts, *each.secondary_opts)} - usual
