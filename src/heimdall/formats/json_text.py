"""JSON as it stands in the text, piece by piece: what nobody edits keeps every digit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from heimdall.errors import InputError

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(r"[ \t\n\r,:]*")


def objects_in(text: str) -> list[str]:
    """The objects of a text that holds nothing but objects, one after the other or in arrays, each on one line.

    Raises ValueError for any other text, and RecursionError for one nested too deeply.
    """
    found: list[str] = []
    at = _after(_BLANK, text, 0)
    while at < len(text):
        value, end = _DECODER.raw_decode(text, at)
        if not all(isinstance(each, dict) for each in (value if isinstance(value, list) else [value])):
            raise ValueError("other values than objects")
        found += _parts(text, at) if isinstance(value, list) else [text[at:end]]
        at = _after(_BLANK, text, end)
    return [each.replace("\r", " ").replace("\n", " ") for each in found]


def members_of(document: str) -> dict[str, str]:
    """The members of a JSON object by name, each value as its text. Raises ValueError for a text that is no object."""
    if not isinstance(json.loads(document), dict):
        raise ValueError("no JSON object")
    parts = _parts(document, _after(_BLANK, document, 0))
    return dict(zip(map(json.loads, parts[::2]), parts[1::2], strict=True))


def with_member(document: str, name: str, value: str) -> str:
    """A JSON object's text with one member set to the value's text, all others as they were. Raises ValueError as above."""
    members = {**members_of(document), name: value}
    return "{" + ", ".join(f"{json.dumps(each)}: {text}" for each, text in members.items()) + "}"


def stated_once(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members, as `json.loads` hands them over. Raises InputError for two of one name that differ: the later one
    would silently win."""
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found and found[name] != value:
            raise InputError(f"{name} is stated twice, as {found[name]} and as {value}: keep one")
        found[name] = value
    return found


def _parts(text: str, begins: int) -> list[str]:
    """The elements of an array, or each name and each value of an object in turn, as they stand in valid JSON."""
    found = []
    at = _after(_BETWEEN, text, begins + 1)
    while text[at] not in "]}":
        _, end = _DECODER.raw_decode(text, at)
        found.append(text[at:end])
        at = _after(_BETWEEN, text, end)
    return found


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
