"""One SigMF recording: metadata checked against the schema, samples as complex baseband, and what they say of the receiver."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jsonschema
import numpy as np
import sigmf
from numpy.typing import NDArray
from sigmf.error import SigMFError
from sigmf.sigmffile import dtype_info

from heimdall.formats.limits import Limits
from heimdall.observation import Place

RECEIVER_KEY = "heimdall:receiver"
CLOCK_KEY = "heimdall:clock_sigma_s"
LEVEL_KEY = "heimdall:level_sigma_db"
_PARTIAL_KEYS = (sigmf.OFFSET_KEY, sigmf.TRAILING_BYTES_KEY, sigmf.HEADER_BYTES_KEY, sigmf.DATASET_KEY)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?Z?", re.ASCII | re.IGNORECASE)


class UnreadableRecordingError(Exception):
    """This recording cannot be used; the message completes the sentence "the receiver is flagged: ..."."""


@dataclass(frozen=True, eq=False)
class SigmfRecording:
    """What one recording says; None where it says nothing."""

    receiver: str
    place: Place | None
    frequency_hz: float | None
    bandwidth_hz: float | None
    """From the edges of its annotations, made symmetric about the centre."""
    start_utc: datetime | None
    """Whole second of the first sample; `start_rest_s` is what follows."""
    start_rest_s: float
    clock_sigma_s: float | None
    level_sigma_db: float | None
    sample_rate_hz: float | None
    samples: NDArray[np.complex64] | None
    flaw: str | None = None
    notes: tuple[str, ...] = field(default=())


def parse_recording(name: str, meta: bytes, data: bytes | None, limits: Limits) -> SigmfRecording:
    """The first capture of a recording. Samples that cannot be used are left out, with the reason in `flaw`.

    Raises UnreadableRecordingError where the metadata are not SigMF.
    """
    document = _valid(meta)
    about = document["global"]
    capture = document["captures"][0] if document["captures"] else {}
    samples, flaw = None, None
    try:
        samples = _samples(document, data, limits)
    except UnreadableRecordingError as error:
        flaw = str(error)
    start_utc, start_rest_s = parse_utc(capture.get(sigmf.DATETIME_KEY))
    frequency_hz = number(capture.get(sigmf.FREQUENCY_KEY))
    clock_sigma_s, notes = _clock(name, about, start_utc)
    return SigmfRecording(
        receiver=text(about.get(RECEIVER_KEY)) or name,
        place=point(capture.get(sigmf.GEOLOCATION_KEY) or about.get(sigmf.GEOLOCATION_KEY)),
        frequency_hz=frequency_hz,
        bandwidth_hz=_bandwidth_hz(document["annotations"], frequency_hz),
        start_utc=start_utc,
        start_rest_s=start_rest_s,
        clock_sigma_s=clock_sigma_s,
        level_sigma_db=number(about.get(LEVEL_KEY)),
        sample_rate_hz=number(about.get(sigmf.SAMPLE_RATE_KEY)),
        samples=samples,
        flaw=flaw,
        notes=notes,
    )


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
    """The whole second, and the rest in s with every digit that a float holds."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None, 0.0
    *minute, second = (int(found[group]) for group in range(1, 7))
    try:
        whole = datetime(*minute, tzinfo=UTC) + timedelta(seconds=second)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None, 0.0
    return whole, float(f"0.{found[7] or 0}")


def _valid(meta: bytes) -> dict[str, Any]:
    """The metadata, checked against the library's schema; its own `validate` compiles the schema anew each time."""
    document = load_json(meta)
    try:
        fault = next(_validator().iter_errors(document), None)
    except RecursionError as error:
        raise UnreadableRecordingError("its metadata are nested too deeply") from error
    if fault is not None:
        raise UnreadableRecordingError(f"its metadata are not SigMF: {fault.message[:200]}")
    starts = [capture[sigmf.SAMPLE_START_KEY] for capture in document["captures"]]
    if starts != sorted(starts):
        raise UnreadableRecordingError("its metadata are not SigMF: captures out of order")
    return dict(document)


