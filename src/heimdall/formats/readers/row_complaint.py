"""What is wrong with a measurement row, in words that say what to write."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

from heimdall.validation.complaints import complaint_about

_NO_VALUE = ("", "-", "--", "na", "n/a", "none", "null")
"""What programs and people write where they have no value."""
_HEIGHT = "height_m"
_ABOVE_SEA = re.compile(r"^alt(?![a-z])|altitude|elevation")
_UNITS = {"s": "seconds", "m": "metres", "hz": "Hz", "deg": "degrees", "db": "dB", "dbm": "dBm"}


class Cells(NamedTuple):
    """Where the values of an observation stand in a table."""

    headings: Mapping[tuple[str, ...], str]
    """Of the columns, by the keys of the observation."""
    rows: Sequence[int]
    """Of its measurements."""

    def place_of(self, loc: Sequence[str | int]) -> str:
        """For people; `loc` as pydantic has it."""
        row = self.rows[next((each for each in loc if isinstance(each, int)), 0)]
        heading = self.headings.get(tuple(each for each in loc if isinstance(each, str)))
        return f"row {row}" if heading is None else f"row {row}, column {heading!r}"


def is_no_value(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in _NO_VALUE


def row_complaint(error: ValidationError, fields: Mapping[str, Collection[str]], cells: Cells | None = None) -> str:
    """The first thing that is wrong, on one line; `fields` are the known ones by the field they lie in.

    A key that is missing because it is written otherwise is said to be that.
    """
    details = error.errors(include_url=False)
    unknown = [each for each in details if each["type"] == "extra_forbidden"]
    first = unknown[0] if unknown and details[0]["type"] == "missing" else details[0]
    if cells is None:
        return f"{complaint_about(first)}{_hint(first, fields, 'null')}"
    placed = {**first, "loc": (cells.place_of(first["loc"]),)}
    return f"{complaint_about(placed)}{_hint(first, fields, 'an empty cell')}"


def suggestion(meant: str | None) -> str:
    """What a name that is not known seems to mean, as a question; empty where it means nothing."""
    if meant is None:
        return ""
    unit = _UNITS.get(meant.rpartition("_")[2])
    return f": did you mean {meant}{f', in {unit}' if unit else ''}?"


def _hint(detail: Mapping[str, Any], fields: Mapping[str, Collection[str]], unknown: str) -> str:
    if detail["type"] == "json_invalid":
        return "; an observation is one JSON object on one line"
    if detail["type"] in ("float_parsing", "float_type") and detail["input"] is not None:
        return f", not {repr(detail['input'])[:40]}; what is unknown is {unknown}"
    if detail["type"] != "extra_forbidden":
        return ""
    *above, key = detail["loc"]
    known = fields.get(str(above[0]) if above else "", ())
    return suggestion(meant_by(str(key), known)) or f"; known are {', '.join(known)}"


def meant_by(key: str, known: Collection[str]) -> str | None:
    """The known name that one that is not known is nearest to."""
    written = "_".join(key.lower().replace("-", " ").split())
    if _ABOVE_SEA.search(written):
        # An altitude is spelt nearly as a latitude.
        return _HEIGHT if _HEIGHT in known else None
    alike = [each for each in known if each.startswith(written)] or get_close_matches(written, known, 1)
    return alike[0] if written and alike else None
