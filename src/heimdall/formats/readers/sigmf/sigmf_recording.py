"""One SigMF recording: samples as complex baseband, and what its metadata say of the receiver."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import sigmf
from numpy.typing import NDArray
from sigmf.error import SigMFError
from sigmf.sigmffile import dtype_info

from heimdall.formats.coordinates import COARSE_M, place_sigma_m
from heimdall.formats.readers.limits import Limits
from heimdall.formats.readers.recordings.clipping import clipping_note
from heimdall.formats.readers.recordings.tuning import Tuning
from heimdall.formats.readers.sigmf.annotated import Band, annotated_bands
from heimdall.formats.readers.sigmf.data import complex_samples
from heimdall.formats.readers.sigmf.dates import parse_utc, second_digits
from heimdall.formats.readers.sigmf.metadata import (
    CLOCK_KEY,
    LEVEL_KEY,
    POSITION_KEY,
    RECEIVER_KEY,
    UnreadableRecordingError,
)
from heimdall.formats.readers.sigmf.places import point
from heimdall.formats.readers.sigmf.runs import Run, at_one_place, longest_run, placed
from heimdall.formats.readers.sigmf.values import number, text
from heimdall.formats.wording import length_text
from heimdall.observation import Place

_OTHER_TYPES = ("cf32_le", "ci16_le", "cf64_le", "ci8", "cu8", "cf32_be", "ci16_be", "cf64_be")
"""What data mostly are that are not what their label says, the likeliest first."""
_OVERRUN = 0.01
"""By this share annotations may end after the data: programs that mark bursts, or count from 1, do so."""
_SANE = (1e-18, 1e18)
"""Magnitudes that a receiver may show; floats of wrongly typed bytes are spread far beyond."""


@dataclass(frozen=True, eq=False)
class SigmfRecording:
    """What one recording says; None where it says nothing."""

    receiver: str
    place: Place | None
    frequency_hz: float | None
    bands: Mapping[Band, float]
    """What its annotations mark, each for what share of its time."""
    start_utc: datetime | None
    """Whole second of the first sample; `start_rest_s` is what follows."""
    start_rest_s: float
    start_digits: str | None
    """The fraction of its second as it is written; None for a whole one."""
    clock_sigma_s: float | None
    level_sigma_db: float | None
    position_sigma_m: float | None
    sample_rate_hz: float | None
    samples: NDArray[np.complex64] | None
    flaw: str | None = None
    notes: tuple[str, ...] = field(default=())


def dataset_name(document: Mapping[str, Any]) -> str | None:
    """The file that holds the samples where it is not the one of the recording's own name."""
    return text(document["global"].get(sigmf.DATASET_KEY))


def parse_recording(name: str, document: dict[str, Any], data: bytes | None, limits: Limits) -> SigmfRecording:
    """The longest run of captures of a recording. Samples that cannot be used are left out, with the reason in `flaw`."""
    about = document["global"]
    samples, flaw = None, None
    notes: list[str] = []
    run = Run(document["captures"][0] if document["captures"] else {}, 0, 0)
    rate_hz = number(about.get(sigmf.SAMPLE_RATE_KEY))
    try:
        stored = _stored(document, data, limits)
        captures = [placed(capture, about) for capture in document["captures"]]
        run, notes = longest_run(name, captures, len(stored), rate_hz)
        samples = stored[run.first : run.last]
        if _layout(document)["is_fixedpoint"]:
            notes = [*notes, *clipping_note(name, samples)]
    except UnreadableRecordingError as error:
        flaw = str(error)
    start_utc, start_rest_s = parse_utc(run.capture.get(sigmf.DATETIME_KEY))
    frequency_hz = number(run.capture.get(sigmf.FREQUENCY_KEY))
    clock_sigma_s, clock_notes = _clock(name, about, run.capture)
    place = point(placed(run.capture, about).get(sigmf.GEOLOCATION_KEY))
    notes = [*notes, *_two_places(name, about, place)]
    position_sigma_m = _place_sigma_m(number(about.get(POSITION_KEY)), place)
    heard = range(run.first, run.last)
    bands, edge_notes = annotated_bands(name, document["annotations"], Tuning(frequency_hz or 0.0, rate_hz), heard)
    return SigmfRecording(
        receiver=text(about.get(RECEIVER_KEY)) or name,
        place=place,
        frequency_hz=frequency_hz,
        bands=bands,
        start_utc=start_utc,
        start_rest_s=start_rest_s,
        start_digits=second_digits(run.capture.get(sigmf.DATETIME_KEY)),
        clock_sigma_s=clock_sigma_s,
        level_sigma_db=number(about.get(LEVEL_KEY)),
        position_sigma_m=position_sigma_m,
        sample_rate_hz=rate_hz,
        samples=samples,
        flaw=flaw,
        notes=(*notes, *clock_notes, *edge_notes, *_rounded(name, position_sigma_m, number(about.get(POSITION_KEY)))),
    )


def _place_sigma_m(stated_m: float | None, place: Place | None) -> float | None:
    return stated_m if place is None else place_sigma_m(stated_m, place.latitude_deg, place.longitude_deg)


def _two_places(name: str, about: Mapping[str, Any], place: Place | None) -> list[str]:
    """A note where its capture is elsewhere than the whole recording."""
    of_all = point(about.get(sigmf.GEOLOCATION_KEY))
    if of_all is None or place is None or at_one_place(of_all, place):
        return []
    key = sigmf.GEOLOCATION_KEY
    return [f"{name}: the {key} of its capture is another than that in global: the capture's is used"]


