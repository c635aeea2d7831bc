"""The pair correlation against loops over samples, lags and carrier offsets."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum, channel_spectrum
from heimdall.evidence.iq.correlation import PairPeaks, pair_peaks

MakeSignal = Callable[..., NDArray[np.complex64]]
RATE_HZ, CHANNEL_HZ = 50e3, 25e3


def _spectrum(samples_NT: NDArray[np.complex64], bandwidth_hz: float = CHANNEL_HZ) -> ChannelSpectrum:
    present = np.ones((1, len(samples_NT)), bool)
    return channel_spectrum(samples_NT[None], present, RATE_HZ, bandwidth_hz)


def _peaks(samples_NT: NDArray[np.complex64], max_offset_hz: float = 40.0, max_delay_s: float = 1e-3) -> PairPeaks:
    present = np.ones((1, len(samples_NT)), bool)
    return pair_peaks(_spectrum(samples_NT), present, RATE_HZ, CHANNEL_HZ, max_delay_s, max_offset_hz)


def _coherence_by_loops(
    first: NDArray[np.complex128], second: NDArray[np.complex128], lags: int, offsets_hz: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(2 lags + 1,) squared coherence at the offset where it is highest."""
    energy = np.sum(np.abs(first) ** 2) * np.sum(np.abs(second) ** 2)
    best = np.zeros(2 * lags + 1)
    for offset_hz in offsets_hz:
        turned = second * np.exp(2j * np.pi * offset_hz * np.arange(len(second)) / RATE_HZ)
        coherence = np.zeros(2 * lags + 1)
        for lag in range(-lags, lags + 1):
            shared = range(max(0, -lag), min(len(second), len(first) - lag))
            total = sum(first[time + lag] * np.conj(turned[time]) for time in shared)
            coherence[lag + lags] = abs(total) ** 2 / energy
        best = coherence if coherence.max() > best.max() else best
    return best


def test_the_highest_peak_is_the_one_that_loops_find(make_signal: MakeSignal) -> None:
    """Delay, height and curvature of a pair with a carrier offset, whatever the rate at which the channel is correlated."""
    narrow_hz, offset_hz = 6.25e3, 30.0
    samples = make_signal(
        np.array([2.3e-4, 0.0]), 20.0, samples=1536, bandwidth_hz=narrow_hz, offset_hz=np.array([offset_hz, 0.0])
    )
    spectrum = _spectrum(samples, narrow_hz)
    peaks = pair_peaks(spectrum, np.ones((1, 2), bool), RATE_HZ, narrow_hz, 16 / RATE_HZ, 60.0)
    filtered = np.fft.ifft(spectrum.filtered_BNT[0])
    lags = 20
    expected = _coherence_by_loops(filtered[0], filtered[1], lags, np.arange(26.0, 34.0, 1.0))
    top = int(np.argmax(expected[1:-1])) + 1
    before, middle, after = expected[top - 1 : top + 2]
    bend = 2 * middle - before - after
    shift = 0.5 * (after - before) / bend
    assert peaks.delay_s_BPK[0, 0, 0] == pytest.approx((top + shift - lags) / RATE_HZ, abs=0.005 / narrow_hz)
    assert peaks.coherence_BPK[0, 0, 0] == pytest.approx(middle + 0.25 * (after - before) * shift, rel=0.015)
    assert peaks.curvature_BPK[0, 0, 0] == pytest.approx(bend * RATE_HZ**2, rel=0.05)


@given(delay_us=st.floats(-600, 600), offset_hz=st.floats(-35, 35), seed=st.integers(0, 100))
@settings(max_examples=25)
def test_any_delay_and_carrier_offset_is_found(
    make_signal: MakeSignal, delay_us: float, offset_hz: float, seed: int
) -> None:
    """At 30 dB within an eightieth of a sample, with the sign that makes the first receiver late."""
    delay = np.array([delay_us * 1e-6, 0.0]) + 700e-6
    peaks = _peaks(make_signal(delay, 1e3, offset_hz=np.array([offset_hz, 0.0]), seed=seed))
    assert peaks.detected_BP[0, 0]
    assert peaks.delay_s_BPK[0, 0, 0] == pytest.approx(delay_us * 1e-6, abs=2.5e-7)


def test_every_pair_stands_once_first_before_second(make_signal: MakeSignal) -> None:
    peaks = _peaks(make_signal(np.zeros(4)))
    pairs = list(zip(peaks.first_P.tolist(), peaks.second_P.tolist(), strict=True))
    assert pairs == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_noise_alone_is_hardly_ever_detected(make_signal: MakeSignal) -> None:
    """Of 90 pairs without a signal none to two pass, whatever the number of delays and offsets tried."""
    detected = sum(
        int(_peaks(make_signal(np.zeros(10), 1e-9, samples=2048, seed=seed)).detected_BP.sum()) for seed in range(2)
    )
    assert detected <= 2


