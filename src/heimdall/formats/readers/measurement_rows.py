"""The rows of a measurement file: one a line, all in one JSON document, or a table, as programs and people lay it out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from heimdall.errors import InputError
from heimdall.formats.json_text import objects_in
from heimdall.formats.readers.limits import Files, Limits
from heimdall.formats.readers.source import TABLE_SUFFIXES, plain_lines, plain_name
from heimdall.formats.readers.table_columns import is_measured
from heimdall.formats.readers.tables import MOST_ABOVE, MOST_BYTES, Row, headings_of, is_comment, table_rows

_EXPECTED = "its first row must name the columns, such as id, frequency_hz, bandwidth_hz, receiver, latitude_deg"


def rows_of(name: str, lines: Iterable[bytes]) -> Iterator[Row]:
    """The observations of a file as JSON; lines that are not JSON come as they are.

    A file whose first line names columns is a table. One whose first line is no JSON object by itself is one document, if that
    can be read: an array of rows, or rows that go over several lines. Raises InputError for a table that is none of
    measurements.
    """
    split = _split(lines)
    above, first = _above(split)
    if headings_of(first) is not None:
        yield from table_rows(name, chain([first], split), len(above))
    elif plain_name(name).endswith(TABLE_SUFFIXES) and not first.lstrip().startswith((b"{", b"[")):
        raise InputError(f"{name}: {_EXPECTED}" if first else f"{name}: contains no measurement")
    else:
        yield from _json_rows(name, chain(above, filter(None, [first]), split))


def measured_tables(files: Files, limits: Limits) -> list[str]:
    """Of the tables among files, which may list stations or anything else, those that say what receivers measured."""
    names = [name for name in sorted(files) if plain_name(name).endswith(TABLE_SUFFIXES)]
    return [name for name in names if _is_measured(name, files, limits)]


def _is_measured(name: str, files: Files, limits: Limits) -> bool:
    try:
        _, first = _above(_split(plain_lines(name, io.BytesIO(files[name]), limits)))
    except InputError:
        return False
    headings = headings_of(first)
    return headings is not None and is_measured(headings)


def _above(lines: Iterator[bytes]) -> tuple[list[bytes], bytes]:
    """The first line that is neither blank nor a comment, or that names columns, and those above it."""
    above: list[bytes] = []
    for line in islice(lines, MOST_ABOVE):
        if line.strip() and (headings_of(line) is not None or not is_comment(line)):
            return above, line
        above.append(line)
    return above, b""


def _json_rows(name: str, lines: Iterable[bytes]) -> Iterator[Row]:
    numbered = (Row(f"{name} line {number}", line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    if _objects(first.text) is not None and not first.text.lstrip().startswith(b"["):
        yield from chain([first], numbered)
        return
    held, total = [first], len(first.text)
    for row in numbered:
        held.append(row)
        total += len(row.text)
        if total > MOST_BYTES:
            break
    found = _objects(b"\n".join(row.text for row in held)) if total <= MOST_BYTES else None
    if found is None:
        yield from chain(held, numbered)
        return
    yield from (Row(f"{name} observation {number}", row.encode()) for number, row in enumerate(found, start=1))


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
