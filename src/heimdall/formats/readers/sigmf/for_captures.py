"""What stands once for a whole SigMF recording and belongs to its captures: frequency and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sigmf

from heimdall.formats.readers.sigmf.dates import TIME_KEYS, parse_utc
from heimdall.formats.readers.sigmf.values import number


def for_captures(document: dict[str, Any]) -> list[str]:
    """Puts them where they belong, as many programs do not; notes that say so."""
    about, captures = document.get("global"), document.get("captures")
    if not isinstance(about, dict) or not isinstance(captures, list):
        return []
    return [*_frequency(about, captures), *_time(about, captures)]


def _frequency(about: Mapping[str, Any], captures: list[Any]) -> list[str]:
    """That of all captures."""
    if sigmf.FREQUENCY_KEY not in about:
        return []
    stated = about[sigmf.FREQUENCY_KEY]
    if number(stated) is None:
        return [f"its {sigmf.FREQUENCY_KEY} {str(stated)[:60]!r} in global is not used: write a number"]
    of_captures = [
        each[sigmf.FREQUENCY_KEY] for each in captures if isinstance(each, dict) and sigmf.FREQUENCY_KEY in each
    ]
    if of_captures:
        differs = any(each != stated for each in of_captures)
        return [f"its {sigmf.FREQUENCY_KEY} in global is not used: its captures state another"] if differs else []
    for capture in _at_least_one(captures):
        capture[sigmf.FREQUENCY_KEY] = stated
    return [f"its {sigmf.FREQUENCY_KEY} is in global: it is read as that of its captures"]


def _time(about: Mapping[str, Any], captures: list[Any]) -> list[str]:
    """That of the first sample, which belongs to the first capture."""
    key = next((each for each in TIME_KEYS if each in about), None)
    if key is None:
        return []
    of_captures = [each[time] for each in captures if isinstance(each, dict) for time in TIME_KEYS if time in each]
    if of_captures:
        differs = parse_utc(of_captures[0]) != parse_utc(about[key])
        return [f"its {key} in global is not used: its captures state another"] if differs else []
    first = _at_least_one(captures)[0]
    if first.get(sigmf.SAMPLE_START_KEY, 0) != 0:
        return [f"its {key} in global is not used: its first capture begins behind the first sample"]
    first[sigmf.DATETIME_KEY] = about[key]
    return [f"its {key} is in global: it is read as that of its first sample"]


def _at_least_one(captures: list[Any]) -> list[dict[str, Any]]:
    if not captures:
        captures.append({sigmf.SAMPLE_START_KEY: 0})
    return [each for each in captures if isinstance(each, dict)]
