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
from heimdall.formats.readers.sigmf.values import PLAIN_NUMBER, sections, text

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
_NUMBERS = (
    sigmf.SAMPLE_RATE_KEY,
    sigmf.FREQUENCY_KEY,
    sigmf.FREQ_LOWER_EDGE_KEY,
    sigmf.FREQ_UPPER_EDGE_KEY,
    CLOCK_KEY,
    LEVEL_KEY,
    POSITION_KEY,
)


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
        *for_captures(document),
        *as_dates(document),
        *as_points(document),
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


def _without_nulls(document: Mapping[str, Any]) -> None:
    """What is null is unknown, as if it were not there; of our own extension it may say so on purpose."""
    for segment in sections(document, "global", "captures", "annotations"):
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
    for segment in [*firsts, *sections(document, "annotations")]:
        if isinstance(segment, dict) and sigmf.SAMPLE_START_KEY not in segment:
            segment[sigmf.SAMPLE_START_KEY] = 0
            missing.append(sigmf.SAMPLE_START_KEY)
    listed = ", ".join(dict.fromkeys(missing))
    return [f"its metadata lack {listed}, which locating does not need"] if missing else []


def _numbers(document: dict[str, Any]) -> list[str]:
    """Numbers that a program wrote as strings."""
    notes = []
    for section in ("global", "captures", "annotations"):
        for segment in sections(document, section):
            for key in _NUMBERS:
                value = segment.get(key)
                if isinstance(value, str) and PLAIN_NUMBER.fullmatch(value.strip()):
                    segment[key] = float(value)
                    notes.append(f"its {key}, a string, is read as the number {value.strip()}")
    return list(dict.fromkeys(notes))


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
