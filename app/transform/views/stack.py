"""Exceptions and their frames.

Sentry writes frames oldest first and exceptions innermost first: the *last* exception is the one that was thrown last,
the last frame where it was thrown. People look for exactly these, so here both come first.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.sentry.event import EXCEPTIONS_MAX, FRAMES_MAX, THREADS_MAX, Event, ExceptionInfo, Frame, Metadata, Stack
from app.transform.values import CUT, first, put, text

_IN_APP = " (in app)"
EXCEPTIONS_SHOWN_MAX = 10
FRAMES_SHOWN_MAX = 20
_NAME_CHARS_MAX = 200
_ADDRESS_CHARS_MAX = 20
_QUALIFIED = (".java", ".kt", ".scala", ".groovy", ".clj")
"""Files whose name says little without the class: the function is written with its module."""


def exceptions(event: Event) -> list[ExceptionInfo]:
    """The chain, outermost first: at most ``EXCEPTIONS_MAX`` of it."""
    found = event.exception
    return found.values[: -EXCEPTIONS_MAX - 1 : -1] if found is not None and found.values else []


def main_exception(event: Event, chain: list[ExceptionInfo]) -> ExceptionInfo:
    """The exception that gives the event its title: the one Sentry says, else the one in its metadata, else the last.

    Sentry titles a group by the exception that ``main_exception_id`` names (its ``mechanism.exception_id``); versions
    without that key still write its type and value into ``metadata``, where an ``issue`` hook has them from.
    """
    if len(chain) < 2:  # noqa: PLR2004 - nearly every chain
        return chain[0]
    wanted = event.main_exception_id
    if isinstance(wanted, int):
        for exception in chain:
            if exception.mechanism is not None and exception.mechanism.exception_id == wanted:
                return exception
    metadata = event.metadata
    if metadata is None or metadata.type is None or (chain[0].type == metadata.type and chain[1].type != metadata.type):
        return chain[0]
    named = [exception for exception in chain if exception.type == metadata.type]
    return next((one for one in named if _begins_alike(one, metadata)), named[0] if named else chain[0])


def _begins_alike(exception: ExceptionInfo, metadata: Metadata) -> bool:
    """Whether the metadata, whose texts Sentry cuts, may be this exception's."""
    value, said = exception.value, metadata.value
    return isinstance(value, str) and isinstance(said, str) and value.startswith(said.removesuffix("...").rstrip(CUT))


def place(frame: Frame) -> str | None:
    """``file:line in function``, as far as the frame tells.

    With the column where the line says nothing (a bundle has one) or no function is known; ``package+0xoffset``, the
    address within its image, where there is no file.
    """
    file = first(frame.filename, frame.abs_path, frame.module)
    function = first(frame.function, frame.raw_function)
    if file is None:
        return _native_place(frame, function)
    line = text(frame.lineno, 12)
    module = text(frame.module)
    where = f"{file}:{line}" if line else file
    if line and (function is None or line in ("0", "1")) and (column := text(frame.colno, 12)):
        where = f"{where}:{column}"
    if function and module and file.endswith(_QUALIFIED):
        function = f"{module}.{function}"
    return f"{where} in {function}" if function else where


def _native_place(frame: Frame, function: str | None) -> str | None:
    """``package+0xoffset`` without a symbol, ``package in function`` with one, an address alone if that is all."""
    package = text(frame.package)
    if function:
        return f"{package} in {function}" if package else function
    address = text(frame.instruction_addr, 40)
    at, image = _number(address), _number(text(frame.image_addr, 40))
    relative = text(frame.addr_mode) not in (None, "abs")
    if at is not None and (relative or (image is not None and at >= image)):
        return f"{package or ''}+{at - (0 if relative else image or 0):#x}"
    return f"{package} at {address}" if package and address else package or address


def _number(address: str | None) -> int | None:
    """An address as Sentry writes them: hexadecimal text behind ``0x``, or a decimal number."""
    if address is None or len(address) > _ADDRESS_CHARS_MAX or not address.isascii():
        return None
    try:
        return int(address, 16 if address[:2] in ("0x", "0X") else 10)
    except ValueError:
        return None


def where(event: Event, chain: list[ExceptionInfo]) -> tuple[str, bool] | None:
    """The frame that matters and whether it is the application's own: the newest such, of the first exception with one.

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
    """The first ``EXCEPTIONS_SHOWN_MAX`` exceptions, outermost first, each with its newest frames."""
    return [_summary(exception) for exception in chain[:EXCEPTIONS_SHOWN_MAX]]


def loose_frames(event: Event) -> list[str]:
    """The frames of an event without an exception (a message with a stack, a crashed thread), in brief."""
    for stack in _loose_stacks(event):
        if stack:
            return brief_frames(stack)
    return []


def brief_frames(stack: Sequence[Frame]) -> list[str]:
    """The newest frames, one text each, newest first; the application's own are marked."""
    shown: list[str] = []
    for frame in stack[: -FRAMES_SHOWN_MAX - 1 : -1]:
        file: Any = frame.filename
        function: Any = frame.function
        line: Any = frame.lineno
        own = frame.in_app
        try:
            # The way of nearly every frame, as ``place`` goes it in more steps; there are many. What is at least "!" is
            # text, and neither empty nor blank; what is no text, or no number, raises.
            if (
                file >= "!" <= function
                and line > 1
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
            shown.append(f"{found}{_IN_APP}" if own is True else found)
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
    if (stack := exception.stacktrace) is not None and (frames := stack.frames):
        if shown := brief_frames(frames):
            brief["frames"] = shown
        if len(frames) > FRAMES_SHOWN_MAX:
            brief["frames_omitted"] = len(frames) + stack.omitted - FRAMES_SHOWN_MAX
    return brief


def _frames(stack: Stack | None) -> Sequence[Frame]:
    return (stack.frames or ())[-FRAMES_MAX:] if stack is not None else ()


def _newest_own(stacks: Iterable[Sequence[Frame]]) -> str | None:
    for stack in stacks:
        for frame in reversed(stack):
            if frame.in_app is True and (found := brief_frames((frame,))):
                return found[0][: -len(_IN_APP)]
    return None


def _loose_stacks(event: Event, *, guess: bool = True) -> Iterator[Sequence[Frame]]:
    """The event's own stack, then those of threads that crashed, then of those that ran when it happened.

    ``guess``: where none of these has a frame, that of the one thread that has.
    """
    own = _frames(event.stacktrace)
    yield own
    threads = (event.threads.values or ())[:THREADS_MAX] if event.threads is not None else ()
    framed = [thread for thread in threads if _frames(thread.stacktrace)]
    marked = [thread for thread in framed if thread.crashed is True]
    marked += [thread for thread in framed if thread.current is True and thread.crashed is not True]
    if guess and not marked and not own:
        marked = framed if len(framed) == 1 else []
    for thread in marked:
        yield _frames(thread.stacktrace)
