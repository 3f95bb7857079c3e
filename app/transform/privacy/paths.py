"""Leaves out what stands at a tenant's ``drop_paths``. Pure."""

from collections.abc import Mapping, Sequence

from app.globs import glob

Path = tuple[str, ...]

ANY_DEPTH = "**"
_ANY_ENTRY = "*"


def without(value: object, paths: Sequence[Path]) -> object:
    """A copy without what the paths name.

    A step is a key, in any case, or a glob of keys; ``**`` is any number of steps. A key that holds dots is as many
    steps as it has parts (``tags.user.name``). Lists are stepped through, with a ``*`` for the entry or without.
    """
    if isinstance(value, list):
        inner = [*paths, *(path[1:] for path in paths if path[0] == _ANY_ENTRY and len(path) > 1)]
        return [without(item, inner) for item in value]
    if not isinstance(value, dict):
        return value
    return kept_of(value, paths)


def kept_of(section: Mapping[str, object], paths: Sequence[Path]) -> dict[str, object]:
    """An object without what the paths name."""
    kept: dict[str, object] = {}
    for key, value in section.items():
        rest = _beyond(key, paths)
        if rest is not None:
            kept[key] = without(value, rest) if rest else value
    return kept


def _beyond(key: str, paths: Sequence[Path]) -> list[Path] | None:
    """What is left of the paths behind a key; ``None``: one of them ends here."""
    rest: list[Path] = []
    for path in paths:
        if path[0] == ANY_DEPTH:
            rest.append(path)
            if len(path) == 1:
                return None
            deeper = _beyond(key, [path[1:]])
            if deeper is None:
                return None
            rest += deeper
            continue
        for steps in range(1, len(path) + 1):
            if not glob(".".join(path[:steps])).matches(key):
                continue
            if steps == len(path):
                return None
            rest.append(path[steps:])
    return rest