@cache
def _validator() -> Any:
    schema = sigmf.schema.get_schema()
    return jsonschema.validators.validator_for(schema)(schema)


def _clock(name: str, about: Mapping[str, Any], start_utc: datetime | None) -> tuple[float | None, tuple[str, ...]]:
    """The clock's uncertainty, None without a start time, and a note where that was not said on purpose."""
    if CLOCK_KEY not in about:
        return None, (f"{name} does not state {CLOCK_KEY}: it is taken to have no clock",)
    sigma_s = number(about[CLOCK_KEY])
    if sigma_s is not None and start_utc is None:
        return None, (f"{name} has no readable core:datetime: its clock cannot be used",)
    return sigma_s, ()


def _bandwidth_hz(annotations: list[dict[str, Any]], frequency_hz: float | None) -> float | None:
    keys = (sigmf.FREQ_LOWER_EDGE_KEY, sigmf.FREQ_UPPER_EDGE_KEY)
    edges = [number(annotation.get(key)) for annotation in annotations for key in keys]
    reach_hz = max((abs(edge - (frequency_hz or 0.0)) for edge in edges if edge is not None), default=0.0)
    return 2 * reach_hz if 0 < reach_hz < math.inf else None


def _samples(document: Mapping[str, Any], data: bytes | None, limits: Limits) -> NDArray[np.complex64]:
    """Samples of the first capture; integers come out between -1 and 1."""
    if data is None:
        raise UnreadableRecordingError("its data file is missing")
    info = _layout(document)
    count = len(data) // info["sample_size"]
    stated = _stated_count(document)
    if count < stated:
        raise UnreadableRecordingError(f"its data end after {count} samples where its metadata say {stated}")
    if count > limits.samples:
        raise UnreadableRecordingError(f"it has {count} samples, more than the {limits.samples} allowed")
    digest = document["global"].get(sigmf.SHA512_KEY)
    if digest is not None and digest != hashlib.sha512(data).hexdigest():
        raise UnreadableRecordingError("its data do not match their SHA-512: the file is damaged")
    starts = [int(capture[sigmf.SAMPLE_START_KEY]) for capture in document["captures"]]
    first, last = (*starts, count)[:2] if starts else (0, count)
    return _complex(data, info, count)[first:last]


def _layout(document: Mapping[str, Any]) -> dict[str, Any]:
    """How a sample lies in the data file: the library's description of the data type."""
    about = document["global"]
    if about.get(sigmf.NUM_CHANNELS_KEY, 1) != 1:
        raise UnreadableRecordingError("it has several channels: give each receiver its own recording")
    segments = [about, *document["captures"]]
    if any(segment.get(key) for segment in segments for key in _PARTIAL_KEYS):
        raise UnreadableRecordingError("its data file is not a plain row of samples")
    datatype = about[sigmf.DATATYPE_KEY]
    if not datatype.startswith("c"):
        raise UnreadableRecordingError(f"its samples are real ({datatype}), complex ones are needed")
    try:
        return dict(dtype_info(datatype))
    except SigMFError as error:
        raise UnreadableRecordingError(f"its data type {datatype} is unknown") from error


def _stated_count(document: Mapping[str, Any]) -> int:
    """How many samples there must be for the captures and annotations to lie within them."""
    segments = [*document["captures"], *document["annotations"]]
    ends = [int(segment[sigmf.SAMPLE_START_KEY]) + int(segment.get(sigmf.SAMPLE_COUNT_KEY, 0)) for segment in segments]
    return max(ends, default=0)


def _complex(data: bytes, info: Mapping[str, Any], count: int) -> NDArray[np.complex64]:
    parts = np.frombuffer(data, dtype=info["component_dtype"], count=2 * count)
    with np.errstate(all="ignore"):
        floats = parts.astype(np.float32)
    if info["is_fixedpoint"]:
        full_scale = np.float32(2 ** (8 * info["component_size"] - 1))
        floats = (floats - full_scale if info["is_unsigned"] else floats) / full_scale
    return floats.view(np.complex64)
