"""Recordings and observations made up for the readers' and writers' tests."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.observation import Observation, Place, Receiver, Reception

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


@pytest.fixture(scope="session")
def iq_session() -> Observation:
    """Three receivers that heard 4 kHz of noise in 16 kHz, started apart, with the transmitter known."""
    rng = np.random.default_rng(3)
    receptions = []
    for index in range(3):
        noise, wide = (rng.normal(size=1024) + 1j * rng.normal(size=1024) for _ in range(2))
        signal = np.fft.ifft(np.fft.fft(wide) * (np.abs(np.fft.fftfreq(1024, 1 / 16_000)) < 2000))
        receiver = Receiver(f"R{index} ü", 47.0 + index, 8.0 - index, 300.0, 5e-8 if index else None, 1.5)
        samples = (0.001 * noise + 0.1 * signal).astype(np.complex64)
        start_s = 0.25 * index - 0.123456789012
        receptions.append(Reception(receiver, samples=samples, sample_rate_hz=16_000.0, start_s=start_s))
    time_utc = datetime(2025, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    return Observation("night", 145.5e6, 4000.0, tuple(receptions), time_utc, 100.0, Place(47.5, 8.5, 420.0))
