"""Correlation of every pair of receivers over delay and carrier offset, and its peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy

from heimdall.arrays import array_namespace, device_of, fft_of, overlapping
from heimdall.evidence.iq.channel_spectrum import ChannelSpectrum
from heimdall.geometry import Array

PEAKS = 2
"""Peaks kept for each pair."""
_DOPPLER_OVERSAMPLING = 4
_BLOCKS_A_CYCLE = 4
"""Blocks for each turn of the largest carrier offset: a turn within a block would cancel the correlation."""
_SAMPLES_A_CYCLE = 8
"""Correlation samples for each cycle of the bandwidth once upsampled: enough for a parabola through three."""
_EDGE = 16
_CELLS_AT_ONCE = 1 << 15
"""Of the blocks' spectra of the pairs correlated together: enough to spread the overhead, little enough for the cache."""


@dataclass(frozen=True, eq=False)
class PairPeaks:
    """The strongest correlation peaks of P pairs of receivers, strongest first."""

    first_P: Array
    second_P: Array
    delay_s_BPK: Array
    """How much later the first receiver's record is than the second's, sample for sample."""
    coherence_BPK: Array
    """Squared magnitude of the normalised correlation, 0 to 1."""
    log_likelihood_BPK: Array
    """-M log(1 - coherence) over M independent samples: the gain over 'no common signal' (Stein 1981)."""
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
    """Correlate all pairs coherently over blocks, and search delay and carrier offset for the peaks.

    The complex correlation of short blocks is Fourier transformed over the blocks, so a carrier offset up to
    `max_offset_hz` costs nothing; a magnitude sum over blocks would. A pair is detected when its gain exceeds what the best
    of all cells searched reaches by chance.
    """
    xp = array_namespace(present_BN)
    samples_BNT = fft_of(xp).ifft(spectrum.filtered_BNT)
    first_P, second_P = _pairs(xp, samples_BNT)
    count = samples_BNT.shape[-1]
    lags = min(math.ceil(max_delay_s * sample_rate_hz) + 4, count - 1)
    blocks = _block_count(count, sample_rate_hz, max_offset_hz)
    correlation_BPL, offsets = _correlate(
        xp, samples_BNT, first_P, second_P, lags + _EDGE, blocks, sample_rate_hz, max_offset_hz
    )
    factor = max(1, math.ceil(_SAMPLES_A_CYCLE * bandwidth_hz / sample_rate_hz))
    coherence_BPL = _coherence(xp, _upsample(xp, correlation_BPL, factor))
    step_s = 1 / (factor * sample_rate_hz)
    delay, peak, curvature = _peaks(xp, coherence_BPL, step_s)
    samples_B11 = spectrum.independent_samples_B[:, None, None]
    gain_BPK = -samples_B11 * xp.log1p(-peak)
    both = present_BN[:, first_P] & present_BN[:, second_P]
    cells = math.log((2 * lags + 1) * max(1, offsets))
    return PairPeaks(
        first_P,
        second_P,
        delay - lags / sample_rate_hz,
        peak,
        gain_BPK,
        curvature,
        both & (gain_BPK[..., 0] > cells + 3),
    )


def _pairs(xp: Array, samples_BNT: Array) -> tuple[Array, Array]:
    """Indices of all pairs i < j."""
    receivers = samples_BNT.shape[1]
    device = device_of(samples_BNT)
    index = [(i, j) for i in range(receivers) for j in range(i + 1, receivers)]
    both = xp.reshape(xp.asarray(index, dtype=xp.int64, device=device), (-1, 2))
    return both[:, 0], both[:, 1]


