"""The metadata of one SigMF recording as other programs write them, brought to the schema where their meaning is plain.

What locating does not need may be missing or wrong; what is read otherwise than it stands is said in a note.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Any

import jsonschema
import sigmf

from heimdall.observation import Place

RECEIVER_KEY = "heimdall:receiver"
CLOCK_KEY = "heimdall:clock_sigma_s"
LEVEL_KEY = "heimdall:level_sigma_db"
POSITION_KEY = "heimdall:position_sigma_m"
_OWN_KEYS = (RECEIVER_KEY, CLOCK_KEY, LEVEL_KEY, POSITION_KEY)
_OWN = "heimdall:"
_OLD_TIME_KEY = "core:time"
_LATITUDE_KEY, _LONGITUDE_KEY = "core:latitude", "core:longitude"
_NEEDED = (
    sigmf.DATATYPE_KEY,
    sigmf.SAMPLE_RATE_KEY,
    sigmf.SHA512_KEY,
    sigmf.NUM_CHANNELS_KEY,
    sigmf.OFFSET_KEY,
    sigmf.DATASET_KEY,
    sigmf.TRAILING_BYTES_KEY,
    sigmf.GEOLOCATION_KEY,
)
"""Global keys that a recording is read by; a fault in another is passed over."""
_STAND_INS: dict[str, Any] = {sigmf.VERSION_KEY: "1.0.0"}
"""Global keys that the schema requires and locating does not, and what stands for them."""
_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[T ](\d\d):?(\d\d):?(\d\d)(?:[.,](\d{1,18}))?\s*(?:([-+])(\d\d):?(\d\d))?\s*(?:Z|UTC)?",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS = (
    sigmf.SAMPLE_RATE_KEY,
    sigmf.FREQUENCY_KEY,
    sigmf.FREQ_LOWER_EDGE_KEY,
    sigmf.FREQ_UPPER_EDGE_KEY,
    CLOCK_KEY,
    LEVEL_KEY,
    POSITION_KEY,
)
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_HOW_TO_DATE = "write UTC with Z, as 2025-01-31T12:00:00.25Z"


class UnreadableRecordingError(Exception):
    """This recording cannot be used; the message completes the sentence "the receiver is flagged: ..."."""


def read_metadata(name: str, meta: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The metadata with what was missing or old put right, and notes that say so.

    Raises UnreadableRecordingError where they are not SigMF.
    """
    document = load_json(meta)
    if not isinstance(document, dict):
        raise UnreadableRecordingError("its metadata are not SigMF: an object is expected")
    _without_nulls(document)
    notes = [
        *_complete(document),
        *_numbers(document),
        *_frequency_of_all(document),
        *_dates(document),
        *_places(document),
        *_unknown(document),
        *_passed_over(document),
    ]
    starts = [capture[sigmf.SAMPLE_START_KEY] for capture in document["captures"]]
    if starts != sorted(starts):
        raise UnreadableRecordingError("its metadata are not SigMF: captures out of order")
    return document, tuple(f"{name}: {note}" for note in notes)


def load_json(content: bytes) -> Any:
    """Raises UnreadableRecordingError for what is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordingError(f"its metadata are not JSON ({error})") from error


def number(value: object) -> float | None:
    """A JSON number as a float, infinite where it does not fit; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def number_written(value: object) -> float | None:
    """As `number`, and of a string that holds nothing but one."""
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value.strip()):
        return float(value)
    return number(value)


def text(value: object) -> str | None:
    """A string that can be printed and written anywhere: broken surrogates become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def point(value: object) -> Place | None:
    """A GeoJSON point, which has the longitude first."""
    coordinates = value.get("coordinates") if isinstance(value, Mapping) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    longitude_deg, latitude_deg, height_m = (number(axis) for axis in [*coordinates, None][:3])
    return None if longitude_deg is None or latitude_deg is None else Place(latitude_deg, longitude_deg, height_m)


def parse_utc(value: object) -> tuple[datetime | None, float]:
    """The whole second in UTC, and the rest in s with every digit that a float holds. Without a zone it is UTC."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None, 0.0
    *minute, second = (int(found[group]) for group in range(1, 7))
    east = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0)) * (-1 if found[8] == "-" else 1)
    try:
        whole = datetime(*minute, tzinfo=UTC) + timedelta(seconds=second) - east  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None, 0.0
    return whole, float(f"0.{found[7] or 0}")


