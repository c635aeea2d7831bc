"""The chunks of a RIFF file, as recorders write them: whole, cut off, or with sizes that nobody filled in."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = 12
_LONG = (b"RF64", b"BW64")
"""For more than 4 GiB: sizes of 64 bits stand in a chunk of their own (EBU Tech 3306, ITU-R BS.2088)."""
_DS64 = struct.Struct("<QQQI")
"""Sizes of the file and of the data, samples, rows of a table for further chunks."""
_DS64_ROW = struct.Struct("<4sQ")
_IN_DS64 = 0xFFFFFFFF
_UNFILLED = 0x7FFFFF00
"""A size from here on was put there before the recording began: no recorder that stamps or splits writes 2 GiB."""
_LONG_UNFILLED = 1 << 63
"""The same of a size of 64 bits."""


def is_wave(content: bytes) -> bool:
    return content[:4] in (b"RIFF", *_LONG) and content[8:12] == b"WAVE"


def riff_chunks(content: bytes, *, partial: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Complete chunks in their order; chunks of odd length are padded.

    With `partial`, what is there of a last chunk that ends early, or whose size is 0 in a file that goes on, comes too.
    """
    for name, start, size in _chunk_heads(content):
        whole = start + size <= len(content)
        if partial and name == b"data" and (size == 0 or not whole):
            yield name, content[start:]
            return
        if not whole:
            return
        yield name, content[start : start + size]


def _chunk_heads(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk, where its body begins, and the size that is stated of it."""
    place = _HEADER
    long_sizes = _long_sizes(content)
    while place + 8 <= len(content):
        name, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        if size == _IN_DS64:
            size = long_sizes.get(name, size)
        yield name, place + 8, size
        place += 8 + size + size % 2


def _long_sizes(content: bytes) -> dict[bytes, int]:
    """Sizes in 64 bits by chunk, from the `ds64` chunk that stands first in RF64 and BW64."""
    if content[:4] not in _LONG or content[_HEADER : _HEADER + 4] != b"ds64":
        return {}
    size = int.from_bytes(content[_HEADER + 4 : _HEADER + 8], "little")
    body = content[_HEADER + 8 : _HEADER + 8 + size]
    if len(body) < _DS64.size:
        return {}
    _, data_size, _, rows = _DS64.unpack_from(body)
    whole_rows = min(rows, (len(body) - _DS64.size) // _DS64_ROW.size)
    table = _DS64_ROW.iter_unpack(body[_DS64.size : _DS64.size + whole_rows * _DS64_ROW.size])
    return {**dict(table), b"data": data_size}


def missing_bytes(content: bytes) -> int:
    """How much of the file is not there by its own header; 0 where the header's size was never filled in."""
    size = int.from_bytes(content[4:8], "little")
    return 0 if size >= _UNFILLED else max(0, 8 + size - len(content))


def missing_data_bytes(content: bytes) -> int:
    """How much of its last chunk of data is not there by that chunk's size; 0 where the size was never filled in."""
    ends = [(start + size, size) for name, start, size in _chunk_heads(content) if name == b"data"]
    if not ends:
        return 0
    end, size = ends[-1]
    unfilled = _LONG_UNFILLED if content[:4] in _LONG and size != _IN_DS64 else _UNFILLED
    return 0 if size >= unfilled else max(0, end - len(content))
