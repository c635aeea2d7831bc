"""Recordings and observations made up for the readers' and writers' tests."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.fix import Fix, ReceiverReport, Region, Status, check_against
from heimdall.geometry import LocalFrame
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


def circle(latitude_deg: float, longitude_deg: float, radius_m: float, clockwise: bool = False) -> NDArray[np.float64]:
    """A closed ring of 64 points, longitude first."""
    angle = np.linspace(0, -2 * np.pi if clockwise else 2 * np.pi, 65)
    frame = LocalFrame(latitude_deg, longitude_deg)
    place_m = np.stack([radius_m * np.cos(angle), radius_m * np.sin(angle), np.zeros(65)], axis=-1)
    latitude, longitude, _ = frame.to_geodetic(place_m)
    ring = np.stack([longitude, latitude], axis=-1)
    ring[-1] = ring[0]
    return ring


@pytest.fixture
def located() -> tuple[Fix, Observation]:
    """A fix 1 km north of its transmitter, with a hole in its region; of four receivers one is flagged and one is nowhere."""
    receivers = [Receiver(f"R{index} <&>", 47.0 + index / 2, 8.0 + (index % 2) / 2, 300.0, 5e-8) for index in range(3)]
    receptions = [Reception(receiver, toa_s=0.001) for receiver in receivers]
    receptions.append(Reception(Receiver("lost", float("nan"), 8.0), toa_s=0.001, flaw="its position is not known"))
    time_utc = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)
    observation = Observation("night & day", 145.5e6, 4000.0, tuple(receptions), time_utc, truth=Place(47.2, 8.2))
    reports = (
        ReceiverReport("R0 <&>", True, None, 120.0),
        ReceiverReport("R1 <&>", True, None, -40.0),
        ReceiverReport("R2 <&>", False, "its clock is off", None),
        ReceiverReport("lost", False, "its position is not known", None),
    )
    latitude_deg = 47.2 + 1000 / 111_190
    outer, hole = circle(latitude_deg, 8.2, 5000, clockwise=True), circle(latitude_deg, 8.2, 300)
    region_68 = Region(0.68, ((circle(latitude_deg, 8.2, 2000), hole),))
    region_95 = Region(0.95, ((outer,), (circle(47.3, 8.3, 400),)))
    fix = Fix(
        "night & day",
        Status.OK,
        "the region holds <most> of it",
        "likelihood",
        reports,
        latitude_deg,
        8.2,
        420.0,
        np.diag([900.0**2, 1200.0**2, 0.0]),
        region_68,
        region_95,
        12.5,
        check_against(observation.truth, latitude_deg, 8.2, region_68, region_95),
        0.0,
    )
    return fix, observation


@pytest.fixture
def unlocated(located: tuple[Fix, Observation]) -> tuple[Fix, Observation]:
    """The same observation with too little to locate it."""
    fix, observation = located
    receivers = tuple(ReceiverReport(report.name, False, "too few") for report in fix.receivers)
    return Fix("night & day", Status.INSUFFICIENT, "add receivers", "likelihood", receivers), observation
