"""Recordings and observations made up for the readers' and writers' tests."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

KiwiWav = Callable[..., bytes]
_CHUNK = 512


@pytest.fixture(scope="session")
def kiwi_wav() -> KiwiWav:
    """A function that writes a KiwiSDR recording: chunks of 512 samples, each after its stamp in ns of the GPS week."""

    def write(samples: NDArray[np.complex64], stamps_ns: NDArray[np.int64], age_s: int = 1) -> bytes:
        body = b"WAVE" + _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 12001, 48004, 4, 16))
        for index, stamp_ns in enumerate(stamps_ns):
            seconds, nanoseconds = divmod(int(stamp_ns), 10**9)
            body += _chunk(b"kiwi", struct.pack("<BBII", age_s, 0, seconds, nanoseconds))
            block = samples[index * _CHUNK : (index + 1) * _CHUNK]
            body += _chunk(b"data", np.stack([block.real, block.imag], axis=-1).astype("<i2").tobytes())
        return b"RIFF" + struct.pack("<I", len(body)) + body

    return write


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body
