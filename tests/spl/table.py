"""Results on their way from command to command, with the fields that may be named from here on."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.spl.faults import Fault
from tests.spl.values import Row


@dataclass(frozen=True)
class Names:
    """The fields that a search may name: exactly, or as a key of an object whose keys come from the payload."""

    exact: frozenset[str]
    objects: tuple[str, ...] = ()
    indexed: frozenset[str] = frozenset()
    """Those that ``tstats`` and ``field::value`` know."""

    def has(self, name: str) -> bool:
        """Whether there is such a field, or a pattern that stands for some."""
        return "*" in name or name in self.exact or name.startswith(self.objects)

    def plus(self, names: Iterable[str]) -> "Names":
        """With fields that a command made."""
        return replace(self, exact=self.exact | frozenset(names))


@dataclass(frozen=True)
class Table:
    """Rows, their columns where a command laid them down, and the names."""

    rows: list[Row]
    names: Names
    columns: tuple[str, ...] = ()
    any_name: bool = field(default=False)
    """Columns are named by values (``timechart … by``), so a name cannot be checked."""

    def need(self, fields: Iterable[str], where: str) -> None:
        """Fault where a field is named that neither the events have nor a command made."""
        missing = sorted(name for name in fields if not self.any_name and not self.names.has(name))
        if missing:
            raise Fault(f"{where}: neither in the events nor made before: {', '.join(missing)}")

    def of(self, rows: list[Row]) -> "Table":
        """The same table with other rows."""
        return replace(self, rows=rows)

    def made(self, rows: list[Row], columns: Iterable[str]) -> "Table":
        """What a transforming command leaves: these columns and nothing else."""
        found = tuple(columns)
        return Table(rows, replace(self.names, exact=frozenset(found), objects=()), found)

    def shown(self) -> list[str]:
        """The columns as a person sees them: laid down, else in the order of their first row."""
        seen = dict.fromkeys(name for row in self.rows for name in row if not name.startswith("_") or name == "_time")
        return list(self.columns or seen)
