"""Tables of measurements, as spreadsheets save them: a row for each receiver of each transmission.

A table becomes the observations that a measurement file has as JSON, in which every cell is still the text that was written.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from heimdall.errors import InputError, TooLargeError
from heimdall.formats.coordinates import decoded
from heimdall.formats.readers.row_complaint import Cells, is_no_value
from heimdall.formats.readers.table_columns import OF_RECEIVER, OF_TRANSMISSION, WORDS, keys_of, names_columns
from heimdall.formats.text import composed

MOST_BYTES = 1 << 26
"""A table is held in memory whole, since the rows of a transmission may be anywhere in it."""
MOST_ABOVE = 20
"""Lines that a program may write above the headings."""
_SEPARATORS = ",;\t"
_PLACE = ("latitude_deg", "longitude_deg")
_COMMENT = "#"
_MARKS = "#%/ "
"""Behind which programs for numbers write headings."""


class Row(NamedTuple):
    """An observation as JSON, and where it stands, for people."""

    where: str
    text: bytes
    flaw: str | None = None
    """Why there is none."""
    cells: Cells | None = None


class _Record(NamedTuple):
    number: int
    """Of the row, as a spreadsheet counts them."""
    cells: tuple[str, ...]
    flaw: str | None = None


class _Table(NamedTuple):
    name: str
    headings: Sequence[str]
    keys: Sequence[str]
    groups_by: str | None = None
    """The column that says which rows are one transmission."""

    def value(self, record: _Record, key: str) -> str:
        return record.cells[self.keys.index(key)]


def headings_of(line: bytes) -> list[str] | None:
    """The names of the columns, where a line holds nothing else; None for any other line."""
    text = decoded(line).lstrip(_MARKS)
    if text.startswith(("{", "[")):
        return None
    found = _cells(text, _separator(text))
    return found if names_columns(found) else None


def table_rows(name: str, lines: Iterable[bytes], before: int) -> Iterator[Row]:
    """The observations of a table whose first line has the headings; `before` is how many lines stand above it.

    Raises InputError for headings that do not say what a table of measurements does, and TooLargeError.
    """
    table, records = _read(name, lines, before)
    for group, members in _groups(table, records).items():
        yield _row(table, group, members)


def _read(name: str, lines: Iterable[bytes], before: int) -> tuple[_Table, Sequence[_Record]]:
    first, *others = decoded(_joined(name, lines)).split("\n")
    headings = headings_of(first.encode()) or []
    try:
        table = _Table(name, headings, keys_of(headings))
        records = list(_records(others, _separator(first), len(headings), before + 2))
        _check_unnamed(table, records)
    except (InputError, csv.Error) as error:
        raise InputError(f"{name}: {error}") from error
    return table._replace(groups_by=_groups_by(table, records)), _with_points(table, records)


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


def _records(lines: Sequence[str], separator: str, count: int, number: int) -> Iterator[_Record]:
    """Rows that hold anything."""
    plain = ("" if _is_remark(line, separator, count, at) else line for at, line in enumerate(lines, start=number))
    for at, cells in enumerate(csv.reader(plain, delimiter=separator, skipinitialspace=True), start=number):
        # The same texts are in many rows.
        found = [sys.intern(each.strip()) for each in cells]
        if not any(found):
            continue
        flaw = None if len(found) == count else _miscounted(at, len(found), count, separator)
        yield _Record(at, tuple([*found, *[""] * count][:count]), flaw)


def _miscounted(number: int, cells: int, count: int, separator: str) -> str:
    commas = "; decimal commas need semicolons between the columns" if separator == "," and cells > count else ""
    return f"row {number} has {cells} cells, and there are {count} columns{commas}"


def _check_unnamed(table: _Table, records: Sequence[_Record]) -> None:
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


def _with_points(table: _Table, records: Sequence[_Record]) -> Sequence[_Record]:
    """Decimal commas as points. Where any number has a point, commas may part thousands, and stay."""
    numbers = [index for index, key in enumerate(table.keys) if key not in WORDS]
    if any("." in record.cells[index] for record in records for index in numbers):
        return records
    return [_pointed(record, numbers) for record in records]


def _pointed(record: _Record, numbers: Sequence[int]) -> _Record:
    cells = list(record.cells)
    for index in numbers:
        cells[index] = cells[index].replace(",", ".")
    return record._replace(cells=tuple(cells))


def _groups_by(table: _Table, records: Sequence[_Record]) -> str | None:
    filled = (
        key for key in ("id", "time_utc") if key in table.keys and any(table.value(each, key) for each in records)
    )
    return next(filled, None)


def _groups(table: _Table, records: Sequence[_Record]) -> Mapping[str, list[_Record]]:
    """The rows of each transmission: those of one id; where there is none, of one time, or all.

    Raises InputError for a row that says nothing of it, as under merged cells: it may be any one's.
    """
    found: dict[str, list[_Record]] = {}
    for record in records:
        group = Path(table.name).name.split(".")[0] if table.groups_by is None else table.value(record, table.groups_by)
        if not group and record.flaw is None:
            raise InputError(f"{table.name}: row {record.number} has no {table.groups_by}: write it in every row")
        found.setdefault(composed(group or record.flaw or ""), []).append(record)
    if table.groups_by == "id" and 1 < len(found) == len(records):
        raise InputError(f"{table.name}: each row has an id of its own: rows of one transmission need the same")
    return found


def _row(table: _Table, group: str, records: Sequence[_Record]) -> Row:
    """Complaints name the rows themselves."""
    try:
        document = _observation(table, group, records)
    except InputError as error:
        return Row(table.name, b"", str(error))
    return Row(table.name, json.dumps(document).encode(), None, _written(table, records))


def _observation(table: _Table, group: str, records: Sequence[_Record]) -> dict[str, Any]:
    for flaw in filter(None, (each.flaw for each in records)):
        raise InputError(flaw)
    if table.groups_by != "id":
        _check_once(table, records)
    document: dict[str, Any] = {"id": group}
    for key in OF_TRANSMISSION:
        if key != "id" and key in table.keys:
            _put(document, OF_TRANSMISSION[key], _common(table, key, records))
    of_receiver = [key for key in OF_RECEIVER if key in table.keys]
    measurements = [{key: table.value(record, key) for key in of_receiver} for record in records]
    return {**document, "measurements": measurements}


def _put(document: dict[str, Any], path: Sequence[str], value: str) -> None:
    """What nobody knows is left out, so that a transmission without any known place has no truth."""
    *above, last = path
    if value:
        (document.setdefault(above[0], {}) if above else document)[last] = value


def _common(table: _Table, key: str, records: Sequence[_Record]) -> str:
    """What the rows say of their transmission; some of them may leave it out."""
    known = [each for each in records if not is_no_value(table.value(each, key))]
    values = [table.value(each, key) for each in known]
    for record, value in zip(known, values, strict=True):
        if value != values[0] and _number(value) != _number(values[0]):
            raise InputError(
                f"column {_heading(table, key)!r} is {values[0]!r} in row {known[0].number} and {value!r} in row"
                f" {record.number} of one transmission{_advice(table) or ': write one'}"
            )
    return values[0] if values else ""


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _check_once(table: _Table, records: Sequence[_Record]) -> None:
    """Where only a time, or nothing, tells transmissions apart, the receivers' names say whether that is enough."""
    first: dict[str, _Record] = {}
    for record in records:
        receiver = table.value(record, "receiver")
        if (other := first.setdefault(receiver, record)) is not record:
            moved = any(table.value(other, key) != table.value(record, key) for key in _PLACE)
            renamed = "; if it moved, give it a name for each place" if moved else ""
            rows = f"row {other.number} and in row {record.number}"
            raise InputError(f"receiver {receiver!r} is in {rows}{_advice(table)}{renamed}")
    if len(first) == 1 and table.groups_by is not None:
        raise InputError(f"row {records[0].number} is the only one of its {table.groups_by}{_advice(table)}")


def _advice(table: _Table) -> str:
    return "" if table.groups_by == "id" else ": add a column id, the same in all rows of one transmission"


def _heading(table: _Table, key: str) -> str:
    return table.headings[table.keys.index(key)]


def _written(table: _Table, records: Sequence[_Record]) -> Cells:
    headings = {
        OF_TRANSMISSION.get(key, ("measurements", key)): heading
        for key, heading in zip(table.keys, table.headings, strict=True)
    }
    return Cells(headings, [record.number for record in records])
