"""Noise floor, signal-to-noise ratio and weight of a channel, from samples alone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from heimdall.evidence.iq.channel_spectrum import channel_spectrum

MakeSignal = Callable[..., NDArray[np.complex64]]
ZERO = np.zeros(3)


def test_the_snr_is_that_of_the_channel(make_signal: MakeSignal) -> None:
    """From -3 to 30 dB within 15 %, for any gain of a receiver."""
    snr = np.array([0.5, 10.0, 1000.0])
    samples = make_signal(ZERO, snr, samples=16384) * np.array([[1e-6], [1.0], [300.0]], dtype=np.float32)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    np.testing.assert_allclose(spectrum.snr_BN[0], snr, rtol=0.15)


def test_received_power_is_that_of_the_signal_without_the_noise(make_signal: MakeSignal) -> None:
    gain = np.array([0.1, 1.0, 10.0])
    samples = make_signal(ZERO, 5.0, samples=16384) * gain[:, None].astype(np.float32)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    np.testing.assert_allclose(spectrum.signal_power_BN[0], gain**2, rtol=0.1)


def test_noise_alone_has_next_to_no_snr(make_signal: MakeSignal) -> None:
    samples = make_signal(ZERO, 1e-9, samples=8192)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    assert np.all(spectrum.snr_BN < 0.1)


def test_a_channel_as_wide_as_the_recording_finds_its_noise_between_the_signals(make_signal: MakeSignal) -> None:
    """A signal in half of the channel, with nothing recorded beside it: the noise floor within 2 dB."""
    snr_in_channel = 50.0
    samples = make_signal(ZERO, 2 * snr_in_channel, samples=16384, bandwidth_hz=25e3)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 50e3)
    ratio_db = 10 * np.log10(spectrum.snr_BN[0] / snr_in_channel)
    assert np.all(np.abs(ratio_db) < 2)


def test_nothing_outside_the_channel_is_let_through(make_signal: MakeSignal) -> None:
    samples = make_signal(ZERO, 10.0)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    outside = np.abs(spectrum.frequency_T) > 0.53 * 25e3
    assert np.all(spectrum.filtered_BNT[..., outside] == 0)
    assert np.any(spectrum.filtered_BNT[..., ~outside] != 0)


def test_the_shared_density_is_the_sum_of_the_receivers(make_signal: MakeSignal) -> None:
    """Three receivers at 0 dB: 3 in the channel, within the scatter that smoothing leaves."""
    samples = make_signal(ZERO, 1.0, samples=65536)
    spectrum = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    inside = np.abs(spectrum.frequency_T) < 0.45 * 25e3
    assert np.mean(spectrum.signal_to_noise_BT[0, inside]) == pytest.approx(3, rel=0.15)


def test_a_carrier_does_not_drown_its_sidebands(make_signal: MakeSignal) -> None:
    """A line 30 dB above noise-like sidebands leaves them most of the weight."""
    samples = make_signal(ZERO, 30.0, samples=8192)
    carrier = 30 * np.exp(2j * np.pi * 0.01 * np.arange(8192)).astype(np.complex64)
    spectrum = channel_spectrum((samples + carrier)[None], np.ones((1, 3), bool), 50e3, 25e3)
    power = np.sum(np.abs(spectrum.filtered_BNT[0]) ** 2, axis=0)
    line = np.abs(spectrum.frequency_T - 500) < 60
    raw = np.sum(np.abs(np.fft.fft(samples + carrier)) ** 2, axis=0)
    assert raw[line].sum() > 0.9 * raw.sum()
    assert power[line].sum() < 0.5 * power.sum()


def test_the_independent_samples_are_those_of_the_occupied_channel(make_signal: MakeSignal) -> None:
    """Half the channel occupied strongly: half as many as its full width has, within a quarter."""
    full = make_signal(ZERO, 100.0, samples=8192)
    half = make_signal(ZERO, 100.0, samples=8192, bandwidth_hz=12.5e3)
    counts = [
        channel_spectrum(each[None], np.ones((1, 3), bool), 50e3, 25e3).independent_samples_B[0]
        for each in (full, half)
    ]
    # Periodograms scatter, which halves what equal powers would give.
    assert counts[1] / counts[0] == pytest.approx(0.5, rel=0.25)


def test_missing_receivers_do_not_count(make_signal: MakeSignal) -> None:
    samples = make_signal(ZERO, 10.0)
    silent = np.concatenate([samples, np.zeros_like(samples[:1])])
    present = np.array([[True, True, True, False]])
    with_missing = channel_spectrum(silent[None], present, 50e3, 25e3)
    without = channel_spectrum(samples[None], np.ones((1, 3), bool), 50e3, 25e3)
    np.testing.assert_allclose(with_missing.signal_to_noise_BT, without.signal_to_noise_BT, rtol=1e-4, atol=1e-4)
    assert with_missing.snr_BN[0, 3] == 0


def test_numpy_and_torch_agree_to_rounding(make_signal: MakeSignal) -> None:
    """In single precision: a few parts in ten thousand."""
    samples, present = make_signal(ZERO, np.array([1.0, 10.0, 100.0]))[None], np.ones((1, 3), bool)
    one = channel_spectrum(samples, present, 50e3, 25e3)
    other = channel_spectrum(torch.as_tensor(samples), torch.as_tensor(present), 50e3, 25e3)
    for name in ("snr_BN", "signal_power_BN", "independent_samples_B"):
        np.testing.assert_allclose(getattr(other, name).numpy(), getattr(one, name), rtol=1e-3)
    scale = np.abs(one.filtered_BNT).max()
    np.testing.assert_allclose(other.filtered_BNT.numpy(), one.filtered_BNT, atol=1e-3 * scale)