def second_digits(value: object) -> str | None:
    """The digits behind the point of a time's seconds, as they are written; None where there are none."""
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    return found[7] if found else None


def _sections(document: Mapping[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = document.get(name)
        yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))


def _without_nulls(document: Mapping[str, Any]) -> None:
    """What is null is unknown, as if it were not there; of our own extension it may say so on purpose."""
    for segment in _sections(document, "global", "captures", "annotations"):
        for key in [key for key, value in segment.items() if value is None and not key.startswith(_OWN)]:
            del segment[key]


def _complete(document: dict[str, Any]) -> list[str]:
    """Keys that the schema requires and locating does not."""
    missing = []
    if "annotations" not in document:
        document["annotations"] = []
        missing.append("annotations")
    about = document.get("global")
    for key, stand_in in _STAND_INS.items():
        if isinstance(about, dict) and key not in about:
            about[key] = stand_in
            missing.append(key)
    captures = document.get("captures")
    firsts = captures[:1] if isinstance(captures, list) else []
    for segment in [*firsts, *_sections(document, "annotations")]:
        if isinstance(segment, dict) and sigmf.SAMPLE_START_KEY not in segment:
            segment[sigmf.SAMPLE_START_KEY] = 0
            missing.append(sigmf.SAMPLE_START_KEY)
    listed = ", ".join(dict.fromkeys(missing))
    return [f"its metadata lack {listed}, which locating does not need"] if missing else []


def _numbers(document: dict[str, Any]) -> list[str]:
    """Numbers that a program wrote as strings."""
    notes = []
    for section in ("global", "captures", "annotations"):
        for segment in _sections(document, section):
            for key in _NUMBERS:
                value = segment.get(key)
                if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value.strip()):
                    segment[key] = float(value)
                    notes.append(f"its {key}, a string, is read as the number {value.strip()}")
    return list(dict.fromkeys(notes))


def _frequency_of_all(document: dict[str, Any]) -> list[str]:
    """A frequency that stands once for the recording instead of in its captures, as many programs write it."""
    about, captures = document.get("global"), document.get("captures")
    if not isinstance(about, dict) or sigmf.FREQUENCY_KEY not in about or not isinstance(captures, list):
        return []
    stated = about[sigmf.FREQUENCY_KEY]
    if number(stated) is None:
        return [f"its {sigmf.FREQUENCY_KEY} {str(stated)[:60]!r} in global is not used: write a number"]
    of_captures = [each[sigmf.FREQUENCY_KEY] for each in _sections(document, "captures") if sigmf.FREQUENCY_KEY in each]
    if of_captures:
        differs = any(each != stated for each in of_captures)
        return [f"its {sigmf.FREQUENCY_KEY} in global is not used: its captures state another"] if differs else []
    if not captures:
        captures.append({sigmf.SAMPLE_START_KEY: 0})
    for capture in _sections(document, "captures"):
        capture[sigmf.FREQUENCY_KEY] = stated
    return [f"its {sigmf.FREQUENCY_KEY} stands in global: it is read as that of its captures"]


def _dates(document: dict[str, Any]) -> list[str]:
    """Every time as the schema wants it, with all its digits; one that cannot be read is taken out."""
    notes = []
    for capture in _sections(document, "captures"):
        if sigmf.DATETIME_KEY not in capture and _OLD_TIME_KEY in capture:
            capture[sigmf.DATETIME_KEY] = capture.pop(_OLD_TIME_KEY)
            notes.append(f"{_OLD_TIME_KEY} is read as {sigmf.DATETIME_KEY}")
        value = capture.get(sigmf.DATETIME_KEY)
        if value is None:
            continue
        whole, _ = parse_utc(value)
        if whole is None:
            del capture[sigmf.DATETIME_KEY]
            notes.append(f"its {sigmf.DATETIME_KEY} {str(value)[:60]!r} is not read: {_HOW_TO_DATE}")
            continue
        found = _TIME.fullmatch(value.strip())
        digits = found[7] if found and found[7] else "0"
        capture[sigmf.DATETIME_KEY] = f"{whole.replace(tzinfo=None).isoformat()}.{digits}Z"
        if found and found[8] and int(found[9]) + int(found[10]):
            notes.append(f"its {sigmf.DATETIME_KEY} {value} is {whole:%H:%M:%S} UTC")
    return notes


