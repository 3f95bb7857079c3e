"""Named SQL statements out of a ``.sql`` file, so that SQL is read, checked and highlighted as SQL."""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import chain
from typing import Protocol, TypeVar

_NAME = re.compile(r"^-- name: (\w+)( \(rows\))?$", re.MULTILINE)
_PART = re.compile(r"\{(\w+)\}")
_ROW = re.compile(r"\((?:\?(?:, )?)+\)")

_T = TypeVar("_T")

ROWS_MAX = 64
"""Rows a statement. Each statement costs the writer the interpreter's lock twice, so a group is not cut finer."""


class Executor(Protocol):
    """A connection of SQLite, as far as it is used here."""

    def execute(self, sql: str, parameters: Sequence[object], /) -> object:
        """Run a statement."""
        ...


class Queries:
    """The statements of one file by name.

    A statement marked ``(rows)`` holds one row of placeholders, as ``VALUES (?, ?)``; ``rows`` repeats it. A name in
    braces stands for the text of that name.
    """

    def __init__(self, file: str) -> None:
        parts = _NAME.split(self.text(file))[1:]
        texts = {name: body.strip().rstrip(";") for name, body in zip(parts[::3], parts[2::3], strict=True)}
        self._one = {name: _PART.sub(lambda part: texts[part[1]], text) for name, text in texts.items()}
        self._many: dict[tuple[str, int], str] = {}

    @staticmethod
    def text(file: str) -> str:
        """A whole ``.sql`` file of this package."""
        text: str = files("app.spool").joinpath(file).read_bytes().decode()
        return text

    @property
    def names(self) -> list[str]:
        """The statements' names, in the file's order."""
        return list(self._one)

    def __getitem__(self, name: str) -> str:
        """The statement as written."""
        return self._one[name]

    def rows(self, name: str, count: int) -> str:
        """The statement with its row of placeholders repeated ``count`` times."""
        found = self._many.get((name, count))
        if found is None:
            found = _ROW.sub(lambda row: ", ".join([row[0]] * count), self._one[name])
            self._many[name, count] = found
        return found


def execute_rows(connection: Executor, queries: Queries, name: str, rows: Sequence[Sequence[object]]) -> None:
    """Run the ``(rows)`` statement ``name`` over all rows."""
    for part in pieces(rows):
        connection.execute(queries.rows(name, len(part)), list(chain.from_iterable(part)))


def pieces(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut into pieces of ``ROWS_MAX`` and what is left: few enough statement texts to keep all of them prepared."""
    for start in range(0, len(rows), ROWS_MAX):
        yield rows[start : start + ROWS_MAX]
