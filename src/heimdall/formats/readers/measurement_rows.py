"""The rows of a measurement file: one a line, or all in one JSON document, as programs and people lay it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from heimdall.formats.json_text import objects_in

_DOCUMENT_BYTES = 1 << 26
"""A document is held in memory whole; lines are not."""


def rows_of(name: str, lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Where each row stands, for people, and its JSON object; lines that are not JSON come as they are.

    A file whose first line is no JSON object by itself is one document, if that can be read: an array of rows, or rows that go
    over several lines.
    """
    numbered = ((f"{name} line {number}", line) for number, line in enumerate(_split(lines), start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    if _objects(first[1]) is not None and not first[1].lstrip().startswith(b"["):
        yield from chain([first], numbered)
        return
    held, total = [first], len(first[1])
    for row in numbered:
        held.append(row)
        total += len(row[1])
        if total > _DOCUMENT_BYTES:
            break
    found = _objects(b"\n".join(line for _, line in held)) if total <= _DOCUMENT_BYTES else None
    if found is None:
        yield from chain(held, numbered)
        return
    yield from ((f"{name} observation {number}", row.encode()) for number, row in enumerate(found, start=1))


def _split(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines may end in a carriage return alone, at which a file does not part them."""
    for line in lines:
        yield from line.splitlines()


def _objects(text: bytes) -> list[str] | None:
    """The objects of a JSON text that is nothing but objects; None for any other."""
    try:
        return objects_in(text.decode())
    except (ValueError, RecursionError):
        return None
