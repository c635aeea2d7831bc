"""Lists of stations: of the positions that a text gives, the one of the entry that names a station."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from heimdall.formats.coordinates import WrittenPlace, read_place
from heimdall.formats.framed_coordinates import MOST_ABOVE, header_at
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
_NAMED = r"(?<![\w-])%s(?![\w-]|\.\w)"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_NUMBER = r"(?:\s*\d{1,3}[.):;,\t]\s*)?"
_LEVELS = 3
"""As deep as the features of a GeoJSON document lie in it."""
_MOST_CHARACTERS = 1 << 18
"""A longer text is no list of receivers."""
_MOST_ENTRIES = 20
"""Of a station that more entries name, as every line of its log, none is plainly its place."""


def place_of(text: str, station: str) -> WrittenPlace | None:
    """The position in the entries that name the station by itself, not as a part of another name or of an address."""
    if len(text) > _MOST_CHARACTERS:
        return None
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    name = _NAMED % re.escape(composed(station))
    if station.isdigit():
        name = rf"(?<![.,]){name}(?![.,]\d)"
    named = re.compile(name, re.IGNORECASE)
    if named.search(text) is None:
        return None
    lines = text.strip().splitlines()
    if (at := header_at([plain(line) for line in lines[:MOST_ABOVE]])) is not None:
        return read_place("\n".join([lines[at], *filter(named.search, lines[at + 1 :])]))
    label = re.compile(rf"^{_NUMBER}\D*?{name}[\"')]*\s*(?:[:=;,|]|[-–](?=\s))?\s*|[,;|]?\s*[\"'(]*{name}\s*$", re.I)
    for found in _entries_by_end(text):
        entries = [entry.strip() for entry in found if named.search(entry)]
        if len(entries) > _MOST_ENTRIES:
            continue
        # Without the name, which may itself read as a locator.
        for each in ([label.sub("", entry) for entry in entries], [named.sub(" ", entry) for entry in entries]):
            if (written := read_place("\n".join(each), text)) is not None:
                return written
    return None


def is_list(text: str, stations: Iterable[str]) -> bool:
    """Whether it gives different positions of two of the stations at least."""
    found = (place_of(text, station) for station in dict.fromkeys(stations))
    return len({each.place for each in found if each is not None}) > 1


def _entries_by_end(text: str) -> Iterator[list[str]]:
    yield from _json_entries(text)
    yield from (parts for end in _ENDS if len(parts := end.split(text)) > 1)
    yield [text]


def _json_entries(text: str) -> Iterator[list[str]]:
    """Of a JSON document, in which an object lies within another: what it holds, and what that holds."""
    if not text.lstrip().startswith(("{", "[")):
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    level = [document]
    for _ in range(_LEVELS):
        level = [part for each in level for part in _parts(each)]
        yield [json.dumps(each, ensure_ascii=False) for each in level]


def _parts(node: object) -> list[object]:
    """What a value holds that may be a station's; itself where it holds no more than numbers and texts.

    Of objects in an array, which close before the next one begins, their ends tell; those of GeoJSON hold others.
    """
    key, inner = next(iter(node.items())) if isinstance(node, dict) and len(node) == 1 else ("", node)
    if isinstance(inner, dict):
        return [{name: value} for name, value in inner.items() if isinstance(value, dict | list)] or [node]
    if isinstance(inner, list):
        return [each for each in inner if isinstance(each, dict if key == "features" else list)] or [node]
    return [node]
