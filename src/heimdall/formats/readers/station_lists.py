"""Lists of stations: of the positions that a text gives, the one of the entry that names a station."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from heimdall.formats.coordinates import WrittenPlace, read_place
from heimdall.formats.framed_coordinates import header_at
from heimdall.formats.plain_notation import plain
from heimdall.formats.text import composed

SUFFIXES = (".txt", ".csv", ".tsv", ".kml", ".gpx", ".geojson", ".json", ".yaml", ".yml", ".ini")
_ENDS = (
    re.compile(r"</(?:\w+:)?(?:Placemark|wpt)>"),
    re.compile(r"\}"),
    re.compile(r"\n"),
    re.compile(r"[;\n]"),
    re.compile(r"\n(?=\S)"),
    re.compile(r"\n[ \t]*\n"),
)
"""What parts the stations of a list: elements of KML and GPX, JSON objects, lines, statements of JavaScript and Octave, the
blocks of YAML, paragraphs."""
_NUMBER = r"(?:\s*\d{1,3}[.):;,\t]\s*)?"
_MOST_CHARACTERS = 1 << 20
"""A longer text is no list of receivers."""


def place_of(text: str, station: str) -> WrittenPlace | None:
    """The position in the entries that name the station by itself, not as a part of another name or of an address."""
    name = rf"(?<![\w-]){re.escape(composed(station))}(?![\w-]|\.\w)"
    named = re.compile(name, re.IGNORECASE)
    if named.search(text) is None:
        return None
    lines = text.strip().splitlines()
    if (at := header_at([plain(line) for line in lines])) is not None:
        return read_place("\n".join([lines[at], *filter(named.search, lines[at + 1 :])]))
    label = re.compile(rf"^{_NUMBER}\D*?{name}[\"')]*\s*(?:[:=;,|]|[-–](?=\s))?\s*|[,;|]?\s*[\"'(]*{name}\s*$", re.I)
    for found in _entries_by_end(text):
        entries = [entry.strip() for entry in found if named.search(entry)]
        # A name may read as a locator: the entry without it counts first.
        for each in ([label.sub("", entry) for entry in entries], entries):
            if (written := read_place("\n".join(each), text)) is not None:
                return written
    return None


def is_list(text: str, stations: Iterable[str]) -> bool:
    """Whether it gives different positions of two of the stations at least."""
    if len(text) > _MOST_CHARACTERS:
        return False
    found = (place_of(text, station) for station in dict.fromkeys(stations))
    return len({each.place for each in found if each is not None}) > 1


def _entries_by_end(text: str) -> Iterator[list[str]]:
    if features := _features(text):
        yield features
    yield from (parts for end in _ENDS if len(parts := end.split(text)) > 1)
    yield [text]


def _features(text: str) -> list[str]:
    """Those of a GeoJSON document, in which an object lies within another."""
    if '"features"' not in text:
        return []
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    features = document.get("features") if isinstance(document, dict) else None
    return [json.dumps(each, ensure_ascii=False) for each in features] if isinstance(features, list) else []
