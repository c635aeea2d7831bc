"""The cells of a table of measurements, as spreadsheets and programs lay them out; each is still the text that was written."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.coordinates import decoded
from heimdall.formats.readers.table_columns import WORDS, keys_of, names_columns

MOST_BYTES = 1 << 26
"""A table is held in memory whole, since the rows of a transmission may be anywhere in it."""
MOST_ABOVE = 20
"""Lines that a program may write above the headings."""
_SEPARATORS = ",;\t"
_COMMENT = "#"
_MARKS = "#%/ "
"""Behind which programs for numbers write headings."""


class Record(NamedTuple):
    number: int
    """Of the row, as a spreadsheet counts them."""
    cells: tuple[str, ...]
    flaw: str | None = None
    """Why they cannot be told apart."""


class Table(NamedTuple):
    name: str
    headings: Sequence[str]
    keys: Sequence[str]
    """Of the columns; empty for one without a name."""
    groups_by: str | None = None
    """The column that says which rows are one transmission."""

    def value(self, record: Record, key: str) -> str:
        return record.cells[self.keys.index(key)]


def headings_of(line: bytes) -> list[str] | None:
    """The names of the columns, where a line holds nothing else; None for any other line."""
    text = decoded(line).lstrip(_MARKS)
    if text.startswith(("{", "[")):
        return None
    found = _cells(text, _separator(text))
    return found if names_columns(found) else None


def read_table(name: str, lines: Iterable[bytes], before: int) -> tuple[Table, Sequence[Record]]:
    """A table whose first line has the headings, and its rows; `before` is how many lines stand above it.

    Raises InputError for headings that do not say what a table of measurements does, and TooLargeError.
    """
    first, *others = decoded(_joined(name, lines)).split("\n")
    headings = headings_of(first.encode()) or []
    try:
        table = Table(name, headings, keys_of(headings))
        records = list(_records(others, _separator(first), len(headings), before + 2))
        _check_unnamed(table, records)
    except (InputError, csv.Error) as error:
        raise InputError(f"{name}: {error}") from error
    return table, _with_points(table, records)


def _joined(name: str, lines: Iterable[bytes]) -> bytes:
    held, total = [], 0
    for line in lines:
        held.append(line)
        total += len(line) + 1
        if total > MOST_BYTES:
            raise TooLargeError(f"{name}: a table may have {MOST_BYTES >> 20} MiB; split it into several files")
    return b"\n".join(held)


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [each.strip() for each in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _records(lines: Sequence[str], separator: str, count: int, number: int) -> Iterator[Record]:
    """Rows that hold anything."""
    plain = ("" if _is_remark(line, separator, count, at) else line for at, line in enumerate(lines, start=number))
    for at, cells in enumerate(csv.reader(plain, delimiter=separator, skipinitialspace=True), start=number):
        # The same texts are in many rows.
        found = [sys.intern(each.strip()) for each in cells]
        if not any(found):
            continue
        flaw = None if len(found) == count else _miscounted(at, len(found), count, separator)
        yield Record(at, tuple([*found, *[""] * count][:count]), flaw)


def _miscounted(number: int, cells: int, count: int, separator: str) -> str:
    commas = "; decimal commas need semicolons between the columns" if separator == "," and cells > count else ""
    return f"row {number} has {cells} cells, and there are {count} columns{commas}"


def _check_unnamed(table: Table, records: Sequence[Record]) -> None:
    """Columns without a name are nothing as long as nothing is in them, or the rows are counted there."""
    for index in (index for index, key in enumerate(table.keys) if not key):
        cells = [record.cells[index] for record in records]
        counted = any(cells == [str(at) for at in range(first, first + len(cells))] for first in (0, 1))
        if any(cells) and not counted:
            raise InputError(f"column {index + 1} has no name: name it or delete it")


def _is_remark(line: str, separator: str, count: int, number: int) -> bool:
    """Raises InputError for a line that may as well be a row."""
    if not line.lstrip().startswith(_COMMENT):
        return False
    if len(_cells(line, separator)) == count:
        raise InputError(f"row {number} begins with {_COMMENT}, as a comment does: delete it, or the {_COMMENT}")
    return True


def _with_points(table: Table, records: Sequence[Record]) -> Sequence[Record]:
    """Decimal commas as points. Where any number has a point, commas may part thousands, and stay."""
    numbers = [index for index, key in enumerate(table.keys) if key not in WORDS]
    if any("." in record.cells[index] for record in records for index in numbers):
        return records
    return [_pointed(record, numbers) for record in records]


def _pointed(record: Record, numbers: Sequence[int]) -> Record:
    cells = list(record.cells)
    for index in numbers:
        cells[index] = cells[index].replace(",", ".")
    return record._replace(cells=tuple(cells))
