"""A piece of one recording is found again in another, as precisely whatever the sample rate and however far it is looked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heimdall.evidence.iq.reference_channel import Channel, Stream, match
from heimdall.evidence.iq.resampling import resampled

_CHANNEL = Channel(98.5e6, 0.0, 90e3)
_LATE_S = 0.0731


def _streams(rate_hz: float, drift_ppm: float) -> tuple[Stream, Stream]:
    """A hub, and a stream that begins later and whose oscillator is off, for its tuner and its samples alike."""
    count = int(3.2 * rate_hz)
    rng = np.random.default_rng(7)
    spectrum = np.fft.fft(rng.normal(size=count) + 1j * rng.normal(size=count))
    spectrum[np.abs(np.fft.fftfreq(count, 1 / rate_hz)) > 0.5 * _CHANNEL.width_hz] = 0
    heard = np.fft.ifft(spectrum).astype(np.complex64)
    rate = 1 + drift_ppm * 1e-6
    at = (_LATE_S + rate * np.arange(int(3.0 * rate_hz)) / rate_hz) * rate_hz
    turned = resampled(heard, at) * np.exp(2j * math.pi * (rate - 1) * _CHANNEL.frequency_hz * at / rate_hz)
    noisy = turned + 0.05 * (rng.normal(size=len(at)) + 1j * rng.normal(size=len(at)))
    return Stream(heard, rate_hz, 0.0), Stream(noisy.astype(np.complex64), rate_hz, 0.0)


@pytest.mark.parametrize("rate_hz", [240e3, 250e3, 256_123.0])
@pytest.mark.parametrize("drift_ppm", [-2.3, 0.0, 1.1])
def test_it_is_found_within_the_width_of_its_peak(rate_hz: float, drift_ppm: float) -> None:
    hub, stream = _streams(rate_hz, drift_ppm)
    for most_offset_s in (0.1, 0.5, 2.0):
        found = match(stream, hub, _CHANNEL, most_offset_s)
        assert found is not None
        middle_s = 0.5 * stream.duration_s
        late_s = found.offset_s + found.rate * middle_s - (_LATE_S + (1 + drift_ppm * 1e-6) * middle_s)
        assert abs(late_s) < 1 / _CHANNEL.width_hz, f"{late_s * 1e6:.1f} us when looked for over {most_offset_s} s"
