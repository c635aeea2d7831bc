"""Recordings whose samples are not taken at the rate that is stated: found, taken off, and said."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import Collected, collect
from heimdall.evidence.iq.drift import without_drift
from heimdall.evidence.iq.resampling import resampled
from heimdall.observation import Observation, Receiver, Reception

RATE_HZ, SECONDS = 8_000.0, 12
PLACES = [(50.3, 10.0), (50.0, 10.6), (49.7, 9.9), (50.1, 9.4)]
DELAYS_S = np.array([0.0, 150e-6, -80e-6, 60e-6])


def _collected(off: list[float], begun_s: list[float], seed: int = 1, speed: float = 0.0) -> Collected:
    """Four receivers that heard 3 kHz of noise for 12 s with these delays; `off` is by how much their rates are off."""
    rng = np.random.default_rng(seed)
    count = int(RATE_HZ * (SECONDS + 2))
    spectrum = np.fft.fft(rng.normal(size=count) + 1j * rng.normal(size=count))
    spectrum[np.abs(np.fft.fftfreq(count, 1 / RATE_HZ)) > 1500] = 0
    wave = np.fft.ifft(spectrum).astype(np.complex64)
    wave /= np.std(wave)
    receptions = [
        _heard(wave, rng, index, rate, begin_s, speed)
        for index, (rate, begin_s) in enumerate(zip(off, begun_s, strict=True))
    ]
    return collect(Observation("o", 145e6, 3000.0, tuple(receptions)))


def _heard(
    wave: NDArray[np.complex64], rng: np.random.Generator, index: int, off: float, begin_s: float, speed: float
) -> Reception:
    elapsed_s = np.arange(int(RATE_HZ * SECONDS)) / (RATE_HZ * (1 + off))
    late_s = DELAYS_S[index] + (speed * (elapsed_s - 0.5 * SECONDS) if index == 0 else 0.0)
    samples = resampled(wave, (begin_s + elapsed_s - late_s + 0.5) * RATE_HZ)
    noise = 0.3 * (rng.normal(size=len(samples)) + 1j * rng.normal(size=len(samples)))
    receiver = Receiver(f"R{index}", *PLACES[index], 100.0, 1e-7)
    return Reception(receiver, (samples + noise).astype(np.complex64), RATE_HZ, begin_s)


def _errors_s(collected: Collected) -> NDArray[np.float64]:
    missed = collected.evidence.arrival_s[0] - DELAYS_S
    return np.asarray(missed - np.median(missed))


@pytest.mark.parametrize("off", [20e-6, -60e-6])
@pytest.mark.parametrize("which", range(4))
def test_a_rate_that_is_off_costs_no_accuracy(off: float, which: int) -> None:
    """It moved the arrival time by half of what it gains over the recording, 120 or 360 us, and nobody was told."""
    rates = [off if index == which else 0.0 for index in range(4)]
    collected = _collected(rates, [0.1, 0.0, 0.2, 0.05])
    assert np.max(np.abs(_errors_s(collected))) < 5e-6 + abs(off) * 0.2
    assert np.all(np.abs(_errors_s(collected)) < 4 * np.hypot(collected.evidence.arrival_sigma_s[0], 1e-6))
    told = [reason is not None and "not taken at the rate stated" in reason for reason in collected.reasons]
    assert told == [index == which for index in range(4)]
    found = re.search(r"([-+][0-9.]+) ppm", collected.reasons[which] or "")
    assert found is not None
    assert float(found[1]) == pytest.approx(off * 1e6, abs=0.5)


def test_true_rates_and_clocks_say_nothing() -> None:
    collected = _collected([0.0] * 4, [0.1, 0.0, 0.2, 0.05])
    assert collected.reasons == (None,) * 4
    assert np.max(np.abs(_errors_s(collected))) < 3e-6
    assert np.max(collected.evidence.arrival_sigma_s) < 3e-6


def test_what_motion_may_explain_is_uncertain_by_as_much() -> None:
    """A transmitter that passes one receiver at 450 m/s, or a crystal that is 1.5 ppm off: 9 us either way of the middle."""
    collected = _collected([0.0] * 4, [0.0] * 4, speed=1.5e-6)
    assert "by motion or by its sample clock" in (collected.reasons[0] or "")
    assert collected.evidence.arrival_sigma_s[0, 0] == pytest.approx(0.5 * SECONDS * 1.5e-6, rel=0.4)
    assert np.max(collected.evidence.arrival_sigma_s[0, 1:]) < 3e-6


def test_a_drift_of_a_receiver_that_is_silent_most_of_the_time_is_found() -> None:
    """What fills the segments without an arrival time is no noise of the others."""
    middle_s, heard = np.arange(16.0), np.ones((16, 4), bool)
    heard[5:, 1] = False
    arrival = np.random.default_rng(1).normal(0, 1e-7, heard.shape) + 20e-6 * middle_s[:, None] * (np.arange(4) == 1)
    scenes = np.zeros(16)
    segments = EvidenceBatch(
        position_enu_m=np.zeros((*heard.shape, 3)),
        present=np.ones_like(heard),
        arrival_s=arrival,
        arrival_sigma_s=np.where(heard, 1e-7, 0.1),
        clock_sigma_s=np.full(heard.shape, 1e-7),
        has_arrival=heard,
        level_db=np.zeros(heard.shape),
        level_sigma_db=np.ones(heard.shape),
        has_level=heard,
        snr=np.ones(heard.shape),
        bandwidth_hz=scenes,
        curvature_per_m=np.zeros((16, 2)),
        transmitter_height_m=scenes,
        half_width_m=scenes,
    )
    drifts = without_drift(segments, middle_s, np.zeros(4))
    assert list(drifts.rates) == [1]
    assert drifts.rates[1] == pytest.approx(20e-6, rel=0.05)
    assert np.max(np.abs(drifts.segments.arrival_s[:5, 1])) < 2e-6


def test_receivers_that_are_off_each_its_own_way_are_each_found() -> None:
    collected = _collected([12e-6, 0.0, 0.0, -25e-6], [0.0, 0.1, 0.05, 0.2], seed=3)
    assert [reason is not None for reason in collected.reasons] == [True, False, False, True]
    assert np.max(np.abs(_errors_s(collected))) < 10e-6
