"""Carriers further off than good oscillators are, and mirrored spectra: found before the arrival times are, and undone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

Samples = NDArray[np.complex64]

OSCILLATORS = {"a temperature-compensated oscillator": 2.5e-6, "a plain crystal": 30e-6}
"""How far off, as a part of the frequency, each class of oscillators may be (typical data sheets)."""
_MOST_SAMPLES = 1 << 17
_MOST_CELLS = 1 << 20
"""Of one look: enough for a signal that is worth an arrival time, and little enough to be quick."""
_BLOCKS_A_CYCLE = 4
_OVERSAMPLING = 2
_MARGIN = 6.0
"""By how much, in the logarithm, a peak must exceed what the best of all cells reaches by chance."""
_SMOOTH_BINS = 64
_BAND_SHARE = 0.45
"""An offset beyond this part of the sample rate would put the signal out of the recording."""


@dataclass(frozen=True)
class Carrier:
    """How far above another receiver's a receiver shows the signal, and the class of oscillators that was searched.

    A mirrored spectrum is that of the conjugate, by swapped I and Q or a conversion with the oscillator above the signal; the
    offset is that of its conjugate.
    """

    offset_hz: float
    oscillator: str
    gain: float
    """By how much, in the logarithm, the correlation exceeds what is best by chance."""
    mirrored: bool = False


def furthest_offset_hz(frequency_hz: float) -> float:
    """By how much two carriers may differ at most, each off by what its class of oscillators may be."""
    return 2 * max(OSCILLATORS.values()) * frequency_hz


def carrier_offset(
    samples_T: Samples,
    reference_T: Samples,
    sample_rate_hz: float,
    bandwidth_hz: float,
    frequency_hz: float,
    max_delay_s: float,
    searched_hz: float = 0.0,
) -> Carrier | None:
    """Offset of one receiver's carrier to another's, class by class of oscillators; None where no class explains the two.

    Both may be off, each its own way, so twice the class's tolerance is searched. Classes that reach no further than
    `searched_hz`, which was searched before, are passed over.
    """
    for oscillator, tolerance in OSCILLATORS.items():
        reach_hz = min(2 * tolerance * frequency_hz, _BAND_SHARE * sample_rate_hz)
        if reach_hz <= searched_hz:
            continue
        found = _search(samples_T, reference_T, sample_rate_hz, bandwidth_hz, reach_hz, max_delay_s)
        if found is not None:
            return Carrier(found[0], oscillator, found[1])
    return None


def _search(
    samples_T: Samples,
    reference_T: Samples,
    sample_rate_hz: float,
    bandwidth_hz: float,
    reach_hz: float,
    max_delay_s: float,
) -> tuple[float, float] | None:
    """The offset and the gain of the strongest correlation over delay and offset, where it is no chance.

    Short blocks are correlated, and the complex correlation at each delay is Fourier transformed over the blocks.
    """
    count = min(len(samples_T), len(reference_T), _MOST_SAMPLES)
    lags = min(math.ceil(max_delay_s * sample_rate_hz) + 4, count // 2)
    length = max(1, math.floor(sample_rate_hz / (_BLOCKS_A_CYCLE * max(reach_hz, 1.0))))
    blocks = min(count // length, _MOST_CELLS // (length + 2 * lags))
    if blocks < 2:
        return None
    first, second = (
        whitened(each[: blocks * length], sample_rate_hz, bandwidth_hz + 2 * reach_hz)
        for each in (samples_T, reference_T)
    )
    correlation_KL = _block_correlation(first, second, blocks, lags)
    size = scipy.fft.next_fast_len(_OVERSAMPLING * blocks)
    power_DL = np.abs(scipy.fft.fft(correlation_KL, n=size, axis=0)) ** 2
    offset_D = scipy.fft.fftfreq(size, length / sample_rate_hz)
    power_DL[np.abs(offset_D) > reach_hz] = 0
    coherence = min(float(np.max(power_DL)), 0.9999)
    independent = blocks * length * min(1.0, (bandwidth_hz + 2 * reach_hz) / sample_rate_hz)
    cells = max(1.0, 2 * reach_hz * blocks * length / sample_rate_hz) * (2 * lags + 1)
    gain = -independent * math.log1p(-coherence) - math.log(cells)
    if gain < _MARGIN:
        return None
    return float(offset_D[int(np.argmax(np.max(power_DL, axis=1)))]), gain


def whitened(samples: Samples, sample_rate_hz: float, width_hz: float) -> Samples:
    """Within the width about the centre, with a smoothed spectrum of 1, and an energy of 1: no line rules."""
    spectrum = scipy.fft.fft(samples)
    density = np.abs(spectrum) ** 2
    size = max(3, len(samples) // _SMOOTH_BINS)
    window = np.ones(size) / size
    smooth = scipy.fft.ifft(
        scipy.fft.fft(density) * scipy.fft.fft(np.roll(np.pad(window, (0, len(samples) - size)), -(size // 2)))
    ).real
    inside = np.abs(scipy.fft.fftfreq(len(samples), 1 / sample_rate_hz)) < 0.5 * width_hz
    spectrum *= inside / np.sqrt(np.maximum(smooth, 1e-30 + 1e-12 * float(np.max(density))))
    energy = float(np.sum(np.abs(spectrum) ** 2)) / len(samples)
    return np.asarray(scipy.fft.ifft(spectrum) / math.sqrt(max(energy, 1e-30)), dtype=np.complex64)


def _block_correlation(first: Samples, second: Samples, blocks: int, lags: int) -> Samples:
    """(blocks, 2 lags + 1): each block of the second with the same span of the first, reaching `lags` further."""
    length = len(second) // blocks
    padded = np.pad(first, (lags, lags))
    extended = np.lib.stride_tricks.sliding_window_view(padded, length + 2 * lags)[::length]
    size = scipy.fft.next_fast_len(length + 2 * lags)
    cross = scipy.fft.fft(extended, n=size) * np.conj(scipy.fft.fft(second.reshape(blocks, length), n=size))
    return np.asarray(scipy.fft.ifft(cross)[:, : 2 * lags + 1])
