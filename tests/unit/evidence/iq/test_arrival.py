"""Arrival times reconciled from pairs: consistent ones are kept, contradictions lose."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.evidence.iq.arrival import Arrivals, reconcile
from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum, channel_spectrum
from heimdall.evidence.iq.correlation import PairPeaks

MakeSignal = Callable[..., NDArray[np.complex64]]
RATE_HZ, CHANNEL_HZ = 50e3, 25e3
PAIRS = np.array([(i, j) for i in range(5) for j in range(i + 1, 5)])


@pytest.fixture(scope="module")
def spectrum(make_signal: MakeSignal) -> ChannelSpectrum:
    return channel_spectrum(make_signal(np.zeros(5), 20.0)[None], np.ones((1, 5), bool), RATE_HZ, CHANNEL_HZ)


def _peaks(delay_s_P: NDArray[np.float64], detected_P: NDArray[np.bool_] | None = None) -> PairPeaks:
    count = len(delay_s_P)
    both = np.stack([delay_s_P, delay_s_P + 1e-4], axis=-1)[None]
    return PairPeaks(
        first_P=PAIRS[:count, 0],
        second_P=PAIRS[:count, 1],
        delay_s_BPK=both,
        coherence_BPK=np.full((1, count, 2), 0.8),
        curvature_BPK=np.full((1, count, 2), (2 * math.pi * 7e3) ** 2),
        detected_BP=(np.ones(count, bool) if detected_P is None else detected_P)[None],
    )


def _reconciled(peaks: PairPeaks, spectrum: ChannelSpectrum) -> Arrivals:
    return reconcile(peaks, spectrum, np.ones((1, 5), bool), RATE_HZ, CHANNEL_HZ)


def _differences(arrival_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(arrival_N[PAIRS[:, 0]] - arrival_N[PAIRS[:, 1]])


@given(arrival_us=st.lists(st.floats(-500, 500), min_size=5, max_size=5))
@settings(max_examples=25)
def test_consistent_delays_give_their_arrival_times(spectrum: ChannelSpectrum, arrival_us: list[float]) -> None:
    """Up to a common shift, and to the ridge's part in a hundred thousand."""
    arrival = 1e-6 * np.array(arrival_us)
    found = _reconciled(_peaks(_differences(arrival)), spectrum)
    np.testing.assert_allclose(_differences(found.arrival_s_BN[0]), _differences(arrival), atol=2e-8)
    assert np.all(found.valid_BN)


def test_without_outliers_it_is_plain_least_squares(spectrum: ChannelSpectrum) -> None:
    rng = np.random.default_rng(3)
    delay = _differences(rng.normal(0, 1e-4, 5)) + rng.normal(0, 5e-8, 10)
    incidence = np.zeros((10, 5))
    incidence[np.arange(10), PAIRS[:, 0]], incidence[np.arange(10), PAIRS[:, 1]] = 1, -1
    expected = np.linalg.lstsq(incidence, delay, rcond=None)[0]
    found = _reconciled(_peaks(delay), spectrum).arrival_s_BN[0]
    np.testing.assert_allclose(_differences(found), _differences(expected), atol=5e-9)


def test_a_pair_that_contradicts_the_others_loses_its_say(spectrum: ChannelSpectrum) -> None:
    """50 us wrong of one pair of ten moves no arrival by more than a tenth of a microsecond."""
    arrival = np.array([0.0, 1e-4, -2e-4, 3e-5, 5e-5])
    delay = _differences(arrival)
    delay[4] += 50e-6
    found = _reconciled(_peaks(delay), spectrum)
    np.testing.assert_allclose(_differences(found.arrival_s_BN[0]), _differences(arrival), atol=1e-7)
    assert np.all(found.valid_BN)


def test_a_receiver_whose_pairs_all_contradict_has_no_arrival_time(spectrum: ChannelSpectrum) -> None:
    delay = _differences(np.array([0.0, 1e-4, -2e-4, 3e-5, 5e-5]))
    touched = np.any(PAIRS == 4, axis=1)
    delay[touched] += np.array([0.0, 90e-6, -170e-6, 260e-6])
    # The pair with receiver 0 may be kept: with one pair alone nothing contradicts it.
    detected = ~(np.all(PAIRS == [0, 4], axis=1))
    found = _reconciled(_peaks(delay, detected), spectrum)
    assert found.valid_BN[0, :4].all()


def test_receivers_that_no_pair_connects_have_no_arrival_time(spectrum: ChannelSpectrum) -> None:
    """Of the parts that hang together the one with the strongest receiver counts."""
    group = np.isin(PAIRS, [0, 1, 2]).all(axis=1) | np.isin(PAIRS, [3, 4]).all(axis=1)
    found = _reconciled(_peaks(np.zeros(10), group), spectrum)
    assert found.valid_BN[0].tolist() == [True, True, True, False, False]


def test_without_a_detected_pair_nobody_has_an_arrival_time(spectrum: ChannelSpectrum) -> None:
    found = _reconciled(_peaks(np.zeros(10), np.zeros(10, bool)), spectrum)
    assert not found.valid_BN.any()
    assert np.all(np.isfinite(found.arrival_s_BN))


def test_the_noise_sigma_is_the_bound_of_an_unknown_waveform(spectrum: ChannelSpectrum) -> None:
    """By a loop over frequencies: 2 (2 pi (f - mean))^2 A^2/(1+A) of the independent samples, shared by signal-to-noise ratio."""
    found = _reconciled(_peaks(np.zeros(10)), spectrum)
    density, snr = spectrum.signal_to_noise_BT[0], spectrum.snr_BN[0]
    weight = [float(a) ** 2 / (1 + float(a)) for a in density]
    mean_hz = sum(w * f for w, f in zip(weight, spectrum.frequency_T, strict=True)) / sum(weight)
    second = sum(w * (2 * math.pi * (f - mean_hz)) ** 2 for w, f in zip(weight, spectrum.frequency_T, strict=True))
    expected = 1 / np.sqrt(2 * spectrum.independent_share * second * snr / snr.sum())
    np.testing.assert_allclose(found.sigma_s_BN[0], expected, rtol=1e-3)


def test_numpy_and_torch_agree_to_rounding(spectrum: ChannelSpectrum, to_torch: Callable[[Any], Any]) -> None:
    import torch

    delay = _differences(np.random.default_rng(4).normal(0, 1e-4, 5))
    delay[2] += 30e-6
    one = _reconciled(_peaks(delay), spectrum)
    present = torch.ones((1, 5), dtype=torch.bool)
    other = reconcile(to_torch(_peaks(delay)), to_torch(spectrum), present, RATE_HZ, CHANNEL_HZ)
    np.testing.assert_allclose(other.arrival_s_BN.numpy(), one.arrival_s_BN, atol=1e-12)
    np.testing.assert_allclose(other.sigma_s_BN.numpy(), one.sigma_s_BN, rtol=1e-4)
    np.testing.assert_array_equal(other.valid_BN.numpy(), one.valid_BN)
