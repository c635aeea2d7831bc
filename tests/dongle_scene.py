"""Dongles whose oscillators and start times are off, beside a station of known place, made sample by sample in numpy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from heimdall.estimation.clocks.clock_path import path_to
from heimdall.observation import Observation, Receiver, Reception
from heimdall.transmitter import Kind, KnownTransmitter

CENTER_HZ, RATE_HZ, WIDTH_HZ, OFFSET_HZ = 100e6, 300e3, 90e3, 60e3
DURATION_S = 0.12
MAST = KnownTransmitter(
    name="Mast",
    latitude_deg=50.0,
    longitude_deg=9.0,
    height_m=300.0,
    frequency_hz=CENTER_HZ + OFFSET_HZ,
    kind=Kind.FM,
    bandwidth_hz=WIDTH_HZ,
    position_sigma_m=1.0,
)
PLACES = ((50.1, 9.1), (50.3, 9.0), (49.9, 8.6), (50.2, 9.6))
START_S = (0.010, 0.0123456, 0.007, 0.0151)
"""True times of the first samples."""
ERRORS = (1e-6, -2e-6, 3e-6, 0.5e-6)


def _waveform(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lines of a noise-like station and their frequencies: exact at any time."""
    rng = np.random.default_rng(seed)
    lines = np.arange(-int(0.45 * WIDTH_HZ), int(0.45 * WIDTH_HZ), 5.0) + OFFSET_HZ
    return lines, (rng.standard_normal(len(lines)) + 1j * rng.standard_normal(len(lines))) / np.sqrt(2 * len(lines))


def heard_by(index: int, seed: int = 1, snr: float = 100.0) -> Reception:
    """One dongle: 8 bits, its oscillator's error in tuning and sampling, a stamp that is 5 ms off."""
    rng = np.random.default_rng((seed, index))
    receiver = Receiver(f"R{index}", *PLACES[index], 100.0, None, 2.0)
    count = round(DURATION_S * RATE_HZ)
    fine = 4
    period = round(0.2 * RATE_HZ) * fine
    lines, gain = _waveform(seed)
    spectrum = np.zeros(period, dtype=complex)
    spectrum[np.round(lines * 0.2).astype(int) % period] = gain
    dense = np.fft.ifft(spectrum) * period
    elapsed_s = np.arange(count) / (RATE_HZ * (1 + ERRORS[index]))
    sent = (START_S[index] + elapsed_s - path_to(receiver, MAST).delay_s) * RATE_HZ * fine
    low = np.floor(sent).astype(int)
    around = [dense[(low + k) % period] for k in (-1, 0, 1, 2)]
    u = sent - low
    weights = (
        -u * (u - 1) * (u - 2) / 6,
        (u + 1) * (u - 1) * (u - 2) / 2,
        -(u + 1) * u * (u - 2) / 2,
        (u + 1) * u * (u - 1) / 6,
    )
    samples = sum(w * x for w, x in zip(weights, around, strict=True))
    samples = samples * np.exp(-2j * np.pi * CENTER_HZ * ERRORS[index] * elapsed_s)
    noise = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    samples = np.sqrt(snr) * samples + noise * np.sqrt(0.5 * RATE_HZ / WIDTH_HZ)
    samples = np.round(samples / (4 * np.std(samples)) * 128) / 128
    stamp_s = START_S[index] + 5e-3 * rng.standard_normal()
    return Reception(receiver, samples.astype(np.complex64), RATE_HZ, stamp_s)


def observation_of(receptions: list[Reception]) -> Observation:
    return Observation("dongles", CENTER_HZ, 20e3, tuple(receptions))


BEGIN_UTC = datetime(2030, 1, 1, tzinfo=UTC)


def later_by(source: Observation, gap_s: float) -> Observation:
    """Another signal in another channel, from somewhere in their middle, that the same clocks stamp `gap_s` later: each stamp is
    ahead by what its clock gained."""
    assert source.time_utc is not None
    count = round(0.04 * RATE_HZ)
    rng = np.random.default_rng(0)
    sent = rng.standard_normal(2 * count) + 1j * rng.standard_normal(2 * count)
    receptions = []
    for index, each in enumerate(source.receptions):
        first = round(START_S[index] * RATE_HZ)
        samples = sent[first : first + count].astype(np.complex64)
        receptions.append(replace(each, samples=samples, start_s=each.start_s + ERRORS[index] * gap_s))
    later_utc = source.time_utc + timedelta(seconds=gap_s)
    return Observation("later", 145e6, 100e3, tuple(receptions), later_utc)
