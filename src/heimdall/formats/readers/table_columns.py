"""The columns of a table of measurements: what their headings mean, and which of them it needs."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from heimdall.errors import InputError
from heimdall.formats.framed_coordinates import place_column
from heimdall.formats.plain_notation import plain
from heimdall.formats.readers.row_complaint import meant_by, suggestion

OF_TRANSMISSION = {
    "id": ("id",),
    "time_utc": ("time_utc",),
    "frequency_hz": ("frequency_hz",),
    "bandwidth_hz": ("bandwidth_hz",),
    "transmitter_height_m": ("height_m",),
    "truth_latitude_deg": ("truth", "latitude_deg"),
    "truth_longitude_deg": ("truth", "longitude_deg"),
    "truth_height_m": ("truth", "height_m"),
}
"""Where the value of a column belongs in an observation."""
OF_RECEIVER = (
    "receiver",
    "latitude_deg",
    "longitude_deg",
    "height_m",
    "position_sigma_m",
    "toa_s",
    "clock_sigma_s",
    "rssi_dbm",
    "rssi_sigma_db",
    "sensitivity_dbm",
)
"""Keys of one of its measurements."""
WORDS = ("id", "receiver", "time_utc")
"""Columns that hold no numbers."""
_KNOWN = (*OF_TRANSMISSION, *OF_RECEIVER)
_NEEDED = ("frequency_hz", "bandwidth_hz", "receiver", "latitude_deg", "longitude_deg")
_MEASURED = ("toa_s", "rssi_dbm")
_OF_TRANSMITTER = re.compile(r"(truth|transmitter)_")
_FEWEST = 2
"""Headings that make a line more than a sentence with commas."""


def key_of(heading: str) -> str:
    """What a column is called, whatever its case and the signs around its unit; a place by the names that lists of stations
    use."""
    written = "_".join(re.findall(r"[^\W_]+", heading.lower()))
    whose = _OF_TRANSMITTER.match(written)
    before = whose[0] if whose else ""
    return before + (place_column(plain(written[len(before) :])) or written[len(before) :])


def names_columns(headings: Sequence[str]) -> bool:
    """Whether a line is the first of a table, perhaps with mistakes."""
    return sum(key_of(each) in _KNOWN for each in headings) >= _FEWEST


def is_measured(headings: Sequence[str]) -> bool:
    """Whether the table says what receivers measured, and not only where they are."""
    keys = {key_of(each) for each in headings}
    return "receiver" in keys and not keys.isdisjoint(_MEASURED)


def keys_of(headings: Sequence[str]) -> list[str]:
    """The key of each column; empty for one without a name.

    Raises InputError for a column that is not known, or is there twice, and for one that is missing.
    """
    keys = [key_of(each) for each in headings]
    named = {key: heading for key, heading in zip(keys, headings, strict=True) if key}
    for key in named:
        if keys.count(key) > 1:
            first, second, *_ = (heading for each, heading in zip(keys, headings, strict=True) if each == key)
            raise InputError(f"columns {first!r} and {second!r} are both {key}: keep one")
    _check_known(named)
    return keys


def _check_known(named: Mapping[str, str]) -> None:
    """Misspelt names first, of columns that are missing before others."""
    missing = _missing(named)
    unknown = {heading: meant_by(key, _KNOWN) for key, heading in named.items() if key not in _KNOWN}
    for heading, meant in unknown.items():
        if meant in missing:
            raise InputError(f"column {heading!r} is not known{suggestion(meant)}")
    if missing:
        listed = [
            *(each for each in missing if each in _NEEDED),
            " or ".join(each for each in missing if each in _MEASURED),
        ]
        raise InputError(f"there is no column {', '.join(filter(None, listed))}; there are {', '.join(named.values())}")
    for heading, meant in unknown.items():
        why = suggestion(meant) or f": delete it; known are {', '.join(_KNOWN)}"
        raise InputError(f"column {heading!r} is not known{why}")


def _missing(keys: Container[str]) -> list[str]:
    measured = () if any(each in keys for each in _MEASURED) else _MEASURED
    return [*(each for each in _NEEDED if each not in keys), *measured]