def test_a_weak_signal_is_detected_where_integration_allows(make_signal: MakeSignal) -> None:
    """-6 dB each, 4096 independent samples: far above the threshold; -20 dB: below it."""
    assert _peaks(make_signal(np.zeros(2), 0.25, samples=8192)).detected_BP[0, 0]
    assert not _peaks(make_signal(np.zeros(2), 0.01, samples=2048)).detected_BP[0, 0]


def test_the_coherence_is_that_of_the_signal_to_noise_ratios(make_signal: MakeSignal) -> None:
    """snr_1 snr_2 / ((1 + snr_1)(1 + snr_2)), the definition."""
    peaks = _peaks(make_signal(np.zeros(2), np.array([3.0, 8.0]), samples=16384), max_offset_hz=0.0)
    assert peaks.coherence_BPK[0, 0, 0] == pytest.approx(3 / 4 * 8 / 9, rel=0.05)


def test_two_paths_give_two_peaks(make_signal: MakeSignal) -> None:
    """An echo 400 us late and half as strong stands second."""
    direct = make_signal(np.array([0.0, 0.0]), 1e3, samples=8192)
    echo = make_signal(np.array([400e-6, 0.0]), 1e6, samples=8192)
    both = np.stack([direct[0] + 0.6 * echo[0], direct[1]])
    peaks = _peaks(both, max_offset_hz=0.0)
    np.testing.assert_allclose(peaks.delay_s_BPK[0, 0], [0, 400e-6], atol=4e-6)  # a fifth of a sample


def test_missing_receivers_are_in_no_detected_pair(make_signal: MakeSignal) -> None:
    samples = make_signal(np.zeros(3))
    present = np.array([[True, True, False]])
    spectrum = channel_spectrum(samples[None], present, RATE_HZ, CHANNEL_HZ)
    assert pair_peaks(spectrum, present, RATE_HZ, CHANNEL_HZ, 1e-3, 40.0).detected_BP.tolist() == [[True, False, False]]


def test_numpy_and_torch_agree_to_rounding(make_signal: MakeSignal) -> None:
    samples = make_signal(np.array([0.0, 1e-4, 3e-4]), 10.0, offset_hz=np.array([0.0, 9.0, -12.0]))
    present = np.ones((1, 3), bool)
    one = _peaks(samples)
    tensors = channel_spectrum(torch.as_tensor(samples[None]), torch.as_tensor(present), RATE_HZ, CHANNEL_HZ)
    other = pair_peaks(tensors, torch.as_tensor(present), RATE_HZ, CHANNEL_HZ, 1e-3, 40.0)
    np.testing.assert_allclose(other.delay_s_BPK.numpy()[..., 0], one.delay_s_BPK[..., 0], atol=1e-9)
    np.testing.assert_allclose(other.coherence_BPK.numpy()[..., 0], one.coherence_BPK[..., 0], rtol=1e-3)
    np.testing.assert_array_equal(other.detected_BP.numpy(), one.detected_BP)


@pytest.mark.parametrize("offset_hz", [0.0, 3.0, 12.0, 38.0])
def test_a_carrier_offset_costs_no_precision(make_signal: MakeSignal, offset_hz: float) -> None:
    """At 40 dB the delays of 40 pairs scatter by a fiftieth of a sample at most, whatever the offset."""
    misses = []
    for seed in range(40):
        samples = make_signal(np.array([1e-4, 0.0]), 1e4, offset_hz=np.array([offset_hz + 0.03 * seed, 0.0]), seed=seed)
        misses.append(float(_peaks(samples, 45.0).delay_s_BPK[0, 0, 0]) - 1e-4)
    assert np.std(misses) < 0.02 / RATE_HZ


def test_part_of_a_turn_over_a_short_record_is_found(make_signal: MakeSignal) -> None:
    """4 ms, over which an offset of 40 Hz turns a sixth."""
    misses = []
    for seed in range(40):
        samples = make_signal(np.array([1e-4, 0.0]), 1e4, samples=200, offset_hz=np.array([40.0, 0.0]), seed=seed)
        misses.append(float(_peaks(samples, 45.0).delay_s_BPK[0, 0, 0]) - 1e-4)
    assert np.std(misses) < 0.03 / RATE_HZ
