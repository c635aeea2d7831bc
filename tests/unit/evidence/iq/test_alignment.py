"""Recordings with different rates, starts and lengths, brought to one span."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heimdall.errors import InputError
from heimdall.evidence.iq.alignment import align, quick_length
from heimdall.observation import Receiver, Reception

TONE_HZ = 3210.0


def _tone(rate_hz: float, start_s: float, count: int, clock_sigma_s: float | None = 1e-7) -> Reception:
    """A carrier that everybody hears with the same phase at the same time."""
    time_s = start_s + np.arange(count) / rate_hz
    samples = np.exp(2j * np.pi * TONE_HZ * time_s).astype(np.complex64)
    receiver = Receiver("R", 50.0, 10.0, 0.0, clock_sigma_s)
    return Reception(receiver, samples=samples, sample_rate_hz=rate_hz, start_s=start_s)


def _phase_errors(receptions: list[Reception]) -> NDArray[np.float64]:
    """Phases of every aligned sample against the first receiver's, turned back by what `start_s` admits."""
    aligned = align(receptions)[0]
    turned = aligned.samples_NT * np.exp(-2j * np.pi * TONE_HZ * aligned.start_s_N)[:, None]
    return np.asarray(np.angle(turned * np.conj(turned[0])))


def test_equal_recordings_are_taken_as_they_are() -> None:
    receptions = [_tone(50e3, 0.0, 1000)] * 2
    aligned = align(receptions)[0]
    assert aligned.sample_rate_hz == 50e3
    np.testing.assert_array_equal(aligned.start_s_N, 0)
    np.testing.assert_array_equal(aligned.samples_NT[0], receptions[0].samples[: aligned.samples_NT.shape[1]])


@given(late_s=st.floats(0, 0.02), count=st.integers(1200, 2000))
@settings(max_examples=25)
def test_starts_that_differ_are_cut_to_the_span_in_common(late_s: float, count: int) -> None:
    """Whole samples are cut away, the rest of less than a sample stays in `start_s`."""
    receptions = [_tone(50e3, 0.0, 2000), _tone(50e3, late_s, count)]
    aligned = align(receptions)[0]
    assert np.all(np.abs(aligned.start_s_N) <= 0.5 / 50e3 + 1e-12)
    assert aligned.samples_NT.shape[1] <= min(2000 - late_s * 50e3, count) + 1
    assert np.max(np.abs(_phase_errors(receptions))) < 1e-3


@pytest.mark.parametrize("rate_hz", [50_000.7, 62_500.0, 96_000.0])
def test_unequal_rates_are_resampled_to_the_lowest(rate_hz: float) -> None:
    receptions = [_tone(50e3, 0.0, 3000), _tone(rate_hz, 1.237e-3, int(0.06 * rate_hz))]
    aligned = align(receptions)[0]
    assert aligned.sample_rate_hz == 50e3
    errors = _phase_errors(receptions)
    # The ends ring: a tone that does not fit the record has no spectrum to be interpolated from.
    assert np.max(np.abs(errors[:, 100:-100])) < 0.03


def test_a_faster_recordings_foreign_frequencies_do_not_fold_in() -> None:
    """A tone beyond half of the common rate is gone after resampling, by 30 dB."""
    high = _tone(50e3, 0.0, 3000)
    time_s = np.arange(6000) / 100e3
    shrill = replace(high, samples=np.exp(2j * np.pi * 40e3 * time_s).astype(np.complex64), sample_rate_hz=100e3)
    middle = align([high, shrill])[0].samples_NT[1, 200:-200]
    assert np.mean(np.abs(middle) ** 2) < 1e-3


def test_a_receiver_without_a_clock_is_taken_to_start_with_the_others() -> None:
    """Its stamps mean nothing: whatever they are, the others keep their span."""
    receptions = [_tone(50e3, 2.0, 1000), _tone(50e3, 2.004, 1000), _tone(50e3, 777.0, 1000, clock_sigma_s=None)]
    aligned = align(receptions)[0]
    assert aligned.samples_NT.shape[1] == pytest.approx(800, abs=3)


def test_recordings_of_nobody_with_a_clock_start_together() -> None:
    receptions = [_tone(50e3, 5.0, 1000, None), _tone(50e3, 9.0, 1200, None)]
    assert align(receptions)[0].samples_NT.shape[1] == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("late_s", [0.0199, 0.5])
def test_recordings_that_share_no_span_are_refused_with_advice(late_s: float) -> None:
    with pytest.raises(InputError, match=r"share no span of time .* check their start times"):
        align([_tone(50e3, 0.0, 1000), _tone(50e3, late_s, 1000)])


def test_a_waveform_survives_resampling(make_signal: Callable[..., NDArray[np.complex64]]) -> None:
    """Band-limited noise, and the same noise sampled 1.6 times as fast, agree sample for sample at the lower rate."""
    slow = make_signal(np.zeros(1), 1e9, samples=2000, bandwidth_hz=20e3)[0]
    spectrum = np.fft.fft(slow)
    padded = np.concatenate([spectrum[:1000], np.zeros(1200), spectrum[1000:]])
    fast = (np.fft.ifft(padded) * 1.6).astype(np.complex64)
    base = _tone(50e3, 0.0, 2000)
    aligned = align([replace(base, samples=slow), replace(base, samples=fast, sample_rate_hz=80e3)])[0]
    difference = aligned.samples_NT[1] - aligned.samples_NT[0]
    assert np.sqrt(np.mean(np.abs(difference[50:-50]) ** 2)) < 0.02


def test_recordings_that_start_together_keep_every_sample() -> None:
    """Of a length that is a power of two, one sample less would be a prime and six times as slow."""
    assert align([_tone(50e3, 0.0, 8192)] * 2)[0].samples_NT.shape[1] == 8192
    assert align([_tone(50e3, 77.7, 8192)] * 2)[0].samples_NT.shape[1] == 8192


@given(count=st.integers(1, 2_000_000))
@settings(max_examples=25)
def test_a_quick_length_costs_a_thousandth_at_most_and_is_never_a_large_prime(count: int) -> None:
    length = quick_length(count)
    assert 0.999 * count <= length <= count
    if count > 20_000:
        assert not all(length % prime for prime in (2, 3, 5, 7, 11, 13))
