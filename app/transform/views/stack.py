"""Exceptions and their frames.

Sentry writes frames oldest first and exceptions innermost first: the *last* exception is the one that was
thrown last, the last frame where it was exception. People look for exactly these, so here both come first.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.sentry.event import Event, ExceptionInfo, Frame, Stack
from app.transform.values import first, put, text

_IN_APP = " (in app)"
EXCEPTIONS_MAX = 10
FRAMES_MAX = 20
_NAME_CHARS_MAX = 200
_QUALIFIED = (".java", ".kt", ".scala", ".groovy", ".clj")
"""Files whose name says little without the class: the function is written with its module."""


def exceptions(event: Event) -> list[ExceptionInfo]:
    """The chain, outermost first."""
    found = event.exception
    return found.values[::-1] if found is not None and found.values else []


def place(frame: Frame) -> str | None:
    """``file:line in function``, as far as the frame tells."""
    file = first(frame.filename, frame.abs_path, frame.absPath, frame.module, frame.package)
    function = first(frame.function, frame.raw_function, frame.rawFunction)
    line = first(frame.lineno, frame.lineNo, chars_max=12)
    if file is None:
        return function or first(frame.instruction_addr, frame.instructionAddr)
    module = text(frame.module)
    if function and module and file.endswith(_QUALIFIED):
        function = f"{module}.{function}"
    where = f"{file}:{line}" if line else file
    return f"{where} in {function}" if function else where


def in_app(frame: Frame) -> bool:
    """Whether Sentry takes the frame for the application's own code."""
    said = frame.in_app
    return said is True or (said is None and frame.inApp is True)


def where(event: Event, chain: list[ExceptionInfo]) -> tuple[str, bool] | None:
    """The frame that matters and whether it is the application's own: the newest that is, outermost exception first.

    Where no frame is the application's own, the newest frame there is.
    """
    stacks = [_frames(exception.stacktrace) for exception in chain]
    if (own := _newest_own(stacks)) is not None:
        return own, True
    loose = list(_loose_stacks(event, guess=not any(stacks)))
    if (own := _newest_own(loose)) is not None:
        return own, True
    newest = next((found for stack in (*stacks, *loose) if stack and (found := place(stack[-1]))), None)
    return (newest, False) if newest else None


def summaries(chain: list[ExceptionInfo]) -> list[dict[str, object]]:
    """The first ``EXCEPTIONS_MAX`` exceptions, outermost first, each with its newest ``FRAMES_MAX`` frames."""
    return [_summary(exception) for exception in chain[:EXCEPTIONS_MAX]]


def loose_frames(event: Event) -> list[str]:
    """The frames of an event without an exception (a message with a stack, a crashed thread), in brief."""
    for stack in _loose_stacks(event):
        if stack:
            return brief_frames(stack)
    return []


def brief_frames(stack: Sequence[Frame]) -> list[str]:
    """The newest frames, one text each, newest first; the application's own are marked."""
    shown: list[str] = []
    for frame in stack[: -FRAMES_MAX - 1 : -1]:
        file: Any = frame.filename
        function: Any = frame.function
        line, own = frame.lineno, frame.in_app
        try:
            # The way of nearly every frame, as ``place`` goes it in more steps; there are many. What is at least "!" is
            # text, and neither empty nor blank; what is no text raises.
            if (
                file >= "!" <= function
                and type(line) is int
                and len(file) + len(function) <= _NAME_CHARS_MAX
                and not file.endswith(_QUALIFIED)
                and (own is True or own is False)
            ):
                shown.append(f"{file}:{line} in {function}{_IN_APP}" if own else f"{file}:{line} in {function}")
                continue
        except TypeError:
            pass
        if (found := place(frame)) is not None:
            shown.append(f"{found}{_IN_APP}" if in_app(frame) else found)
    return shown


def _summary(exception: ExceptionInfo) -> dict[str, object]:
    brief: dict[str, object] = {}
    if (kind := exception.type) is not None:
        put(brief, "type", kind)
    put(brief, "value", exception.value, 1000)
    if (module := exception.module) is not None:
        put(brief, "module", module)
    mechanism = exception.mechanism
    if mechanism is not None:
        put(brief, "mechanism", mechanism.type)
        if isinstance(mechanism.handled, bool):
            brief["handled"] = mechanism.handled
    stack = _frames(exception.stacktrace)
    if shown := brief_frames(stack):
        brief["frames"] = shown
    if len(stack) > FRAMES_MAX:
        brief["frames_omitted"] = len(stack) - FRAMES_MAX
    return brief


def _frames(stack: Stack | None) -> Sequence[Frame]:
    return stack.frames or () if stack is not None else ()


def _newest_own(stacks: Iterable[Sequence[Frame]]) -> str | None:
    for stack in stacks:
        for frame in reversed(stack):
            if frame.in_app is not False and in_app(frame) and (found := brief_frames((frame,))):
                return found[0][: -len(_IN_APP)]
    return None


def _loose_stacks(event: Event, *, guess: bool = True) -> Iterator[Sequence[Frame]]:
    """The event's own stack, then those of threads that crashed, then of those that ran when it happened.

    ``guess``: where none of these has a frame, that of the one thread that has.
    """
    own = _frames(event.stacktrace)
    yield own
    threads = event.threads.values or () if event.threads is not None else ()
    framed = [thread for thread in threads if _frames(thread.stacktrace)]
    marked = [thread for thread in framed if thread.crashed is True]
    marked += [thread for thread in framed if thread.current is True and thread.crashed is not True]
    if guess and not marked and not own:
        marked = framed if len(framed) == 1 else []
    for thread in marked:
        yield _frames(thread.stacktrace)
