"""Tables of measurements: a row for each receiver of each transmission.

A table becomes the observations that a measurement file has as JSON, so that they are checked alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from heimdall.errors import InputError
from heimdall.formats.readers.row_complaint import Cells, is_no_value
from heimdall.formats.readers.table_cells import Record, Table, read_table
from heimdall.formats.readers.table_columns import OF_RECEIVER, OF_TRANSMISSION
from heimdall.formats.text import composed

_PLACE = ("latitude_deg", "longitude_deg")


class Row(NamedTuple):
    """An observation as JSON, and where it stands, for people."""

    where: str
    text: bytes
    flaw: str | None = None
    """Why there is none."""
    cells: Cells | None = None


def table_rows(name: str, lines: Iterable[bytes], before: int) -> Iterator[Row]:
    """The observations of a table. Raises as `read_table`, and InputError for rows that do not say which one they are of."""
    table, records = read_table(name, lines, before)
    table = table._replace(groups_by=_groups_by(table, records))
    for group, members in _groups(table, records).items():
        yield _row(table, group, members)


def _groups_by(table: Table, records: Sequence[Record]) -> str | None:
    """The column that says which rows are one transmission."""
    filled = (
        key for key in ("id", "time_utc") if key in table.keys and any(table.value(each, key) for each in records)
    )
    return next(filled, None)


def _groups(table: Table, records: Sequence[Record]) -> Mapping[str, list[Record]]:
    """The rows of each transmission: those of one id; where there is none, of one time, or all.

    Raises InputError for a row that says nothing of it, as under merged cells: it may be any one's.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        group = Path(table.name).name.split(".")[0] if table.groups_by is None else table.value(record, table.groups_by)
        if not group and record.flaw is None:
            raise InputError(f"{table.name}: row {record.number} has no {table.groups_by}: write it in every row")
        found.setdefault(composed(group or record.flaw or ""), []).append(record)
    if table.groups_by == "id" and 1 < len(found) == len(records):
        raise InputError(f"{table.name}: each row has an id of its own: rows of one transmission need the same")
    return found


def _row(table: Table, group: str, records: Sequence[Record]) -> Row:
    """Complaints name the rows themselves."""
    try:
        document = _observation(table, group, records)
    except InputError as error:
        return Row(table.name, b"", str(error))
    return Row(table.name, json.dumps(document).encode(), None, _written(table, records))


def _observation(table: Table, group: str, records: Sequence[Record]) -> dict[str, Any]:
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


def _common(table: Table, key: str, records: Sequence[Record]) -> str:
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
    """Of two spellings of one number, the same."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return text
    return found if found.is_finite() else text


def _check_once(table: Table, records: Sequence[Record]) -> None:
    """Where only a time, or nothing, tells transmissions apart, the receivers' names say whether that is enough."""
    first: dict[str, Record] = {}
    for record in records:
        receiver = table.value(record, "receiver")
        if (other := first.setdefault(receiver, record)) is not record:
            moved = any(table.value(other, key) != table.value(record, key) for key in _PLACE)
            renamed = "; if it moved, give it a name for each place" if moved else ""
            rows = f"row {other.number} and in row {record.number}"
            raise InputError(f"receiver {receiver!r} is in {rows}{_advice(table)}{renamed}")
    if len(first) == 1 and table.groups_by is not None:
        raise InputError(f"row {records[0].number} is the only one of its {table.groups_by}{_advice(table)}")


def _advice(table: Table) -> str:
    return "" if table.groups_by == "id" else ": add a column id, the same in all rows of one transmission"


def _heading(table: Table, key: str) -> str:
    return table.headings[table.keys.index(key)]


def _written(table: Table, records: Sequence[Record]) -> Cells:
    headings = {
        OF_TRANSMISSION.get(key, ("measurements", key)): heading
        for key, heading in zip(table.keys, table.headings, strict=True)
    }
    return Cells(headings, [record.number for record in records])
