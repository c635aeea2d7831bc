"""Correlation of every pair of receivers over delay and carrier offset, and its peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy

from heimdall.arrays import Array, ArrayNamespace, array_namespace, device_of, fft_of
from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum
from heimdall.evidence.iq.pair_offsets import pair_offsets

PEAKS = 2
"""Peaks kept for each pair."""
_SAMPLES_A_CYCLE = 8
"""Correlation samples for each cycle of the bandwidth once upsampled: enough for a parabola through three."""
_EDGE = 16
_FALSE_ALARMS = 0.025
"""The share of pairs without a common signal that may pass, were all cells searched independent."""
_OVERSAMPLING = 1.25
"""The rate at which the channel is correlated, over its width: a guard for the interpolation between lags."""
_CELLS_AT_ONCE = 1 << 15
"""Of the spectra of the pairs correlated together: enough to spread the overhead, little enough for the cache."""


@dataclass(frozen=True, eq=False)
class PairPeaks:
    """The strongest correlation peaks of P pairs of receivers, strongest first."""

    first_P: Array
    second_P: Array
    delay_s_BPK: Array
    """How much later the first receiver's record is than the second's, sample for sample."""
    coherence_BPK: Array
    """Squared magnitude of the normalised correlation, 0 to 1."""
    curvature_BPK: Array
    """Minus the second derivative of the coherence by delay, in 1/s^2."""
    detected_BP: Array


def pair_peaks(
    spectrum: ChannelSpectrum,
    present_BN: Array,
    sample_rate_hz: float,
    bandwidth_hz: float,
    max_delay_s: float,
    max_offset_hz: float,
) -> PairPeaks:
    """Correlate all pairs over the whole record, each at its own carrier offset up to `max_offset_hz`, and find the peaks.

    A pair is detected when its gain exceeds what the best of all cells searched hardly ever reaches by chance.
    """
    xp = array_namespace(present_BN)
    samples_BNT, rate_hz = _in_band(spectrum, sample_rate_hz, bandwidth_hz + 2 * max_offset_hz)
    pairs_P2 = _pairs(samples_BNT)
    first_P, second_P = pairs_P2[:, 0], pairs_P2[:, 1]
    lags = min(math.ceil(max_delay_s * rate_hz) + 4, samples_BNT.shape[-1] - 1)
    offset_hz_BP, offsets = pair_offsets(samples_BNT, pairs_P2, lags, rate_hz, max_offset_hz)
    correlation_BPL = _correlate(samples_BNT, pairs_P2, offset_hz_BP / rate_hz, lags + _EDGE)
    factor = max(1, math.ceil(_SAMPLES_A_CYCLE * bandwidth_hz / rate_hz))
    coherence_BPL = _coherence(xp, _upsample(xp, correlation_BPL, factor))
    delay, peak, curvature = _peaks(xp, coherence_BPL, 1 / (factor * rate_hz))
    # The log-likelihood of a common signal over none (Stein 1981).
    gain_BP = -spectrum.independent_samples_B[:, None] * xp.log1p(-peak[..., 0])
    both = present_BN[:, first_P] & present_BN[:, second_P]
    detected_BP = both & (gain_BP > math.log((2 * lags + 1) * offsets / _FALSE_ALARMS))
    return PairPeaks(first_P, second_P, delay - lags / rate_hz, peak, curvature, detected_BP)


def _in_band(spectrum: ChannelSpectrum, sample_rate_hz: float, width_hz: float) -> tuple[Array, float]:
    """The filtered samples with an energy of 1 at the lowest rate that holds the width, and that rate.

    The spectrum is cut where the filter leaves nothing, so the samples mean the same.
    """
    filtered_BNT = spectrum.filtered_BNT
    xp = array_namespace(filtered_BNT)
    count = filtered_BNT.shape[-1]
    kept = scipy.fft.next_fast_len(math.ceil(_OVERSAMPLING * width_hz * count / sample_rate_hz) + 2)
    if kept < count:
        filtered_BNT = xp.concat(
            [filtered_BNT[..., : (kept + 1) // 2], filtered_BNT[..., count - kept // 2 :]], axis=-1
        )
        sample_rate_hz *= kept / count
    samples_BNT = fft_of(xp).ifft(filtered_BNT)
    energy_BN1 = xp.sum(xp.real(samples_BNT) ** 2 + xp.imag(samples_BNT) ** 2, axis=-1)[..., None]
    return samples_BNT / xp.sqrt(xp.clip(energy_BN1, 1e-30, None)), sample_rate_hz


def _pairs(samples_BNT: Array) -> Array:
    """(P, 2) indices of all pairs i < j."""
    xp = array_namespace(samples_BNT)
    receivers = samples_BNT.shape[1]
    index = [(i, j) for i in range(receivers) for j in range(i + 1, receivers)]
    return xp.reshape(xp.asarray(index, dtype=xp.int64, device=device_of(samples_BNT)), (-1, 2))


def _correlate(samples_BNT: Array, pairs_P2: Array, cycles_BP: Array, lags: int) -> Array:
    """(B, P, 2 lags + 1) correlation, the first receiver's carrier so many cycles a sample above the second's."""
    xp = array_namespace(samples_BNT)
    batch, receivers, count = samples_BNT.shape
    size = scipy.fft.next_fast_len(count + 2 * lags)
    before = xp.zeros((batch, receivers, lags), dtype=samples_BNT.dtype, device=device_of(samples_BNT))
    late_BNF = fft_of(xp).fft(xp.concat([before, samples_BNT], axis=-1), n=size)
    step = max(1, _CELLS_AT_ONCE // (batch * size))
    some_BPL = []
    for start in range(0, pairs_P2.shape[0], step):
        first_P, second_P = pairs_P2[start : start + step, 0], pairs_P2[start : start + step, 1]
        tuned_BPF = fft_of(xp).fft(_tuned(samples_BNT[:, second_P], cycles_BP[:, start : start + step]), n=size)
        some_BPL.append(fft_of(xp).ifft(late_BNF[:, first_P] * xp.conj(tuned_BPF))[..., : 2 * lags + 1])
    return xp.concat(some_BPL, axis=1)


def _tuned(samples_BPT: Array, cycles_BP: Array) -> Array:
    """Samples tuned up by so many cycles a sample; the phases are products of two short series, as sines are slow."""
    xp = array_namespace(samples_BPT)
    count = samples_BPT.shape[-1]
    row = math.isqrt(count) + 1
    step_T = xp.arange(row, device=device_of(samples_BPT))

    def phasor(steps_T: Array) -> Array:
        angle_BPT = 2 * math.pi * cycles_BP[..., None] * steps_T
        return xp.astype(xp.cos(angle_BPT) + 1j * xp.sin(angle_BPT), samples_BPT.dtype)

    turn_BPRT = phasor(step_T * row)[..., None] * phasor(step_T)[..., None, :]
    return samples_BPT * xp.reshape(turn_BPRT, (*cycles_BP.shape, row * row))[..., :count]


def _upsample(xp: ArrayNamespace, correlation_BPL: Array, factor: int) -> Array:
    """Band-limited interpolation of all but `_EDGE` samples at both ends; a taper there keeps the cut from ringing."""
    count = correlation_BPL.shape[-1]
    if factor == 1:
        return correlation_BPL[..., _EDGE : count - _EDGE]
    device = device_of(correlation_BPL)
    from_end = xp.arange(count, device=device)
    from_end = xp.minimum(from_end, count - 1 - from_end)
    taper = 0.5 - 0.5 * xp.cos(math.pi * xp.clip((from_end + 0.5) / _EDGE, 0.0, 1.0))
    spectrum = fft_of(xp).fft(correlation_BPL * xp.astype(taper, xp.real(correlation_BPL).dtype))
    half = (count + 1) // 2
    gap_shape = (*correlation_BPL.shape[:2], count * (factor - 1))
    gap = xp.zeros(gap_shape, dtype=spectrum.dtype, device=device)
    fine = fft_of(xp).ifft(xp.concat([spectrum[..., :half], gap, spectrum[..., half:]], axis=-1)) * factor
    return fine[..., factor * _EDGE : factor * (count - _EDGE - 1) + 1]


def _coherence(xp: ArrayNamespace, correlation_BPL: Array) -> Array:
    return xp.clip(xp.real(correlation_BPL) ** 2 + xp.imag(correlation_BPL) ** 2, 0, 0.99995)


def _peaks(xp: ArrayNamespace, coherence_BPL: Array, step_s: float) -> tuple[Array, Array, Array]:
    """Delay after the first lag, height and curvature of the strongest local maxima, by a parabola through three samples."""
    inner = coherence_BPL[..., 1:-1]
    is_peak = (inner >= coherence_BPL[..., :-2]) & (inner > coherence_BPL[..., 2:])
    remaining = xp.where(is_peak, inner, xp.zeros_like(inner))
    index_L = xp.arange(remaining.shape[-1], device=device_of(remaining))
    delays, heights, curvatures = [], [], []
    for _ in range(PEAKS):
        index = xp.argmax(remaining, axis=-1)[..., None]
        before, top, after = (xp.take_along_axis(coherence_BPL, index + shift, axis=-1)[..., 0] for shift in range(3))
        bend = xp.clip(2 * top - before - after, 1e-9, None)
        offset = xp.clip(0.5 * (after - before) / bend, -1, 1)
        delays.append((index[..., 0] + 1 + offset) * step_s)
        heights.append(xp.clip(top + 0.25 * (after - before) * offset, 1e-6, 0.99995))
        curvatures.append(bend / step_s**2)
        remaining = xp.where(index_L == index, xp.zeros_like(remaining), remaining)
    return xp.stack(delays, axis=-1), xp.stack(heights, axis=-1), xp.stack(curvatures, axis=-1)
