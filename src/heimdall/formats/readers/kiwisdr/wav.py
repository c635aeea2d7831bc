"""One KiwiSDR recording: RIFF/WAVE with GPS stamps between its samples.

After the usual header come pairs of a `kiwi` chunk (age of the GPS solution in s, a pad byte, GPS second of week, nanosecond)
and a `data` chunk of int16 I and Q. A straight line through the stamps gives the true sample rate and the start.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from heimdall.formats.readers.kiwisdr.gps_time import WEEK_S
from heimdall.formats.readers.kiwisdr.stamps import BrokenRecordingError, Stamps, line_through, require_enough
from heimdall.formats.readers.recordings.riff import missing_bytes, riff_chunks
from heimdall.validation.reception import NO_SAMPLES

_STAMP = struct.Struct("<BBII")
_FORMAT = struct.Struct("<HHIIHH")
_FULL_SCALE = 32768.0
_Row: TypeAlias = tuple[int, int, int, int]
"""Of a stamp: the age of its solution, second and nanosecond, and the index of the sample it belongs to."""
_STAMP_CHUNK = b"kiwi" + _STAMP.size.to_bytes(4, "little")
_LEAST_LEVEL_S = 0.1
"""A level of less is the moment's: keyed and pulsed signals change within it."""


@dataclass(frozen=True, eq=False)
class KiwiRecording:
    """Samples at the true rate; the first one was taken `start_s` after the beginning of the GPS week."""

    samples: NDArray[np.complex64]
    sample_rate_hz: float
    start_s: float | None
    """None where no stamps say."""
    clock_sigma_s: float | None
    """None where GPS had no recent solution."""
    missing_bytes: int
    """How much of the file is not there, by its own header."""


@dataclass(frozen=True, eq=False)
class _Chunks:
    stamps: Stamps
    samples: NDArray[np.complex64]
    origin_s: int
    """Second of the week from which the stamps count."""


def parse_kiwi_wav(content: bytes) -> KiwiRecording:
    """Raises BrokenRecordingError for anything but a KiwiSDR recording with enough stamps on one line.

    Of a file that ends early, what is complete is used.
    """
    nominal_rate_hz = _nominal_rate_hz(content)
    chunks = _stamped_chunks(content)
    line = line_through(chunks.stamps, nominal_rate_hz)
    return KiwiRecording(
        samples=chunks.samples[line.first_sample :],
        sample_rate_hz=line.sample_rate_hz,
        start_s=float(chunks.origin_s + line.time_s(line.first_sample)) % WEEK_S,
        clock_sigma_s=line.clock_sigma_s,
        missing_bytes=missing_bytes(content),
    )


def parse_unstamped_wav(content: bytes) -> KiwiRecording | None:
    """All samples of a recording with too few stamps, at its header's rate, for their level; None for too few of them.

    Its few stamps, if they are more than a stale one, say roughly when it began. Raises BrokenRecordingError as above, where it
    has no sample at all, or where a chunk of data would run over the stamps that follow it.
    """
    rate_hz = _nominal_rate_hz(content)
    rows, samples = _stamps_and_samples(content, partial=True)
    if not len(samples):
        raise BrokenRecordingError(NO_SAMPLES)
    if len(samples) < _LEAST_LEVEL_S * rate_hz:
        return None
    begins_s = [second + nanosecond * 1e-9 - first / rate_hz for _, second, nanosecond, first in rows[1:]]
    return KiwiRecording(
        samples=samples,
        sample_rate_hz=float(rate_hz),
        start_s=float(np.median(begins_s)) % WEEK_S if len(begins_s) > 1 else None,
        clock_sigma_s=None,
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
    rows, samples = _stamps_and_samples(content)
    require_enough(len(rows))
    table = np.array(rows, dtype=np.int64)
    origin_s = int(np.median(table[:, 1]))
    second = (table[:, 1] - origin_s + WEEK_S // 2) % WEEK_S - WEEK_S // 2
    stamps = Stamps(table[:, 0], second + table[:, 2] * 1e-9, table[:, 3])
    return _Chunks(stamps, samples, origin_s)


def _stamps_and_samples(content: bytes, *, partial: bool = False) -> tuple[list[_Row], NDArray[np.complex64]]:
    """With `partial` also what is there of a last chunk that ends early."""
    rows, blocks, count = list[_Row](), list[NDArray[np.int16]](), 0
    stamp = None
    for name, body in riff_chunks(content, partial=partial):
        if name == b"kiwi" and len(body) >= _STAMP.size:
            stamp = _STAMP.unpack(body[: _STAMP.size])
        elif name == b"data":
            if partial and _STAMP_CHUNK in body:
                raise BrokenRecordingError("the stated size of a data chunk in it is wrong: the file is damaged")
            if stamp is not None:
                rows.append((stamp[0], stamp[2], stamp[3], count))
            block = np.frombuffer(body, dtype="<i2", count=len(body) // 4 * 2)
            blocks.append(block)
            count += len(block) // 2
            stamp = None
    floats = np.concatenate([np.empty(0, np.int16), *blocks]).astype(np.float32) / np.float32(_FULL_SCALE)
    return rows, floats.view(np.complex64)
