"""What one receiver hears, as spectra, before anything is recorded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from heimdall.capture.drivers import driver_of, identify
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Gives, Stream, Target, Tuning
from heimdall.capture.network.access import Access
from heimdall.capture.slots import one_slot

BINS = 256
_EVERY_S = 0.2
"""Interval of the spectra, by the receiver's time."""
_FLOOR_DB = -200.0


@dataclass(frozen=True)
class Spectrum:
    """Power in each of the bins from `low_hz` to `high_hz`, over full scale, averaged over a fifth of a second."""

    utc: datetime
    low_hz: float
    high_hz: float
    power_db: tuple[float, ...]
    """Empty of a receiver that gives levels only."""
    level_dbm: float | None


async def spectra(target: Target, tuning: Tuning, seconds: float, access: Access) -> AsyncGenerator[Spectrum]:
    """Take a slot and listen for so many seconds of the receiver's time. Raises CaptureError."""
    with one_slot(target.address):
        target, status = await identify(target, access)
        if status.fault is not None:
            raise CaptureError(Fault.BUSY, status.fault)
        async with (
            driver_of(target.address).open(target, tuning, access) as stream,
            aclosing(_spectra(stream, tuning, seconds)) as found,
        ):
            async for each in found:
                yield each


async def _spectra(stream: Stream, tuning: Tuning, seconds: float) -> AsyncGenerator[Spectrum]:
    waiting: list[NDArray[np.complex64]] = []
    count, heard_s = 0, 0.0
    async for block in stream:
        form = stream.format
        heard_s += block.count / form.sample_rate_hz
        if form.gives is Gives.LEVEL:
            yield Spectrum(datetime.now(UTC), *tuning.edges_hz, (), block.level_dbm)
        else:
            waiting.append(block.samples(form.datatype))
            count += block.count
            if count >= max(BINS, _EVERY_S * form.sample_rate_hz):
                half_hz = form.sample_rate_hz / 2
                power_db = power_of(np.concatenate(waiting))
                waiting, count = [], 0
                edges_hz = form.frequency_hz - half_hz, form.frequency_hz + half_hz
                yield Spectrum(datetime.now(UTC), *edges_hz, tuple(power_db), block.level_dbm)
        if heard_s >= seconds:
            return


def power_of(samples: NDArray[np.complex64]) -> list[float]:
    """Mean power spectrum in dB of at least `BINS` samples, low to high frequency; a full-scale tone has 0 dB (Welch, Hann)."""
    starts = range(0, len(samples) - BINS + 1, BINS // 2)
    window = np.hanning(BINS)
    pieces = np.stack([samples[start : start + BINS] for start in starts]) * window / window.sum()
    power = np.mean(np.abs(np.fft.fftshift(np.fft.fft(pieces), axes=1)) ** 2, axis=0)
    return [round(float(each), 1) for each in np.maximum(10 * np.log10(power + 1e-30), _FLOOR_DB)]
