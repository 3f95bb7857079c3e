"""Exceptions and their frames, from Sentry's normalised event and from its REST shape alike.

Sentry writes frames oldest first and exceptions innermost first: the *last* exception is the one that was
thrown last, the last frame where it was thrown. People look for exactly these, so here both come first.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from app.transform.values import Obj, first, items, obj, objects, put, take, text

EXCEPTIONS_MAX = 10
FRAMES_MAX = 20
_NAME_CHARS_MAX = 200
_EXCEPTION = (("type", "type", 200), ("value", "value", 1000), ("module", "module", 200))
_PLAIN: Any = itemgetter("filename", "function", "lineno")
_QUALIFIED = (".java", ".kt", ".scala", ".groovy", ".clj")
"""Files whose name says little without the class: the function is written with its module."""


def exceptions(event: Obj) -> list[Obj]:
    """The chain, outermost first."""
    found = event.get("exception", event.get("sentry.interfaces.Exception"))
    chain = objects(obj(found).get("values")) or objects(found)
    return chain[::-1]


def frames(holder: Obj) -> Sequence[object]:
    """The frames of an exception, a thread or an event, as Sentry has them: oldest first."""
    stack = holder.get("stacktrace")
    return items(stack.get("frames")) if isinstance(stack, dict) else ()


def place(frame: object) -> str | None:
    """``file:line in function``, as far as the frame tells."""
    try:
        file, function, line = _PLAIN(frame)  # one step for three, where all are there
        # The way of nearly every frame; there are many. What is at least "!" is text, and neither empty nor blank.
        if (
            file >= "!" <= function
            and len(file) + len(function) <= _NAME_CHARS_MAX
            and type(line) is int
            and not file.endswith(_QUALIFIED)
        ):
            return f"{file}:{line} in {function}"
    except (KeyError, TypeError):
        pass
    return _odd_place(frame) if isinstance(frame, dict) else None


def _odd_place(this: Obj) -> str | None:
    file = first(
        this.get("filename"), this.get("abs_path"), this.get("absPath"), this.get("module"), this.get("package")
    )
    function = first(this.get("function"), this.get("raw_function"), this.get("rawFunction"))
    line = first(this.get("lineno"), this.get("lineNo"), chars_max=12)
    if file is None:
        return function or first(this.get("instruction_addr"), this.get("instructionAddr"))
    module = text(this.get("module"))
    if function and module and file.endswith(_QUALIFIED):
        function = f"{module}.{function}"
    where = f"{file}:{line}" if line else file
    return f"{where} in {function}" if function else where


def in_app(frame: object) -> bool:
    """Whether Sentry takes the frame for the application's own code."""
    if not isinstance(frame, dict):
        return False
    said = frame.get("in_app")
    return said is True or (said is None and frame.get("inApp") is True)


def where(event: Obj, chain: list[Obj]) -> tuple[str, bool] | None:
    """The frame that matters and whether it is the application's own: the newest that is, outermost exception first.

    Where no frame is the application's own, the newest frame there is.
    """
    fallback: str | None = None
    for stack in _stacks(event, chain):
        for frame in reversed(stack):
            if in_app(frame) and (found := place(frame)):
                return found, True
        if fallback is None and stack:
            fallback = place(stack[-1])
    return (fallback, False) if fallback else None


def in_brief(chain: list[Obj]) -> list[dict[str, object]]:
    """The exception chain in brief, outermost first, frames newest first."""
    return [_in_brief(each) for each in chain[:EXCEPTIONS_MAX]]


def loose_frames(event: Obj) -> list[str]:
    """The frames of an event without an exception (a message with a stack, a crashed thread), in brief."""
    for stack in _loose_stacks(event):
        if stack:
            return brief_frames(stack)
    return []


def brief_frames(stack: Sequence[object]) -> list[str]:
    """The newest frames, one text each, newest first; the application's own are marked."""
    shown: list[str] = []
    for frame in stack[: -FRAMES_MAX - 1 : -1]:
        if (found := place(frame)) is None:
            continue
        shown.append(f"{found} (in app)" if in_app(frame) else found)
    return shown


def _in_brief(exception: Obj) -> dict[str, object]:
    brief: dict[str, object] = {}
    take(brief, exception, _EXCEPTION)
    mechanism = exception.get("mechanism")
    if isinstance(mechanism, dict):
        put(brief, "mechanism", mechanism.get("type"))
        if isinstance(handled := mechanism.get("handled"), bool):
            brief["handled"] = handled
    stack = frames(exception)
    if shown := brief_frames(stack):
        brief["frames"] = shown
    if len(stack) > FRAMES_MAX:
        brief["frames_omitted"] = len(stack) - FRAMES_MAX
    return brief


def _stacks(event: Obj, chain: list[Obj]) -> Iterator[Sequence[object]]:
    for exception in chain:
        yield frames(exception)
    yield from _loose_stacks(event)


def _loose_stacks(event: Obj) -> Iterator[Sequence[object]]:
    yield frames(event)
    found = event.get("threads")
    threads = objects(obj(found).get("values")) or objects(found)
    for word in ("crashed", "current"):
        for thread in threads:
            if thread.get(word) is True:
                yield frames(thread)
