"""The hint that goes with a key that the file cannot have."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from app.tenants.file.faults import Where


def unknown_key(root: type[BaseModel], where: Where) -> str:
    """Words for the key at the end of ``where``: the nearest right one, or all that could stand there."""
    kind: Any = root
    for step in where[:-1]:
        kind = _below(kind, step)
    known = list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
    key = str(where[-1])
    # Splunk's own words come first to mind: token, source.
    near = [each for each in known if each.endswith(f"_{key}")]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"is not a key here; the nearest one is {near[0]}"
    return f"is not a key here; the keys are {', '.join(known)}"


def _below(kind: Any, step: str | int) -> Any:  # noqa: ANN401 — annotations are values of any type
    """The annotation of what stands at ``step`` of something annotated ``kind``."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _plain(kind.model_fields[str(step)].annotation)
    return _plain(get_args(kind)[1 if get_origin(kind) is dict else 0])


def _plain(kind: Any) -> Any:  # noqa: ANN401 — as above
    """The annotation without ``| None`` and ``Annotated``."""
    found = next(_members(kind))
    return found if found is kind else _plain(found)


def _members(kind: Any) -> Iterator[Any]:  # noqa: ANN401 — as above
    """The parts of a wrapper, or the kind itself."""
    wrapped = get_origin(kind) not in {None, dict, tuple}
    yield from (each for each in get_args(kind) if each is not type(None)) if wrapped else (kind,)
