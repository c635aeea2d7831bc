"""Recordings of one stream under two names: a file that was copied or uploaded twice, or two connections to one receiver.

Two receivers may hear the same signal, but never the same noise: what agrees in the quieter parts of the band, too, is one
stream, whatever its gain, its first sample and the precision that it was stored with. A strong signal that fills the band
leaves no such part: there only what rounding explains may differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from heimdall.observation import Reception

_EQUAL_RATES = 1e-4
_HEAD = 1 << 12
"""Samples that are compared first."""
_MOST_SAMPLES = 1 << 16
"""Enough to tell noise by."""
_SEGMENTS = 16
_LONGEST_SEGMENT = 4096
_ALIKE = 0.25
"""Share of the head's power in common from which on a closer look pays: half a sample apart wideband noise has 0.4."""
_MOST_UNLIKE = 1e-3
"""Share of the power that two records of one stream do not have in common, at most: their rounding."""
_LEAST_UNLIKE = 3e-5
"""What the shift between two records leaves of it: two receivers leave as much where both hear a signal at 48 dB."""
_ROUNDED = 2.5
"""So many times the power of exact rounding: cutting digits off towards zero leaves twice as much of noise."""
_STEP_FROM = 1 << 12
"""Samples that show the step of a record."""
_QUIET = 0.25
"""Quantile of the band's coherence, which is that of noise unless the signal fills the whole band."""
_NOISE_ALIKE = 0.2
"""More than the coherence of two receivers' noise comes to by chance."""

_STEPS = 32
"""Of a sample, in looking for the shift between two records."""

Samples = NDArray[np.complex64]


def copied(receptions: Sequence[Reception]) -> dict[int, str]:
    """Why a recording, by its number, cannot be used: another one has its very stream, and noise never repeats.

    Which of the two places is the right one nobody can tell, so that both are named. All receptions have samples.
    """
    found: dict[int, str] = {}
    for index, reception in enumerate(receptions):
        for other in range(index):
            if _are_one(reception, receptions[other]):
                found[index], found[other] = (
                    f"its samples are those of {receptions[each].receiver.name}: one of the two is a copy of the other"
                    for each in (other, index)
                )
    return found


def _are_one(first: Reception, second: Reception) -> bool:
    """Sample by sample, or at the same times by their stamps; a recording of one value only says nothing."""
    assert first.samples is not None
    assert second.samples is not None
    rate_hz, other_hz = first.sample_rate_hz or 0.0, second.sample_rate_hz or 0.0
    if abs(rate_hz - other_hz) > _EQUAL_RATES * rate_hz:
        return False
    later = (first.start_s - second.start_s) * rate_hz
    by_stamps = round(later) if math.isfinite(later) else 0
    return any(_share_noise(*_overlapping(first.samples, second.samples, lag)) for lag in {0, by_stamps})


def _overlapping(first: Samples, second: Samples, lag: int) -> tuple[Samples, Samples]:
    """What both have, where the first begins `lag` samples after the second; not more than is needed."""
    first, second = first[max(0, -lag) :], second[max(0, lag) :]
    count = min(len(first), len(second), _MOST_SAMPLES)
    return first[:count], second[:count]


def _share_noise(first: Samples, second: Samples) -> bool:
    length = min(_LONGEST_SEGMENT, len(first) // _SEGMENTS)
    if length < _SEGMENTS:
        return len(first) >= 4 * _SEGMENTS and np.array_equal(first, second) and bool(np.any(first != first[0]))
    if not _alike(first[:_HEAD], second[:_HEAD]):
        return False
    cross, coherence = _cross_spectrum(first, second, length)
    if float(np.quantile(coherence, _QUIET)) < _NOISE_ALIKE:
        return False
    rounding = _ROUNDED * (_rounding(first) + _rounding(second))
    most = min(_MOST_UNLIKE, max(_LEAST_UNLIKE, rounding))
    return _unlike(first, _later(second, _early(cross))) < most


def _rounding(samples: Samples) -> float:
    """The share of the power that is rounding to the steps in which the samples were stored."""
    values = np.unique(samples[:_STEP_FROM].view(np.float32).astype(np.float64))
    step = float(np.min(np.diff(values), initial=math.inf))
    return step**2 / 6 / float(np.mean(np.abs(samples) ** 2)) if math.isfinite(step) else 0.0


def _alike(first: Samples, second: Samples) -> bool:
    power = float(np.vdot(first, first).real) * float(np.vdot(second, second).real)
    return power > 0 and abs(complex(np.vdot(first, second))) ** 2 > _ALIKE * power


def _cross_spectrum(first: Samples, second: Samples, length: int) -> tuple[Samples, NDArray[np.float32]]:
    """The cross spectrum and the coherence, 0 to 1, by Welch's method, over segments of that many samples."""
    window = np.hanning(length).astype(np.float32)
    spectra = [scipy.fft.fft(_segments(each, length) * window) for each in (first, second)]
    cross = np.mean(spectra[0] * np.conj(spectra[1]), axis=0)
    power = np.prod([np.mean(np.abs(each) ** 2, axis=0) for each in spectra], axis=0)
    return cross, np.abs(cross) ** 2 / np.maximum(power, np.finfo(np.float32).tiny)


def _early(cross: Samples) -> float:
    """By how many samples the second is early: where the correlation that belongs to a cross spectrum is highest, within one
    sample, to a thousandth of it."""
    step = 1 / _STEPS
    early = np.arange(-1, 1 + step / 2, step)
    turns = np.exp(2j * math.pi * early[:, None] * scipy.fft.fftfreq(len(cross)))
    height = np.abs(turns @ cross)
    top = min(max(int(np.argmax(height)), 1), len(early) - 2)
    before, peak, after = height[top - 1 : top + 2]
    return float(early[top] + 0.5 * step * (after - before) / max(2 * peak - before - after, 1e-30))


def _segments(samples: Samples, length: int) -> Samples:
    count = len(samples) // length
    return samples[: count * length].reshape(count, length)


def _later(samples: Samples, early: float) -> Samples:
    """By so many samples, by the band's own interpolation; not exact at both ends."""
    turn = np.exp(-2j * math.pi * early * scipy.fft.fftfreq(len(samples))).astype(np.complex64)
    return np.asarray(scipy.fft.ifft(scipy.fft.fft(samples) * turn))


def _unlike(first: Samples, second: Samples) -> float:
    """The share of the power that is not in both, but for a constant; both ends count for nothing."""
    window = np.hanning(len(first))
    x, y = (window * (each - np.mean(each, dtype=np.complex128)) for each in (first, second))
    return 1 - abs(complex(np.vdot(x, y))) ** 2 / float(np.vdot(x, x).real * np.vdot(y, y).real)
