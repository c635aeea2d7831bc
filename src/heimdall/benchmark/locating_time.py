"""How long locating takes: one session of given size, timed part by part."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import model_of
from heimdall.estimation.reach import search_radius_m
from heimdall.estimation.search import find_mode, log_posterior
from heimdall.evidence.collect import collect
from heimdall.geometry import LocalFrame
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

_RADIUS_M = 60_000.0
_SNR = 30.0


@dataclass(frozen=True)
class Timing:
    """Milliseconds of repeated runs."""

    median_ms: float
    q95_ms: float
    repeats: int


def timed(work: Callable[[], object], repeats: int) -> Timing:
    """Run once to warm up, then `repeats` times."""
    work()
    elapsed = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        elapsed.append((time.perf_counter() - begun) * 1e3)
    return Timing(float(np.median(elapsed)), float(np.quantile(elapsed, 0.95)), repeats)


def session(receivers: int, samples: int, bandwidth_hz: float = 25e3, seed: int = 0) -> Observation:
    """Noise of the channel's width from the middle of a ring of receivers with GPS clocks, sampled at twice that."""
    rng = np.random.default_rng(seed)
    rate_hz = 2 * bandwidth_hz
    frame = LocalFrame(50.0, 10.0)
    angle = 2 * np.pi * (np.arange(receivers) + rng.uniform(-0.3, 0.3, receivers)) / receivers
    radius_m = _RADIUS_M * rng.uniform(0.3, 1.0, receivers)
    place_m = np.stack([radius_m * np.sin(angle), radius_m * np.cos(angle), np.zeros(receivers)], axis=-1)
    latitude, longitude, height = frame.to_geodetic(place_m)
    frequency = np.fft.fftfreq(samples, 1 / rate_hz)
    spectrum = _complex_noise(rng, samples) * (np.abs(frequency) < 0.4 * bandwidth_hz)
    signal_power = np.mean(np.abs(np.fft.ifft(spectrum)) ** 2)
    noise_amplitude = np.sqrt(2 * signal_power / _SNR)
    receptions = []
    for index in range(receivers):
        turn = np.exp(-2j * np.pi * frequency * radius_m[index] / SPEED_OF_LIGHT_M_S)
        heard = np.fft.ifft(spectrum * turn) + noise_amplitude * _complex_noise(rng, samples)
        where = (float(latitude[index]), float(longitude[index]), float(height[index]))
        receiver = Receiver(f"R{index + 1}", *where, clock_sigma_s=30e-9)
        receptions.append(Reception(receiver, heard.astype(np.complex64), rate_hz))
    return Observation("benchmark", 145e6, bandwidth_hz, tuple(receptions), truth=Place(50.0, 10.0, 0.0))


def _complex_noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.asarray(rng.standard_normal(count) + 1j * rng.standard_normal(count)) / np.sqrt(2)


def locate_all(observations: list[Observation]) -> int:
    """How many fixes; for processes that are only to be timed."""
    return len(locate(observations))


def benchmark_locate(observation: Observation, repeats: int) -> dict[str, Timing]:
    """How long it takes from the samples to the fix, and how much of that evidence and search take."""
    collected = collect(observation)
    model = model_of(collected)
    density, radius_m = log_posterior(collected.evidence, model), search_radius_m(collected.evidence, model)
    return {
        "samples_to_fix": timed(lambda: locate([observation]), repeats),
        "evidence": timed(lambda: collect(observation), repeats),
        "search": timed(lambda: find_mode(collected.evidence, density, radius_m), repeats),
    }
