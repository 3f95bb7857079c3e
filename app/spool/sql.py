"""Named SQL statements out of a ``.sql`` file, so that SQL is read, checked and highlighted as SQL."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)( \(rows\))?$", re.MULTILINE)
_PART = re.compile(r"\{(\w+)\}")
_ROW = re.compile(r"\((?:\?(?:, )?)+\)")


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
