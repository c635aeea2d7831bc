"""How far apart two receivers show the carrier, for every pair at once: a coarse search over delay and carrier offset."""

from __future__ import annotations

import math

import scipy

from heimdall.arrays import Array, array_namespace, device_of, fft_of, overlapping

_OVERSAMPLING = 4
"""Offsets tried for each 1/T that a record of T seconds tells apart: near enough for a parabola through three."""
_BLOCKS_A_CYCLE, _FEWEST_BLOCKS = 4, 4
"""Blocks for each turn of the largest carrier offset, as a turn within a block would cancel the correlation; and in all."""
_CELLS_AT_ONCE = 1 << 15
"""Of the blocks' spectra of the pairs correlated together: enough to spread the overhead, little enough for the cache."""


def pair_offsets(
    samples_BNT: Array, pairs_P2: Array, lags: int, sample_rate_hz: float, max_offset_hz: float
) -> tuple[Array, int]:
    """(B, P) offset in Hz of the first receiver's carrier above the second's, and how many offsets were tried.

    The complex correlation of short blocks is Fourier transformed over the blocks, so an offset up to `max_offset_hz` costs
    nothing; a magnitude sum over blocks would. The highest correlation within `lags` samples wins.
    """
    xp = array_namespace(samples_BNT)
    blocks = _block_count(samples_BNT.shape[-1], sample_rate_hz, max_offset_hz)
    if blocks == 1:
        shape = (samples_BNT.shape[0], pairs_P2.shape[0])
        return xp.zeros(shape, dtype=xp.real(samples_BNT).dtype, device=device_of(samples_BNT)), 1
    block_BNKF, extended_BNKF, length = _block_spectra(samples_BNT, lags, blocks)
    resolution_hz = sample_rate_hz / (_OVERSAMPLING * blocks * length)
    reach = math.ceil(max_offset_hz / resolution_hz)
    turns_DK = _turns(block_BNKF, reach, resolution_hz * length / sample_rate_hz)
    step = max(1, _CELLS_AT_ONCE // math.prod((*block_BNKF.shape[:1], *block_BNKF.shape[2:])))
    index_BP = [
        _strongest(
            extended_BNKF[:, pairs_P2[start : start + step, 0]],
            block_BNKF[:, pairs_P2[start : start + step, 1]],
            turns_DK,
            lags,
        )
        for start in range(0, pairs_P2.shape[0], step)
    ]
    return (xp.concat(index_BP, axis=1) - reach) * resolution_hz, int(turns_DK.shape[0])


def _block_count(count: int, sample_rate_hz: float, max_offset_hz: float) -> int:
    if max_offset_hz <= 0:
        return 1
    return min(count, max(_FEWEST_BLOCKS, math.ceil(_BLOCKS_A_CYCLE * max_offset_hz * count / sample_rate_hz)))


def _block_spectra(samples_BNT: Array, lags: int, blocks: int) -> tuple[Array, Array, int]:
    """Spectra of the blocks, and of the same blocks reaching `lags` further at both ends; the length of a block."""
    xp = array_namespace(samples_BNT)
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


def _turns(block_BNKF: Array, reach: int, cycles_a_block: float) -> Array:
    """The phase turns over the blocks that undo each offset tried, shape (2 reach + 1, blocks)."""
    xp = array_namespace(block_BNKF)
    device = device_of(block_BNKF)
    cycles_D1 = xp.arange(-reach, reach + 1, device=device)[:, None] * cycles_a_block
    angle_DK = -2 * math.pi * cycles_D1 * xp.arange(block_BNKF.shape[2], device=device)
    return xp.astype(xp.cos(angle_DK) + 1j * xp.sin(angle_DK), block_BNKF.dtype)


def _strongest(extended_BPKF: Array, block_BPKF: Array, turns_DK: Array, lags: int) -> Array:
    """(B, P) index, with its fraction, of the offset at which some pairs correlate most."""
    xp = array_namespace(block_BPKF)
    lagged_BPKL = fft_of(xp).ifft(extended_BPKF * xp.conj(block_BPKF))[..., : 2 * lags + 1]
    shifted_BPDL = xp.matmul(turns_DK, lagged_BPKL)
    power_BPD = xp.max(xp.real(shifted_BPDL) ** 2 + xp.imag(shifted_BPDL) ** 2, axis=-1)
    index = xp.clip(xp.argmax(power_BPD, axis=-1), 1, power_BPD.shape[-1] - 2)[..., None]
    before, top, after = (xp.take_along_axis(power_BPD, index + shift, axis=-1)[..., 0] for shift in (-1, 0, 1))
    bend = xp.clip(2 * top - before - after, 1e-30, None)
    return index[..., 0] + xp.clip(0.5 * (after - before) / bend, -1, 1)
