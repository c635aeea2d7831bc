"""The channel is what receivers hear in common, whatever each hears by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from heimdall.formats.readers.recordings.channel import occupied_channel
from heimdall.observation import Receiver, Reception

RATE_HZ, COUNT, WIDTH_HZ = 12_000.0, 60_000, 2000.0
PLACES = ((47.0, 8.0), (50.0, 9.0), (51.0, 4.0))
BIN_HZ = RATE_HZ / 512

Samples = NDArray[np.complex128]


def _noise(rng: np.random.Generator) -> Samples:
    return np.asarray((rng.standard_normal(COUNT) + 1j * rng.standard_normal(COUNT)) / np.sqrt(2))


def _session(
    own: Samples | float = 0.0, snr: float = 10.0, offset_hz: float = 0.0, slope_db: float = 0.0
) -> list[Reception]:
    """Three receivers that hear 2 kHz of noise a millisecond apart; the first hears `own`, too."""
    rng = np.random.default_rng(4)
    frequency = np.fft.fftfreq(COUNT, 1 / RATE_HZ)
    wide = np.fft.fft(_noise(rng)) * (np.abs(frequency) < WIDTH_HZ / 2)
    time_s = np.arange(COUNT) / RATE_HZ
    receptions = []
    for index, place in enumerate(PLACES):
        heard = np.sqrt(snr) * np.fft.ifft(wide * np.exp(-2e-3j * np.pi * frequency * index))
        heard = heard * np.exp(2j * np.pi * offset_hz * index * time_s)
        noise = np.fft.ifft(np.fft.fft(_noise(rng)) * 10 ** (slope_db * frequency / RATE_HZ / 20))
        samples = (heard + noise + (own if index == 0 else 0.0)).astype(np.complex64)
        receptions.append(Reception(Receiver(f"R{index}", *place, 0.0, 1e-7), samples, RATE_HZ))
    return receptions


def _lines(frequencies_hz: NDArray[np.float64], amplitude: float) -> Samples:
    rng = np.random.default_rng(7)
    turns = np.outer(frequencies_hz, np.arange(COUNT) / RATE_HZ) + rng.uniform(size=(len(frequencies_hz), 1))
    return np.asarray(amplitude * np.exp(2j * np.pi * turns).sum(axis=0))


OWN = {
    "nothing": 0.0,
    "hum in steps of 50 Hz": _lines(np.arange(-3000.0, 3000.0, 50.0) + 7.0, 3.0),
    "one line": _lines(np.array([3333.0]), 30.0),
    "a foreign signal": np.fft.ifft(
        np.fft.fft(_noise(np.random.default_rng(9))) * (np.abs(np.fft.fftfreq(COUNT, 1 / RATE_HZ) - 2500.0) < 800.0)
    )
    * 10.0,
}


@pytest.mark.parametrize("what", OWN)
def test_what_one_receiver_hears_alone_is_no_part_of_it(what: str) -> None:
    channel = occupied_channel(_session(OWN[what]))
    assert channel.bandwidth_hz == pytest.approx(WIDTH_HZ, abs=3 * BIN_HZ)
    assert f"taken to be {channel.bandwidth_hz:.0f} Hz wide: the receivers hear that much in common" in channel.note
    assert "--bandwidth" in channel.note


def test_a_strong_signals_mirror_is_no_part_of_it() -> None:
    """An image of the signal, turned to another frequency, at one receiver."""
    first, *others = _session()
    assert first.samples is not None
    turn = np.exp(2j * np.pi * 2500 * np.arange(COUNT) / RATE_HZ)
    mirrored = replace(first, samples=(first.samples + 0.5 * np.conj(first.samples) * turn).astype(np.complex64))
    assert occupied_channel([mirrored, *others]).bandwidth_hz == pytest.approx(WIDTH_HZ, abs=3 * BIN_HZ)


@pytest.mark.parametrize("slope_db", [30.0, -60.0])
def test_a_noise_floor_that_slopes_is_no_part_of_it(slope_db: float) -> None:
    assert occupied_channel(_session(slope_db=slope_db)).bandwidth_hz == pytest.approx(WIDTH_HZ, abs=3 * BIN_HZ)


def test_carriers_that_differ_are_still_one_signal() -> None:
    assert occupied_channel(_session(offset_hz=3.0)).bandwidth_hz == pytest.approx(WIDTH_HZ, abs=3 * BIN_HZ)


def test_without_clocks_the_power_says_it() -> None:
    clockless = [replace(each, receiver=replace(each.receiver, clock_sigma_s=None)) for each in _session()]
    channel = occupied_channel(clockless)
    assert channel.bandwidth_hz == pytest.approx(WIDTH_HZ, abs=3 * BIN_HZ)
    assert "cannot be compared" in channel.note


def test_noise_alone_is_the_passband() -> None:
    channel = occupied_channel(_session(snr=1e-9), 10_000.0)
    assert channel.bandwidth_hz == pytest.approx(0.8 * RATE_HZ)
    assert "no signal stands out" in channel.note
