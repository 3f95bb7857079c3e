"""Finding rows of the table ``hooks`` page by page, without the tree that leads to them.

A page that is lost higher up in the tree hides all that lies below it, and nothing of that is damaged. A hook's number
is given once and its row never changes: wherever a row with a number that is wanted lies in the file, it is the hook.
The format is https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.1.
"""

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

_LEAF = 0x0D
_HEADER_BYTES = 8
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
"""By serial type."""
_REAL, _ZERO, _ONE, _BLOB, _TEXT = 7, 8, 9, 12, 13
_COLUMNS = 8
_VARINT_BYTES = 9

Value = int | float | str | bytes | None
HookColumns = tuple[int, str, str, str, float, str, bytes]
"""As the statement ``hooks`` of a copy gives them."""


def find_hooks(path: Path, seqs: Collection[int], *, page_bytes: int) -> Iterator[HookColumns]:
    """Those of these hooks that are found anywhere in the file, each once."""
    wanted = set(seqs)
    with path.open("rb") as file:
        number = 0
        while wanted and (page := file.read(page_bytes)):
            number += 1
            for start in _cells(page) if number > 1 and page[0] == _LEAF and len(page) == page_bytes else ():
                try:
                    hook = _hook(file, page, start, wanted)
                except (IndexError, ValueError, struct.error):  # what lies there is no row
                    continue
                finally:
                    file.seek(number * page_bytes)
                if hook is not None:
                    wanted.discard(hook[0])
                    yield hook


def _cells(page: bytes) -> Iterator[int]:
    count = int.from_bytes(page[3:5], "big")
    for place in range(_HEADER_BYTES, min(_HEADER_BYTES + 2 * count, len(page) - 1), 2):
        yield int.from_bytes(page[place : place + 2], "big")


def _hook(file: BinaryIO, page: bytes, start: int, wanted: Collection[int]) -> HookColumns | None:
    size, at = _varint(page, start)
    seq, at = _varint(page, at)
    if seq not in wanted:
        return None
    values = list(_values(_record(file, page, at, size)))
    if len(values) != _COLUMNS or values[0] is not None:
        return None
    _, delivery_id, tenant, installation, received_at, length, about, payload = values
    texts = delivery_id, tenant, installation, about
    if not all(isinstance(text, str) for text in texts) or not isinstance(payload, bytes) or len(payload) != length:
        return None
    return seq, delivery_id, tenant, installation, float(received_at or 0), about, payload  # type: ignore[return-value] # looked at above


def _record(file: BinaryIO, page: bytes, at: int, size: int) -> bytes:
    """The record that begins in this page, with what of it lies in overflow pages."""
    usable = len(page)  # no spool reserves bytes at a page's end
    local_max = usable - 35
    local = size
    if size > local_max:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= local_max else least
    parts, left = [page[at : at + local]], size - local
    following = int.from_bytes(page[at + local : at + local + 4], "big") if left else 0
    while left > 0:
        if not following:
            raise ValueError("it ends early")
        file.seek((following - 1) * usable)
        overflow = file.read(usable)
        following = int.from_bytes(overflow[:4], "big")
        parts.append(overflow[4 : 4 + left])
        left -= len(parts[-1])
        if not parts[-1]:
            raise ValueError("it ends early")
    return b"".join(parts)


def _values(record: bytes) -> Iterator[Value]:
    end, at = _varint(record, 0)
    body = end
    while at < end:
        kind, at = _varint(record, at)
        length = _length(kind)
        value = record[body : body + length]
        if len(value) != length:
            raise ValueError("it ends early")
        body += length
        yield _value(kind, value)


def _length(kind: int) -> int:
    if kind < len(_INTEGER_BYTES):
        return _INTEGER_BYTES[kind]
    if kind == _REAL:
        return 8
    return (kind - _BLOB) // 2 if kind >= _BLOB else 0


def _value(kind: int, value: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (_ZERO, _ONE):
        return kind - _ZERO
    if kind == _REAL:
        (number,) = struct.unpack(">d", value)
        return float(number)
    if kind < _BLOB:
        return int.from_bytes(value, "big", signed=True)
    return value.decode("utf-8", "replace") if kind % 2 else value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where what follows begins."""
    number = 0
    for place in range(_VARINT_BYTES):
        byte = data[at + place]
        if place == _VARINT_BYTES - 1:
            return number << 8 | byte, at + _VARINT_BYTES
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            return number, at + place + 1
    raise AssertionError
