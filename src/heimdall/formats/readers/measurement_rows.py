"""The rows of a measurement file: one a line, all in one JSON document, or a table, as programs and people lay it out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from heimdall.errors import InputError
from heimdall.formats.json_text import objects_in
from heimdall.formats.readers.limits import Files, Limits
from heimdall.formats.readers.source import TABLE_SUFFIXES, plain_lines, plain_name
from heimdall.formats.readers.table_cells import MOST_ABOVE, MOST_BYTES, headings_of
from heimdall.formats.readers.table_columns import is_measured
from heimdall.formats.readers.tables import Row, table_rows
from heimdall.formats.readers.unread import MEASUREMENTS_KEY

_OPENINGS = (b"{", b"[", b"[{")
"""A first line that no line of a measurement file by itself is, however it was damaged."""
_EXPECTED = (
    "a row must name the columns, separated by commas, semicolons or tabs: id, frequency_hz, bandwidth_hz, receiver, "
    "latitude_deg, longitude_deg, height_m, toa_s, clock_sigma_s, rssi_dbm"
)


def rows_of(name: str, lines: Iterable[bytes]) -> Iterator[Row]:
    """The observations of a file as JSON; lines that are not JSON come as they are.

    A file in which one of the first lines names columns is a table. One whose first line is no JSON object by itself is one
    document, if that can be read: an array of rows, or rows that go over several lines. Raises InputError for a table that is
    none of measurements.
    """
    split = _split(lines)
    above = _down_to_headings(split)
    if above and headings_of(above[-1]) is not None:
        yield from table_rows(name, chain(above[-1:], split), len(above) - 1)
    elif plain_name(name).endswith(TABLE_SUFFIXES) and above and not _is_json(above[-1]):
        raise InputError(f"{name}: {_EXPECTED if any(each.strip() for each in above) else 'contains no measurement'}")
    else:
        yield from _json_rows(name, chain(above, split))


def measured_tables(files: Files, limits: Limits) -> list[str]:
    """Of the tables among files, which may list stations or anything else, those that say what receivers measured."""
    names = [name for name in sorted(files) if plain_name(name).endswith(TABLE_SUFFIXES)]
    return [name for name in names if _is_measured(name, files, limits)]


def _is_measured(name: str, files: Files, limits: Limits) -> bool:
    try:
        above = _down_to_headings(_split(plain_lines(name, io.BytesIO(files[name]), limits)))
    except InputError:
        return False
    headings = headings_of(above[-1]) if above else None
    return headings is not None and is_measured(headings)


def _down_to_headings(lines: Iterator[bytes]) -> list[bytes]:
    """The lines that a program may write above the columns' names, and these; the first lines of any other text."""
    found: list[bytes] = []
    for line in islice(lines, MOST_ABOVE):
        found.append(line)
        if _is_json(line) or headings_of(line) is not None:
            break
    return found


def _is_json(line: bytes) -> bool:
    return line.lstrip().startswith((b"{", b"["))


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
        _check_document(held)
        yield from chain(held, numbered)
        return
    yield from (Row(f"{name} observation {number}", row.encode()) for number, row in enumerate(found, start=1))


def _check_document(rows: Sequence[Row]) -> None:
    """Raises InputError with the place where JSON that goes over several lines cannot be read, where no line is a row."""
    if rows[0].text.strip() not in _OPENINGS or any(_is_row(each.text) for each in rows):
        return
    try:
        objects_in(b"\n".join(row.text for row in rows).decode())
    except json.JSONDecodeError as error:
        raise InputError(f"{rows[error.lineno - 1].where}: {error.msg}: the JSON document cannot be read") from error
    except (ValueError, RecursionError):
        return


def _is_row(line: bytes) -> bool:
    return MEASUREMENTS_KEY in line and _objects(line) is not None


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
