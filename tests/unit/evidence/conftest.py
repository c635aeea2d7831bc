"""Signals and recordings with known delays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.iq.from_recordings import Recordings

Values = NDArray[np.float64]
MakeSignal = Callable[..., NDArray[np.complex64]]
MakeRecordings = Callable[..., Recordings]


@pytest.fixture(scope="session")
def make_signal() -> MakeSignal:
    """Noise of a bandwidth as receivers sample it: (N, T) delayed by any fraction of a sample, detuned, in noise.

    Power 1 and noise of power 1 / snr in the channel of `bandwidth_hz`, which the signal fills.
    """

    def make(
        delay_s: Values,
        snr: float | Values = 1e3,
        samples: int = 4096,
        sample_rate_hz: float = 50e3,
        bandwidth_hz: float = 25e3,
        offset_hz: Values | float = 0.0,
        seed: int = 0,
    ) -> NDArray[np.complex64]:
        rng = np.random.default_rng(seed)
        count, length = len(delay_s), 2 * samples
        frequency = np.fft.fftfreq(length, 1 / sample_rate_hz)
        spectrum = _noise(rng, length) * (np.abs(frequency) < 0.5 * bandwidth_hz)
        waveform = np.fft.ifft(spectrum * np.exp(-2j * np.pi * frequency * delay_s[:, None]))[:, :samples]
        waveform /= np.sqrt(np.mean(np.abs(np.fft.ifft(spectrum)) ** 2))
        time_s = np.arange(samples) / sample_rate_hz
        turns = np.broadcast_to(offset_hz, count)[:, None] * time_s + rng.uniform(size=(count, 1))
        level = sample_rate_hz / bandwidth_hz / np.broadcast_to(snr, count)[:, None]
        noisy = waveform * np.exp(2j * np.pi * turns) + np.sqrt(level) * _noise(rng, (count, samples))
        return noisy.astype(np.complex64)

    return make


def _noise(rng: np.random.Generator, shape: Any) -> NDArray[np.complex128]:
    return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


@pytest.fixture(scope="session")
def make_recordings() -> MakeRecordings:
    """One scene of the given samples (N, T), or several (B, N, T), in a plane of 100 km, with good clocks."""

    def make(samples: NDArray[np.complex64], **changes: Any) -> Recordings:
        samples = samples if samples.ndim == 3 else samples[None]
        scenes, receivers, _ = samples.shape
        rng = np.random.default_rng(99)
        recordings = Recordings(
            samples_BNT=samples,
            sample_rate_hz=50e3,
            bandwidth_hz=25e3,
            start_s=np.zeros((scenes, receivers)),
            position_enu_m=rng.uniform(-50e3, 50e3, (scenes, receivers, 3)),
            present=np.ones((scenes, receivers), dtype=bool),
            clock_sigma_s=np.full((scenes, receivers), 1e-7),
            level_sigma_db=np.full((scenes, receivers), 2.0),
            curvature_per_m=np.zeros((scenes, 2)),
            transmitter_height_m=np.zeros(scenes),
            half_width_m=np.full(scenes, 100e3),
        )
        return replace(recordings, **changes)

    return make


@pytest.fixture(scope="session")
def to_torch() -> Callable[[Any], Any]:
    """A dataclass of numpy arrays with torch tensors in their place."""

    def convert(batch: Any) -> Any:
        arrays = {each.name: getattr(batch, each.name) for each in fields(batch)}
        changes = {name: torch.as_tensor(v) for name, v in arrays.items() if isinstance(v, np.ndarray)}
        return replace(batch, **changes)

    return convert


@pytest.fixture(scope="session")
def same_evidence() -> Callable[..., None]:
    """Asserts that two batches of evidence, in numpy or torch, agree; times in s, levels in dB."""

    def check(one: EvidenceBatch, other: EvidenceBatch, time_s: float = 1e-9, level_db: float = 1e-3) -> None:
        for name in ("present", "has_arrival", "has_level"):
            np.testing.assert_array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)))
        timed, leveled = np.asarray(one.has_arrival), np.asarray(one.has_level)
        difference = np.asarray(one.arrival_s, dtype=float) - np.asarray(other.arrival_s, dtype=float)
        # Each scene has its own origin of time.
        mean = np.sum(difference * timed, axis=1) / np.maximum(timed.sum(axis=1), 1)
        assert np.max(np.abs((difference - mean[:, None]) * timed)) < time_s
        levels = np.asarray(one.level_db, dtype=float) - np.asarray(other.level_db, dtype=float)
        assert np.max(np.abs(levels[leveled]), initial=0) < level_db

    return check
