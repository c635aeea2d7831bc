"""Sessions written as SigMF: a folder with a collection and one recording a receiver."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import sigmf
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.formats.coordinates import place_sigma_m
from heimdall.formats.readers.recordings.heard import EPOCH
from heimdall.formats.readers.sigmf.metadata import CLOCK_KEY, LEVEL_KEY, POSITION_KEY, RECEIVER_KEY
from heimdall.formats.readers.sigmf.stated import TRANSMITTER_HEIGHT_KEY, TRUTH_KEY
from heimdall.formats.readers.source import COLLECTION_SUFFIX, META_SUFFIX
from heimdall.observation import Observation, Receiver, Reception

EXTENSION = {"name": "heimdall", "version": "1.0.0", "optional": True}
_PICOSECONDS = 10**12


class Datatype(StrEnum):
    """How samples are stored. Integers hold samples between -1 and 1."""

    CF32_LE = "cf32_le"
    CF32_BE = "cf32_be"
    CI16_LE = "ci16_le"
    CI16_BE = "ci16_be"
    CI8 = "ci8"


def write_sigmf(observation: Observation, folder: Path, datatype: Datatype = Datatype.CF32_LE) -> Path:
    """Write the receptions that have samples into `folder`, which is made, and give the collection's path.

    Flaws are not written: a reader finds them again. Raises InputError where a session is already there, where no reception
    has samples, or where samples exceed the range of integers.
    """
    recorded = [reception for reception in observation.receptions if reception.samples is not None]
    if not recorded:
        raise InputError(f"{observation.id} has no IQ: write it as a measurement file (.jsonl)")
    session = file_name(observation.id)
    collection_path = folder / f"{session}{COLLECTION_SUFFIX}"
    if collection_path.exists():
        raise InputError(f"{collection_path} is already there; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for index, reception in enumerate(recorded):
        name = f"{session}-{index:02d}-{file_name(reception.receiver.name)}"
        recording = _recording(observation, reception, session, datatype)
        recording.tofile(folder / f"{name}{META_SUFFIX}", overwrite=True, skip_validate=True)
        names.append(f"{name}{META_SUFFIX}")
    collection = sigmf.SigMFCollection(names, {"collection": _about_session(observation)}, base_path=folder)
    collection.tofile(collection_path)
    return collection_path


def file_name(name: str) -> str:
    """The name with what file systems dislike replaced."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".") or "unnamed"


def _about_session(observation: Observation) -> dict[str, Any]:
    about: dict[str, Any] = {"core:streams": [], "core:extensions": [EXTENSION]}
    truth = observation.truth
    if truth is not None:
        about[TRUTH_KEY] = point_json(truth.latitude_deg, truth.longitude_deg, truth.height_m)
    if observation.transmitter_height_m is not None:
        about[TRANSMITTER_HEIGHT_KEY] = observation.transmitter_height_m
    return about


def _recording(observation: Observation, reception: Reception, session: str, datatype: Datatype) -> sigmf.SigMFFile:
    assert reception.samples is not None
    receiver = reception.receiver
    assert reception.sample_rate_hz is not None
    about = about_recording(receiver, datatype, reception.sample_rate_hz, session)
    recording = sigmf.SigMFFile(global_info=about)
    recording.add_capture(
        0, {sigmf.FREQUENCY_KEY: observation.frequency_hz, sigmf.DATETIME_KEY: _stamp(observation, reception)}
    )
    edges = channel_edges(observation.frequency_hz, observation.bandwidth_hz)
    recording.add_annotation(0, len(reception.samples), edges)
    recording.set_data_file(data_buffer=io.BytesIO(_encode(receiver.name, reception.samples, datatype)))
    return recording


def about_recording(receiver: Receiver, datatype: str, sample_rate_hz: float, session: str) -> dict[str, Any]:
    """The global part of a recording's metadata."""
    about = {
        sigmf.DATATYPE_KEY: str(datatype),
        sigmf.SAMPLE_RATE_KEY: sample_rate_hz,
        sigmf.GEOLOCATION_KEY: point_json(receiver.latitude_deg, receiver.longitude_deg, receiver.height_m),
        sigmf.EXTENSIONS_KEY: [EXTENSION],
        sigmf.COLLECTION_KEY: session,
        RECEIVER_KEY: receiver.name,
        CLOCK_KEY: receiver.clock_sigma_s,
    }
    if receiver.level_sigma_db is not None:
        about[LEVEL_KEY] = receiver.level_sigma_db
    if receiver.position_sigma_m is not None:
        about[POSITION_KEY] = receiver.position_sigma_m
    elif place_sigma_m(None, receiver.latitude_deg, receiver.longitude_deg) is not None:
        about[POSITION_KEY] = 0.0  # exact, though its few digits would read as rounded
    return about


def channel_edges(frequency_hz: float, bandwidth_hz: float) -> dict[str, float]:
    """The edges in an annotation that state the channel."""
    return {
        sigmf.FREQ_LOWER_EDGE_KEY: frequency_hz - bandwidth_hz / 2,
        sigmf.FREQ_UPPER_EDGE_KEY: frequency_hz + bandwidth_hz / 2,
    }


def point_json(latitude_deg: float, longitude_deg: float, height_m: float | None) -> dict[str, Any]:
    height = [] if height_m is None else [height_m]
    return {"type": "Point", "coordinates": [longitude_deg, latitude_deg, *height]}


def _stamp(observation: Observation, reception: Reception) -> str:
    """UTC of the first sample."""
    origin = observation.time_utc or EPOCH
    whole_ps = round((origin - EPOCH).total_seconds() * 10**6) * 10**6
    return utc_text(whole_ps + round(reception.start_s * _PICOSECONDS))


def utc_text(utc_ps: int) -> str:
    """UTC in ps since 1970 with twelve digits after the second, as whole numbers so that none is lost."""
    seconds, picoseconds = divmod(utc_ps, _PICOSECONDS)
    second = EPOCH.replace(tzinfo=None) + timedelta(seconds=seconds)
    return f"{second.isoformat()}.{picoseconds:012d}Z"


def _encode(name: str, samples: NDArray[np.complex64], datatype: Datatype) -> bytes:
    kind, _, order = datatype.value.partition("_")
    dtype = np.dtype(f"{'>' if order == 'be' else '<'}{kind[1]}{int(kind[2:]) // 8}")
    floats = np.ascontiguousarray(samples, dtype=np.complex64).view(np.float32)
    if dtype.kind == "f":
        return floats.astype(dtype).tobytes()
    full_scale = 2 ** (8 * dtype.itemsize - 1)
    if not np.all(np.abs(floats) <= 1):
        raise InputError(
            f"{name}: samples exceed 1, which {datatype} cannot hold: scale all receivers alike, or write cf32_le"
        )
    return np.clip(np.round(floats * full_scale), -full_scale, full_scale - 1).astype(dtype).tobytes()
