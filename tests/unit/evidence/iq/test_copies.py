"""A recording under two names is one recording."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from heimdall.evidence.iq.copies import copied
from heimdall.observation import Receiver, Reception

_RNG = np.random.default_rng(5)


def _heard(name: str, samples: np.ndarray, start_s: float = 0.0) -> Reception:
    receiver = Receiver(name, 47.0, 8.0)
    return Reception(receiver, samples=samples.astype(np.complex64), sample_rate_hz=12_000.0, start_s=start_s)


def _low_passed(noise: np.ndarray, share: float) -> np.ndarray:
    spectrum = np.fft.fft(noise)
    spectrum[np.abs(np.fft.fftfreq(len(noise))) > share / 2] = 0
    return np.fft.ifft(spectrum)


def _recorded_again(stream: np.ndarray, how: str) -> Reception:
    """A stream of which the first receiver has all but the last 700 samples."""
    match how:
        case "louder":
            return _heard("b", 3.7j * stream[:-700])
        case "later":
            return _heard("b", stream[700:], 700 / 12_000)
        case "later, between two samples":
            turned = np.fft.ifft(np.fft.fft(stream) * np.exp(2j * np.pi * 0.4 * np.fft.fftfreq(len(stream))))
            return _heard("b", turned[700:], 700.4 / 12_000)
        case "rounded":
            part = 0.3 * stream[:-700]
            return _heard("b", (np.round(part.real * 100) + 1j * np.round(part.imag * 100)) / 100)
        case _:
            raise ValueError(how)


def _noise(count: int) -> np.ndarray:
    return _RNG.normal(size=count) + 1j * _RNG.normal(size=count)


def test_a_copy_and_what_it_was_made_from_are_both_named() -> None:
    """Whose place is the right one cannot be told; one that was cut short is a copy as well."""
    noise = _noise(1000)
    found = copied([_heard("a", noise), _heard("b", _noise(1000)), _heard("c", noise[:600])])
    assert sorted(found) == [0, 2]
    assert "those of c" in found[0]
    assert "those of a" in found[2]


def test_recordings_that_begin_alike_are_no_copies() -> None:
    """Receivers that wait for the start may begin with the same zeros, or say nothing at all."""
    silent = np.zeros(500)
    late = [np.concatenate([silent, _noise(500)]) for _ in range(2)]
    assert copied([_heard("a", late[0]), _heard("b", late[1])]) == {}
    assert copied([_heard("a", silent), _heard("b", silent)]) == {}


@pytest.mark.parametrize("how", ["louder", "later", "later, between two samples", "rounded"])
@pytest.mark.parametrize("signal", [0.0, 3.0])
def test_one_stream_is_recognised_however_it_was_recorded_again(how: str, signal: float) -> None:
    """As by two connections to one receiver, weak or strong what it hears."""
    stream = _noise(20_000) + signal * _low_passed(_noise(20_000), 0.3)
    assert sorted(copied([_heard("a", stream[:-700]), _recorded_again(stream, how)])) == [0, 1]


@pytest.mark.parametrize("share", [0.001, 0.3, 1.0])
def test_one_signal_at_two_receivers_is_no_copy(share: float) -> None:
    """However strong it is, and however much of the band it fills: each has its own noise."""
    signal = 30 * _low_passed(_noise(20_000), share) / np.sqrt(share)
    assert copied([_heard("a", signal + _noise(20_000)), _heard("b", 0.5 * signal + _noise(20_000))]) == {}


@pytest.mark.parametrize(("snr_db", "bits"), [*itertools.product((30, 35, 40, 45), (12, 16, None)), (30, 8), (35, 8)])
@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_strong_signal_that_fills_the_band_makes_no_copies(snr_db: float, share: float, bits: int | None) -> None:
    """Of two receivers 2 km apart, whose noise no part of the band shows: one was called a copy of the other.

    With 8 bits rounding hides the noise of signals above 35 dB.
    """
    signal = _low_passed(_noise(20_000), share)
    noise = 10 ** (-snr_db / 20)
    heard = [_stored(signal + noise * _noise(20_000), bits), _stored(signal + noise * _noise(20_000), bits)]
    assert copied([_heard("a", heard[0]), _heard("b", 1j * heard[1])]) == {}


@pytest.mark.parametrize("bits", [10, 12, 16, None])
@pytest.mark.parametrize("cut", [np.round, np.floor, np.trunc])
def test_a_copy_in_other_steps_is_one(bits: int | None, cut: Callable[[np.ndarray], np.ndarray]) -> None:
    stream = _noise(20_000)
    copy = _stored(0.3 * stream, bits, cut)
    assert sorted(copied([_heard("a", stream), _heard("b", copy)])) == [0, 1]


def _stored(samples: np.ndarray, bits: int | None, cut: Callable[[np.ndarray], np.ndarray] = np.round) -> np.ndarray:
    """At half of full scale, in as many steps as so many bits have."""
    if bits is None:
        return samples
    scale = 2.0 ** (bits - 2) / max(np.max(np.abs(samples.real)), np.max(np.abs(samples.imag)))
    return (cut(samples.real * scale) + 1j * cut(samples.imag * scale)) / 2.0 ** (bits - 1)