def _rounded(name: str, sigma_m: float | None, stated_m: float | None) -> list[str]:
    """A note where the decimals of a position, and not what is stated of it, say how well it is known."""
    if sigma_m is None or sigma_m == stated_m or sigma_m <= COARSE_M:
        return []
    return [f"{name}: its position is rounded to about {length_text(sigma_m)} (one standard deviation)"]


def _clock(name: str, about: Mapping[str, Any], capture: Mapping[str, Any]) -> tuple[float | None, list[str]]:
    """The clock's uncertainty, None without a start time, and a note where that was not said on purpose."""
    if CLOCK_KEY not in about:
        return None, [f"{name} does not state {CLOCK_KEY}: it is taken to have no clock"]
    sigma_s = number(about[CLOCK_KEY])
    if sigma_s is None and about[CLOCK_KEY] is not None:
        return None, [f"{name}: its {CLOCK_KEY} is not a number: it is taken to have no clock"]
    if sigma_s is not None and parse_utc(capture.get(sigmf.DATETIME_KEY))[0] is None:
        return None, [f"{name} has no readable core:datetime: its clock cannot be used"]
    return sigma_s, []


def _stored(document: Mapping[str, Any], data: bytes | None, limits: Limits) -> NDArray[np.complex64]:
    """All samples of the data file; integers come out between -1 and 1."""
    if data is None:
        dataset = dataset_name(document)
        raise UnreadableRecordingError(
            "its data file is missing" if dataset is None else f"its samples are in {dataset}, which is not beside it"
        )
    info = _layout(document)
    headers = [int(capture.get(sigmf.HEADER_BYTES_KEY) or 0) for capture in document["captures"]]
    trailing = int(document["global"].get(sigmf.TRAILING_BYTES_KEY) or 0)
    count = max(0, len(data) - sum(headers) - trailing) // info["sample_size"]
    stated = _stated_count(document)
    starts = [int(capture[sigmf.SAMPLE_START_KEY]) for capture in document["captures"]]
    if count < (1 - _OVERRUN) * stated or count < max(starts, default=0):
        raise UnreadableRecordingError(
            f"its data end after {count} samples where its metadata say {stated}{_as_another(data, stated, document)}"
        )
    if count > limits.samples:
        raise UnreadableRecordingError(f"it has {count} samples, more than the {limits.samples} allowed")
    digest = document["global"].get(sigmf.SHA512_KEY)
    if digest is not None and digest.lower() != hashlib.sha512(data).hexdigest():
        raise UnreadableRecordingError("its data do not match their SHA-512: the file is damaged")
    samples = complex_samples(_without_headers(data, headers, starts, info["sample_size"]), info, count)
    if not _is_sane(samples):
        raise UnreadableRecordingError(f"its samples make no sense as {info_name(document)}{_as_sane(data, document)}")
    return samples


def info_name(document: Mapping[str, Any]) -> str:
    return str(document["global"][sigmf.DATATYPE_KEY])


def _without_headers(data: bytes, headers: Sequence[int], starts: Sequence[int], size: int) -> bytes:
    """The row of samples without the bytes that stand before each capture's."""
    if not any(headers):
        return data
    ends = [*starts[1:], (len(data) - sum(headers)) // size]
    pieces, place = [data[headers[0] : headers[0]]], 0
    pieces.append(data[headers[0] : headers[0] + starts[0] * size])
    place = starts[0] * size
    for header, start, end in zip(headers, starts, ends, strict=True):
        place += header
        pieces.append(data[place : place + (end - start) * size])
        place += (end - start) * size
    return b"".join(pieces)


def _layout(document: Mapping[str, Any]) -> dict[str, Any]:
    """How a sample lies in the data file: the library's description of the data type."""
    about = document["global"]
    if about.get(sigmf.NUM_CHANNELS_KEY, 1) != 1:
        raise UnreadableRecordingError("it has several channels: give each receiver its own recording")
    if about.get(sigmf.OFFSET_KEY):
        raise UnreadableRecordingError(
            "its data file is not a plain row of samples: what its metadata mark begins before its core:offset"
        )
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


def _as_another(data: bytes, stated: int, document: Mapping[str, Any]) -> str:
    """The data type by which there would be as many samples as stated, where they make no sense as they are labelled."""
    info = _layout(document)
    if not info["is_fixedpoint"] and _is_sane(complex_samples(data, info, len(data) // info["sample_size"])):
        return ""
    fitting = [each for each in _OTHER_TYPES if stated and len(data) == stated * dtype_info(each)["sample_size"]]
    return f": is it {fitting[0]}?" if fitting and fitting[0] != info_name(document) else ""


def _as_sane(data: bytes, document: Mapping[str, Any]) -> str:
    """The first data type of floats by which the samples make sense, else the likeliest of integers."""
    for datatype in _OTHER_TYPES:
        info = dtype_info(datatype)
        count = min(len(data) // info["sample_size"], 65536)
        if (
            datatype != info_name(document)
            and not info["is_fixedpoint"]
            and _is_sane(complex_samples(data, info, count))
        ):
            return f": is it {datatype}?"
    return ": is it ci16_le?"


def _is_sane(samples: NDArray[np.complex64]) -> bool:
    """Most magnitudes that are not zero are such as receivers show; few samples say nothing."""
    size = np.abs(samples[:65536].view(np.float32))
    size = size[size > 0]
    if len(size) < 64:
        return True
    with np.errstate(invalid="ignore"):
        return bool(np.mean((size > _SANE[0]) & (size < _SANE[1])) > 0.9) or bool(np.mean(np.isnan(size)) > 0.5)