def _block_count(count: int, sample_rate_hz: float, max_offset_hz: float) -> int:
    return max(1, min(count // 16, math.ceil(_BLOCKS_A_CYCLE * max_offset_hz * count / sample_rate_hz)))


def _correlate(
    xp: Array,
    samples_BNT: Array,
    first_P: Array,
    second_P: Array,
    lags: int,
    blocks: int,
    sample_rate_hz: float,
    max_offset_hz: float,
) -> tuple[Array, int]:
    """Normalised correlation at lags -lags..lags, at the carrier offset where it is strongest, and the offsets searched."""
    energy_BN1 = xp.sum(xp.real(samples_BNT) ** 2 + xp.imag(samples_BNT) ** 2, axis=-1)[..., None]
    samples_BNT = samples_BNT / xp.sqrt(xp.clip(energy_BN1, 1e-30, None))
    block_BNKF, extended_BNKF, length = _block_spectra(xp, samples_BNT, lags, blocks)
    turns_DK = _offset_turns(xp, samples_BNT, blocks, length / sample_rate_hz, max_offset_hz)
    step = max(1, _CELLS_AT_ONCE // math.prod((*block_BNKF.shape[:1], *block_BNKF.shape[2:])))
    best = [
        _best_offset(
            xp,
            extended_BNKF[:, first_P[start : start + step]],
            block_BNKF[:, second_P[start : start + step]],
            turns_DK,
            lags,
        )
        for start in range(0, first_P.shape[0], step)
    ]
    return xp.concat(best, axis=1), int(turns_DK.shape[0])


def _best_offset(xp: Array, extended_BPKF: Array, block_BPKF: Array, turns_DK: Array, lags: int) -> Array:
    """(B, P, 2 lags + 1) correlation of some pairs, each at the offset where it is strongest."""
    lagged_BPKL = fft_of(xp).ifft(extended_BPKF * xp.conj(block_BPKF))[..., : 2 * lags + 1]
    shifted_BPDL = xp.matmul(turns_DK, lagged_BPKL)
    power_BPD = xp.max(xp.real(shifted_BPDL) ** 2 + xp.imag(shifted_BPDL) ** 2, axis=-1)
    winner_BP11 = xp.argmax(power_BPD, axis=-1)[..., None, None]
    index = xp.broadcast_to(winner_BP11, (*shifted_BPDL.shape[:2], 1, shifted_BPDL.shape[-1]))
    return xp.take_along_axis(shifted_BPDL, index, axis=2)[:, :, 0]


def _block_spectra(xp: Array, samples_BNT: Array, lags: int, blocks: int) -> tuple[Array, Array, int]:
    """Spectra of the blocks, and of the same blocks reaching `lags` further at both ends."""
    count = samples_BNT.shape[-1]
    length = math.ceil(count / blocks)
    before = xp.zeros((*samples_BNT.shape[:2], lags), dtype=samples_BNT.dtype, device=device_of(samples_BNT))
    after_shape = (*samples_BNT.shape[:2], blocks * length - count + lags)
    after = xp.zeros(after_shape, dtype=samples_BNT.dtype, device=device_of(samples_BNT))
    padded_BNT = xp.concat([before, samples_BNT, after], axis=-1)
    extended = overlapping(padded_BNT, length + 2 * lags, length)
    block = overlapping(padded_BNT[..., lags : lags + blocks * length], length, length)
    size = scipy.fft.next_fast_len(length + 2 * lags)
    return fft_of(xp).fft(block, n=size), fft_of(xp).fft(extended, n=size), length


def _offset_turns(xp: Array, samples_BNT: Array, blocks: int, block_s: float, max_offset_hz: float) -> Array:
    """The phase turns over the blocks that undo each carrier offset searched, shape (offsets, blocks)."""
    resolution_hz = 1 / (_DOPPLER_OVERSAMPLING * blocks * block_s)
    reach = math.ceil(max_offset_hz / resolution_hz) if blocks > 1 else 0
    device = device_of(samples_BNT)
    offset_D1 = xp.arange(-reach, reach + 1, device=device)[:, None] * resolution_hz
    time_K = xp.arange(blocks, device=device) * block_s
    angle_DK = -2 * math.pi * offset_D1 * time_K
    return xp.astype(xp.cos(angle_DK) + 1j * xp.sin(angle_DK), samples_BNT.dtype)


def _upsample(xp: Array, correlation_BPL: Array, factor: int) -> Array:
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


def _coherence(xp: Array, correlation_BPL: Array) -> Array:
    return xp.clip(xp.real(correlation_BPL) ** 2 + xp.imag(correlation_BPL) ** 2, 0, 0.99995)


def _peaks(xp: Array, coherence_BPL: Array, step_s: float) -> tuple[Array, Array, Array]:
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
