"""One KiwiSDR recording: RIFF/WAVE with GPS stamps between its samples.

After the usual header come pairs of a `kiwi` chunk (age of the GPS solution in s, a pad byte, GPS second of week, nanosecond)
and a `data` chunk of int16 I and Q. A straight line through the stamps gives the true sample rate and the start.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heimdall.formats.readers.riff import missing_bytes, riff_chunks

_STAMP = struct.Struct("<BBII")
_FORMAT = struct.Struct("<HHIIHH")
_NOT_RECENT_AGE_S = 254
_WEEK_S = 604_800
_FULL_SCALE = 32768.0
_MIN_STAMPS = 17
_MIN_SHARE = 0.8
"""Where more stamps than the rest miss the line, samples were lost."""
_SIGMAS = 5.0
_LEAST_SPREAD_S = 100e-9
_MOST_SPREAD_S = 10e-6
_GPS_SOLUTION_SIGMA_S = 50e-9
_DRIFT = 20e-9
"""What the oscillator may drift between two GPS solutions."""
_MAX_RATE_ERROR = 1e-3


class BrokenRecordingError(Exception):
    """This recording cannot be used; the message completes the sentence "the receiver is flagged: ..."."""


@dataclass(frozen=True, eq=False)
class KiwiRecording:
    """Samples at the true rate; the first one was taken `start_s` after the beginning of the GPS week."""

    samples: NDArray[np.complex64]
    sample_rate_hz: float
    start_s: float
    clock_sigma_s: float | None
    """None where GPS had no recent solution."""
    missing_bytes: int
    """How much of the file is not there, by its own header."""


@dataclass(frozen=True, eq=False)
class _Chunks:
    age_s: NDArray[np.int64]
    stamp_s: NDArray[np.float64]
    """Relative to the first week second seen in the middle of the recording, for precision."""
    first_sample: NDArray[np.int64]
    samples: NDArray[np.complex64]
    origin_s: int


def parse_kiwi_wav(content: bytes) -> KiwiRecording:
    """Raises BrokenRecordingError for anything but a KiwiSDR recording with enough stamps on one line.

    Of a file that ends early, what is complete is used.
    """
    nominal_rate_hz = _nominal_rate_hz(content)
    chunks = _stamped_chunks(content)
    used = _on_one_line(chunks, nominal_rate_hz)
    step_s, start_s = np.polyfit(chunks.first_sample[used], chunks.stamp_s[used], 1)
    residual_s = chunks.stamp_s[used] - (start_s + step_s * chunks.first_sample[used])
    first = int(chunks.first_sample[used][0])
    return KiwiRecording(
        samples=chunks.samples[first:],
        sample_rate_hz=float(1 / step_s),
        start_s=float(chunks.origin_s + start_s + step_s * first) % _WEEK_S,
        clock_sigma_s=_clock_sigma_s(chunks.age_s[used], float(np.std(residual_s))),
        missing_bytes=missing_bytes(content),
    )


def _nominal_rate_hz(content: bytes) -> int:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise BrokenRecordingError("it is not a WAV file")
    for name, body in riff_chunks(content):
        if name == b"fmt " and len(body) >= _FORMAT.size:
            code, channels, rate_hz, _, _, bits = _FORMAT.unpack(body[: _FORMAT.size])
            if (code, channels, bits) != (1, 2, 16) or rate_hz == 0:
                raise BrokenRecordingError(
                    f"it is not IQ of 16 bits: format {code}, {channels} channels of {bits} bits, {rate_hz} Hz"
                )
            return int(rate_hz)
    raise BrokenRecordingError("the WAV file has no format")


def _stamped_chunks(content: bytes) -> _Chunks:
    """The samples, and for each `kiwi` chunk that is followed by data its stamp and the index of the next sample."""
    rows, blocks, count = [], [], 0
    stamp = None
    for name, body in riff_chunks(content):
        if name == b"kiwi" and len(body) >= _STAMP.size:
            stamp = _STAMP.unpack(body[: _STAMP.size])
        elif name == b"data":
            if stamp is not None:
                rows.append((stamp[0], stamp[2], stamp[3], count))
            block = np.frombuffer(body, dtype="<i2", count=len(body) // 4 * 2)
            blocks.append(block)
            count += len(block) // 2
            stamp = None
    if len(rows) < _MIN_STAMPS:
        raise BrokenRecordingError(f"it has {len(rows) or 'no'} GPS stamps, at least {_MIN_STAMPS} are needed")
    table = np.array(rows, dtype=np.int64)
    origin_s = int(np.median(table[:, 1]))
    second = (table[:, 1] - origin_s + _WEEK_S // 2) % _WEEK_S - _WEEK_S // 2
    floats = np.concatenate(blocks).astype(np.float32) / np.float32(_FULL_SCALE)
    return _Chunks(table[:, 0], second + table[:, 2] * 1e-9, table[:, 3], floats.view(np.complex64), origin_s)


def _on_one_line(chunks: _Chunks, nominal_rate_hz: int) -> NDArray[np.intp]:
    """Indices of the stamps on the line: slope and start by medians over far pairs (Theil 1950), then what lies near."""
    index = _candidates(chunks)
    sample, stamp_s = chunks.first_sample[index], chunks.stamp_s[index]
    half = len(index) // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = float(np.median((stamp_s[half:] - stamp_s[:-half]) / (sample[half:] - sample[:-half])))
    if not abs(slope * nominal_rate_hz - 1) < _MAX_RATE_ERROR:
        raise BrokenRecordingError(f"its GPS stamps do not fit the {nominal_rate_hz} Hz of its header")
    residual_s = stamp_s - slope * sample
    residual_s -= np.median(residual_s)
    spread_s = max(1.4826 * float(np.median(np.abs(residual_s))), _LEAST_SPREAD_S)
    near = np.abs(residual_s) <= _SIGMAS * spread_s
    if np.sum(near) < max(_MIN_STAMPS, _MIN_SHARE * len(index)) or spread_s > _MOST_SPREAD_S:
        raise BrokenRecordingError(
            f"only {np.sum(near)} of its {len(index)} GPS stamps lie on one line: samples were lost"
        )
    return index[near]


def _candidates(chunks: _Chunks) -> NDArray[np.intp]:
    """Stamps with a recent GPS solution, or all where those are too few; the first is stale by habit, and dropped."""
    index = np.arange(1, len(chunks.stamp_s))
    fresh = index[chunks.age_s[index] < _NOT_RECENT_AGE_S]
    return fresh if len(fresh) >= _MIN_STAMPS else index


def _clock_sigma_s(age_s: NDArray[np.int64], residual_sigma_s: float) -> float | None:
    """Stamps' scatter, GPS solution, and what the oscillator drifts until the next solution."""
    if np.any(age_s >= _NOT_RECENT_AGE_S):
        return None
    drift_s = _DRIFT * float(np.sqrt(np.mean(age_s.astype(float) ** 2)))
    return math.hypot(residual_sigma_s, _GPS_SOLUTION_SIGMA_S, drift_s)