def _places(document: dict[str, Any]) -> list[str]:
    """Positions as GeoJSON Points: out of Features, without heights that are null, and out of older keys."""
    notes = []
    for segment in _sections(document, "global", "captures"):
        place = segment.get(sigmf.GEOLOCATION_KEY)
        if isinstance(place, dict) and place.get("type") == "Feature":
            place = segment[sigmf.GEOLOCATION_KEY] = place.get("geometry")
            notes.append(f"the geometry of its {sigmf.GEOLOCATION_KEY}, a Feature, is read as its position")
        coordinates = place.get("coordinates") if isinstance(place, dict) else None
        if isinstance(coordinates, list) and len(coordinates) == 3 and coordinates[2] is None:
            del coordinates[2]
            notes.append("its height is null: it is taken to be on the ellipsoid")
    return [*notes, *_old_places(document)]


def _old_places(document: dict[str, Any]) -> list[str]:
    if any(sigmf.GEOLOCATION_KEY in segment for segment in _sections(document, "global", "captures")):
        return []
    for segment in _sections(document, "captures", "global", "annotations"):
        latitude, longitude = number(segment.get(_LATITUDE_KEY)), number(segment.get(_LONGITUDE_KEY))
        about = document.get("global")
        if latitude is not None and longitude is not None and isinstance(about, dict):
            about[sigmf.GEOLOCATION_KEY] = {"type": "Point", "coordinates": [longitude, latitude]}
            return [f"{_LATITUDE_KEY} and {_LONGITUDE_KEY} are read as its position"]
    return []


def _unknown(document: dict[str, Any]) -> list[str]:
    """Keys of our own extension that are misspelt, or stand where they are not looked for."""
    return [
        unknown_key(key, () if section == "captures" or section == "annotations" else _OWN_KEYS)
        for section in ("global", "captures", "annotations")
        for segment in _sections(document, section)
        for key in segment
        if key.startswith(_OWN) and (section != "global" or key not in _OWN_KEYS)
    ]


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(key, known, 1)
    meant = f"; is {close[0]} meant?" if close else ""
    return f"{text(key)} is unknown and not used{meant}"


def _passed_over(document: dict[str, Any]) -> list[str]:
    """Faults in what locating does not need, taken out. Raises UnreadableRecordingError for any other."""
    notes: list[str] = []
    for _ in range(20):
        fault = _fault(document)
        if fault is None:
            return notes
        path = list(fault.absolute_path)
        if path[:1] == ["annotations"]:
            document["annotations"] = []
            notes.append(f"its annotations are not SigMF and are not used: {fault.message[:120]}")
        elif len(path) > 1 and path[0] == "global" and path[1] not in _NEEDED and path[1] in document["global"]:
            _take_out(document["global"], path[1])
            notes.append(f"its {path[1]} is not SigMF and is not used")
        else:
            where = next((f"{key}: " for key in path if isinstance(key, str) and ":" in key), "")
            raise UnreadableRecordingError(f"its metadata are not SigMF: {where}{_in_words(fault)}")
    raise UnreadableRecordingError("its metadata are not SigMF: too many faults")


def _take_out(about: dict[str, Any], key: str) -> None:
    if key in _STAND_INS:
        about[key] = _STAND_INS[key]
    else:
        del about[key]


def _in_words(fault: Any) -> str:
    """Without the pattern that a text should have had, which says nothing to people."""
    return f"{fault.instance[:60]!r} does not have its form" if fault.validator == "pattern" else fault.message[:200]


def _fault(document: Mapping[str, Any]) -> Any:
    """The first fault by the library's schema; its own `validate` compiles the schema anew each time."""
    try:
        return next(_validator().iter_errors(document), None)
    except RecursionError as error:
        raise UnreadableRecordingError("its metadata are nested too deeply") from error


@cache
def _validator() -> Any:
    schema = sigmf.schema.get_schema()
    return jsonschema.validators.validator_for(schema)(schema)
