"""The rows of a measurement file: one a line, or all in one JSON document, as programs and people lay it out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any

_NO_SPACE = re.compile(r"\S")
_DOCUMENT_BYTES = 1 << 26
"""A document is held in memory whole; lines are not."""


def line_of(row: Mapping[str, Any]) -> bytes:
    """The line of a file for a row whose numbers were read as `Decimal`: arrival times keep all their digits."""
    return json.dumps(row, default=str).encode() + b"\n"


def rows_of(name: str, lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Where each row stands, for people, and its JSON object; lines that are not JSON come as they are.

    A file whose first line is no JSON object by itself is one document, if that can be read: an array of rows, or rows that go
    over several lines.
    """
    numbered = ((f"{name} line {number}", line) for number, line in enumerate(lines, start=1) if line.strip())
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
    yield from ((f"{name} observation {number}", line_of(row)) for number, row in enumerate(found, start=1))


def _objects(text: bytes) -> list[dict[str, Any]] | None:
    """The objects of a JSON text that is nothing but objects, one after the other or in an array; None for any other."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    found: list[Any] = []
    try:
        document, end = text.decode(), 0
        while begins := _NO_SPACE.search(document, end):
            value, end = decoder.raw_decode(document, begins.start())
            found += value if isinstance(value, list) else [value]
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(each, dict) for each in found) else None
