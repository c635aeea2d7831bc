"""The metadata of one SigMF recording as other programs write them, brought to the schema where their meaning is plain.

What locating does not need may be missing or wrong; what is read otherwise than it stands is said in a note.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

import jsonschema
import sigmf

from heimdall.formats.readers.sigmf.dates import as_dates
from heimdall.formats.readers.sigmf.for_captures import for_captures
from heimdall.formats.readers.sigmf.places import as_points
from heimdall.formats.readers.sigmf.values import (
    DECIBELS,
    HERTZ,
    METRES,
    PLAIN_NUMBER,
    SECONDS,
    quantity_written,
    sections,
    text,
)

RECEIVER_KEY = "heimdall:receiver"
CLOCK_KEY = "heimdall:clock_sigma_s"
LEVEL_KEY = "heimdall:level_sigma_db"
POSITION_KEY = "heimdall:position_sigma_m"
_OWN_KEYS = (RECEIVER_KEY, CLOCK_KEY, LEVEL_KEY, POSITION_KEY)
_OWN = "heimdall:"
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
_NUMBERS: dict[str, dict[str, float]] = {
    sigmf.SAMPLE_RATE_KEY: HERTZ,
    sigmf.FREQUENCY_KEY: HERTZ,
    sigmf.FREQ_LOWER_EDGE_KEY: HERTZ,
    sigmf.FREQ_UPPER_EDGE_KEY: HERTZ,
    sigmf.SAMPLE_START_KEY: {},
    sigmf.SAMPLE_COUNT_KEY: {},
    CLOCK_KEY: SECONDS,
    LEVEL_KEY: DECIBELS,
    POSITION_KEY: METRES,
}
"""Numbers that locating needs, and the units that may stand behind them."""
_DATATYPES = {
    "complex64": "cf32_le",
    "complex128": "cf64_le",
    "fc32": "cf32_le",
    "fc64": "cf64_le",
    "sc16": "ci16_le",
    "cs16": "ci16_le",
    "sc8": "ci8",
    "cs8": "ci8",
}
"""Complex types as NumPy, UHD and SoapySDR call them."""


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
        *_datatype(document),
        *for_captures(document),
        *as_dates(document),
        *as_points(document),
        *_unknown(document),
        *_passed_over(document),
    ]
    _count_from_its_own_file(document)
    starts = [capture[sigmf.SAMPLE_START_KEY] for capture in document["captures"]]
    if starts != sorted(starts):
        raise UnreadableRecordingError("its metadata are not SigMF: captures out of order")
    return document, tuple(f"{name}: {note}" for note in notes)


def _count_from_its_own_file(document: Mapping[str, Any]) -> None:
    """Samples of one file of several count from the first file's; where none lies before its own, from its own."""
    segments = [*document["captures"], *document["annotations"]]
    offset = document["global"].get(sigmf.OFFSET_KEY)
    if not offset or any(each[sigmf.SAMPLE_START_KEY] < offset for each in segments):
        return
    for each in segments:
        each[sigmf.SAMPLE_START_KEY] -= offset
    del document["global"][sigmf.OFFSET_KEY]


def load_json(content: bytes) -> Any:
    """Raises UnreadableRecordingError for what is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecordingError(f"its metadata are not JSON ({error})") from error


def _without_nulls(document: Mapping[str, Any]) -> None:
    """What is null or empty is unknown, as if it were not there; of our own extension it may say so on purpose."""
    for segment in sections(document, "global", "captures", "annotations"):
        for key in [key for key, value in segment.items() if _is_nothing(key, value) and not key.startswith(_OWN)]:
            del segment[key]


def _is_nothing(key: str, value: object) -> bool:
    return value is None or (value == "" and key not in _STAND_INS)


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
    for segment in [*firsts, *sections(document, "annotations")]:
        if isinstance(segment, dict) and sigmf.SAMPLE_START_KEY not in segment:
            segment[sigmf.SAMPLE_START_KEY] = 0
            missing.append(sigmf.SAMPLE_START_KEY)
    listed = ", ".join(dict.fromkeys(missing))
    return [f"its metadata lack {listed}, which locating does not need"] if missing else []


def _numbers(document: dict[str, Any]) -> list[str]:
    """Numbers that a program wrote as strings, also with their unit."""
    notes = []
    for section in ("global", "captures", "annotations"):
        for segment in sections(document, section):
            for key, units in _NUMBERS.items():
                value = segment.get(key)
                if not isinstance(value, str):
                    continue
                if PLAIN_NUMBER.fullmatch(value.strip()):
                    segment[key] = float(value)
                    notes.append(f"its {key}, a string, is read as the number {value.strip()}")
                elif (figure := quantity_written(value, units)) is not None:
                    segment[key] = figure
                    notes.append(f"its {key} {value!r} is read as {figure:.12g}")
    return list(dict.fromkeys(notes))


def _datatype(document: Mapping[str, Any]) -> list[str]:
    """The SigMF name of a data type that stands in capitals or as other programs call it."""
    about = document.get("global")
    written = about.get(sigmf.DATATYPE_KEY) if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(written, str):
        return []
    plain = written.strip().lower()
    about[sigmf.DATATYPE_KEY] = read = _DATATYPES.get(plain, plain)
    return [] if read == written else [f"its {sigmf.DATATYPE_KEY} {text(written)!r} is read as {read}"]


def _unknown(document: dict[str, Any]) -> list[str]:
    """Keys of our own extension that are misspelt, or stand where they are not looked for."""
    return [
        unknown_key(key, () if section == "captures" or section == "annotations" else _OWN_KEYS)
        for section in ("global", "captures", "annotations")
        for segment in sections(document, section)
        for key in segment
        if key.startswith(_OWN) and (section != "global" or key not in _OWN_KEYS)
    ]


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(key, known, 1)
    meant = f"; did you mean {close[0]}?" if close else ""
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
