"""Positions in forms that other programs write: brackets, GeoJSON, WKT, links to maps, and tables with a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

NUMBER = r"[-+]?\d{1,6}(?:\.\d*)?"
_QUOTED = re.compile(rf"(?<!\d)(['\"])\s*({NUMBER})\s*\1")
_INSIDE = rf"\s*({NUMBER})\s*,\s*({NUMBER})\s*(?:,\s*({NUMBER})\s*)?"
_FINE = r"[-+]?\d{1,3}\.\d{3,}"
"""A number with the decimals of a position: two others in round brackets may be anything."""
_VIEW = "a link to a map, the middle of its view"
_MARKER = "a link to a map"
_BRACKETS: tuple[tuple[re.Pattern[str], bool, str | None], ...] = (
    (re.compile(rf"['\"]coordinates['\"]\s*:\s*\[{_INSIDE}\]"), True, "GeoJSON, longitude first"),
    (
        re.compile(rf"\bPOINT\s*Z?\s*\(\s*({NUMBER})\s+({NUMBER})(?:\s+({NUMBER}))?\s*\)", re.I),
        True,
        "WKT, longitude first",
    ),
    (
        re.compile(rf"<coordinates>\s*({NUMBER}),({NUMBER})(?:,({NUMBER}))?\s*</coordinates>"),
        True,
        "KML, longitude first",
    ),
    (re.compile(rf"\[{_INSIDE}\]"), False, None),
    (
        re.compile(rf"\b(?:gps|coords?|coordinates|pos|position|location)\b['\"]?\s*[:=]?\s*['\"]?\({_INSIDE}\)", re.I),
        False,
        None,
    ),
    (re.compile(rf"\(\s*({_FINE})\s*,\s*({_FINE})\s*(?:,\s*({NUMBER})\s*)?\)"), False, None),
)
"""Each with whether the longitude comes first, and the form where a note tells it."""
_LINK = re.compile(r"://|\bmaps?\b|openstreetmap", re.IGNORECASE)
_LINKED = tuple(
    (re.compile(written.replace("#", rf"({NUMBER})(?![\d.])"), re.IGNORECASE), form)
    for written, form in (
        (r"!3d#!4d#", _MARKER),
        (r"[?&;]mlat=#&(?:amp;)?mlon=#", _MARKER),
        (r"[?&;](?:q|ll|query|center|destination|daddr)=(?:loc:)?#(?:,|%2C)(?:\+|%20)?#(?!,[-+]?\d)", _MARKER),
        (r"/(?:place|search)/#,\+?#(?!,[-+]?\d)", _MARKER),
        (r"/@#,#(?!,[-+]?\d+,[-+]?\d)", _VIEW),
        (r"\x23map=[\d.]+/#/#", _VIEW),
    )
)
_LATITUDE, _LONGITUDE = (
    re.compile(rf"\W*{name}\W*(?:deg\w*)?\W*", re.IGNORECASE)
    for name in ("lat(?:itude)?_?", "(?:lon(?:g|gitude)?|lng)_?")
)
_HEIGHT = re.compile(r"\W*(?:height|alt|altitude|elev|elevation)(?:_m|\W*\(m\)|\W*\[m\])\W*", re.IGNORECASE)
_ANY_HEIGHT = re.compile(
    r"\W*(?:h|height|h(?:ö|oe)he|hauteur|altura|hoogte|alt|altitud\w*|elev|elevation|asl)\b.*", re.I | re.S
)
_DELIMITERS = (";", "\t", ",", "|", None)
MOST_ABOVE = 20
"""Lines that a program may write above a header."""
_LONGEST_LINE = 10_000
_TABLE = "a table with columns of latitude and longitude"


class Framed(NamedTuple):
    """The numbers of one position as they are written, in degrees and metres, and the form where it is worth a note."""

    latitude: str
    longitude: str
    height: str | None = None
    form: str | None = None
    remark: str | None = None
    """A height of which it does not say what it counts in, or from where."""


def framed(text: str) -> tuple[list[Framed | None], str]:
    """Every position of such a form (None for one that cannot be read), and the text without them."""
    rows = list(_table_rows(text))
    if rows:
        return rows, ""
    found: list[Framed | None] = []
    text = _QUOTED.sub(r"\2", text)
    for pattern, longitude_first, form in _BRACKETS:
        found += [_bracketed(each, longitude_first, form) for each in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    linked = {link: place for link in text.split() if (place := _linked(link)) is not None}
    for link in linked:
        text = text.replace(link, " ")
    return [*found, *linked.values()], text


def _bracketed(found: re.Match[str], longitude_first: bool, form: str | None) -> Framed:
    first, second, height = found.groups()
    return Framed(second, first, height, form) if longitude_first else Framed(first, second, height, form)


def _linked(link: str) -> Framed | None:
    """Its marker, or else the middle of its view."""
    for pattern, form in _LINKED if _LINK.search(link) else ():
        if found := pattern.search(link):
            return Framed(found[1], found[2], None, form)
    return None


def _table_rows(text: str) -> Iterator[Framed | None]:
    """None for a row among others that cannot be read; nothing where no row holds plain numbers."""
    lines = [line for line in text.splitlines() if line.strip()]
    at = header_at(lines)
    if at is None:
        return
    delimiter = next(each for each in _DELIMITERS if _is_header(lines[at], each))
    names = _cells(_uncommented(lines[at]), delimiter)
    columns = [_column(names, name) for name in (_LATITUDE, _LONGITUDE, _HEIGHT)]
    rows = [_row(_cells(line, delimiter), names, columns) for line in lines[at + 1 :]]
    yield from rows if any(rows) else []


def header_at(lines: Sequence[str]) -> int | None:
    """Where in a text the header of a table stands, below what a program may write above it."""
    found = (index for index, line in enumerate(lines[:MOST_ABOVE]) if any(_is_header(line, d) for d in _DELIMITERS))
    return next(found, None)


def place_column(name: str) -> str | None:
    """Which number of a position a column of that name holds, in degrees or metres; None for any other column."""
    columns = {"latitude_deg": _LATITUDE, "longitude_deg": _LONGITUDE, "height_m": _HEIGHT}
    return next((key for key, pattern in columns.items() if pattern.fullmatch(name)), None)


def _is_header(line: str, delimiter: str | None) -> bool:
    names = _cells(_uncommented(line), delimiter)
    return _column(names, _LATITUDE) is not None and _column(names, _LONGITUDE) is not None


def _uncommented(line: str) -> str:
    """A header as programs for numbers write it, behind a mark."""
    return line.lstrip("#%/ ")


def _cells(line: str, delimiter: str | None) -> list[str]:
    """A cell in quotes may hold the delimiter."""
    if delimiter is None or '"' not in line or len(line) > _LONGEST_LINE:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))


def _column(names: Sequence[str], wanted: re.Pattern[str]) -> int | None:
    found = [index for index, name in enumerate(names) if wanted.fullmatch(name)]
    return found[0] if len(found) == 1 else None


def _row(cells: Sequence[str], names: Sequence[str], columns: Sequence[int | None]) -> Framed | None:
    """None for a row that has other columns than its header, as where decimal commas stand between commas."""
    if len(cells) != len(names):
        return None
    latitude, longitude, height = (None if each is None else cells[each].strip(" \t\"'") for each in columns)
    numbers = [(each or "").replace(",", ".") for each in (latitude, longitude, height)]
    if not all(re.fullmatch(NUMBER, each) for each in numbers[:2]):
        return None
    if re.fullmatch(NUMBER, numbers[2]):
        return Framed(numbers[0], numbers[1], numbers[2], _TABLE)
    at = _column(names, _ANY_HEIGHT) if columns[2] is None else None
    remark = None if at is None or not cells[at].strip() else f"{names[at]} {cells[at]}".strip(" \t\"'")
    return Framed(numbers[0], numbers[1], None, _TABLE, remark)
