"""The conformance tests of the stand-in Splunk say how each case is known."""

import ast
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[1] / "journey").glob("test_stand_in_splunk_*.py"))
LABELS = ("[measured]", "[spec]", "[docs]", "[inferred]", "[stand-in]")
BY_TABLE = ("Each case of the table, by its own label.", "The label says")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_conformance_test_is_labelled(file: Path) -> None:
    """Measured on a real Splunk, Splunk's spec files or docs (or an RFC), inferred, or the stand-in's own."""
    tests = [
        node
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    unlabelled = [test.name for test in tests if not (ast.get_docstring(test) or "").startswith((*LABELS, *BY_TABLE))]

    assert tests
    assert unlabelled == []
