"""The chunks of a RIFF file, as recorders write them: whole, cut off, or with sizes that nobody filled in."""

from __future__ import annotations

from collections.abc import Iterator

_HEADER = 12
_UNFILLED = 0x7FFFFF00
"""A size from here on was put there before the recording began: no recorder that stamps or splits writes 2 GiB."""


def riff_chunks(content: bytes, *, partial: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Complete chunks in their order; chunks of odd length are padded.

    With `partial`, what is there of a last chunk that ends early, or whose size is 0 in a file that goes on, comes too.
    """
    place = _HEADER
    while place + 8 <= len(content):
        name, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        whole = place + 8 + size <= len(content)
        if partial and name == b"data" and (size == 0 or not whole):
            yield name, content[place + 8 :]
            return
        if not whole:
            return
        yield name, content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def missing_bytes(content: bytes) -> int:
    """How much of the file is not there by its own header; 0 where the header's size was never filled in."""
    size = int.from_bytes(content[4:8], "little")
    return 0 if size >= _UNFILLED else max(0, 8 + size - len(content))
