"""What is wrong with a measurement row, in words that say what to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from heimdall.validation.complaints import complaint_about

_NO_VALUE = ("", "-", "--", "na", "n/a", "none", "null")
"""What programs and people write where they have no value."""
_UNITS = {"s": "seconds", "m": "metres", "hz": "Hz", "deg": "degrees", "db": "dB", "dbm": "dBm"}


def is_no_value(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in _NO_VALUE


def row_complaint(error: ValidationError, fields: Mapping[str, Collection[str]]) -> str:
    """The first thing that is wrong, on one line; `fields` are the known ones by the field they lie in.

    A key that is missing because it is written otherwise is said to be that.
    """
    details = error.errors(include_url=False)
    unknown = [each for each in details if each["type"] == "extra_forbidden"]
    first = unknown[0] if unknown and details[0]["type"] == "missing" else details[0]
    return f"{complaint_about(first)}{_hint(first, fields)}"


def _hint(detail: Mapping[str, Any], fields: Mapping[str, Collection[str]]) -> str:
    if detail["type"] == "json_invalid":
        return "; an observation is one JSON object on one line"
    if detail["type"] in ("float_parsing", "float_type") and detail["input"] is not None:
        return f", not {repr(detail['input'])[:40]}; what is unknown is null"
    if detail["type"] != "extra_forbidden":
        return ""
    *above, key = detail["loc"]
    meant = _meant(str(key), fields.get(str(above[0]) if above else "", ()))
    if meant is None:
        return ""
    unit = _UNITS.get(meant.rpartition("_")[2])
    return f": did you mean {meant}{f', in {unit}' if unit else ''}?"


def _meant(key: str, known: Collection[str]) -> str | None:
    written = "_".join(key.lower().replace("-", " ").split())
    alike = [each for each in known if each.startswith(written)] or get_close_matches(written, known, 1)
    return alike[0] if written and alike else None
