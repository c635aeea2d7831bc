"""Recordings much wider than their channel, cut down to what is looked at: the channel and some of the noise beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from heimdall.evidence.iq.carrier import furthest_offset_hz
from heimdall.observation import Reception

Samples = NDArray[np.complex64]

_KEPT = 4.0
"""Channel widths that are kept: enough noise beside the channel that half of it may be taken by neighbours."""
_FLAT = 0.68
"""Part of the new rate that the filter leaves as it is."""
_LOBES = 16
_KAISER = 8.0
"""What is folded back on the flat part is below -80 dB."""
_LEAST_SAMPLES = 1 << 12
"""A shorter recording saves nothing."""
_ROWS = 1 << 14
"""Of new samples at once: what they take stays in the cache."""


def narrowed(receptions: Sequence[Reception], bandwidth_hz: float, frequency_hz: float) -> list[Reception]:
    """The receptions, those with samples at a rate of several channel widths at a whole part of it; the first sample stays.

    Carriers that are off as oscillators can be stay inside.
    """
    least_hz = max(_KEPT * bandwidth_hz, (bandwidth_hz + 2 * furthest_offset_hz(frequency_hz)) / _FLAT)
    return [_narrowed(reception, least_hz) for reception in receptions]


def _narrowed(reception: Reception, least_hz: float) -> Reception:
    samples, rate_hz = reception.samples, reception.sample_rate_hz
    assert samples is not None
    assert rate_hz is not None
    factor = min(int(rate_hz / least_hz), len(samples) // _LEAST_SAMPLES)
    if factor < 2:
        return reception
    return replace(reception, samples=decimated(samples, factor), sample_rate_hz=rate_hz / factor)


def decimated(samples_T: Samples, factor: int) -> Samples:
    """Every `factor`-th sample, the first one among them, of what the new rate can hold; zeros beyond both ends.

    A windowed sinc as wide as the new rate. Rows of `factor` samples are multiplied by the filter's parts of that length, and
    the products that belong to one new sample lie on a diagonal.
    """
    taps_QJ = _taps(factor)
    count, beyond = -(-len(samples_T) // factor), _LOBES // 2
    decimated_T = np.empty(count, dtype=np.complex64)
    for first in range(0, count, _ROWS):
        last = min(first + _ROWS, count)
        rows_RQ = _rows(samples_T, factor, first - beyond, last + beyond)
        products_RJ = rows_RQ @ taps_QJ
        decimated_T[first:last] = sum(products_RJ[lobe : lobe + last - first, lobe] for lobe in range(_LOBES))
    return decimated_T


def _rows(samples_T: Samples, factor: int, first: int, last: int) -> Samples:
    """(last - first, factor) of the samples, zeros where there are none."""
    begin, end = first * factor, last * factor
    some_T = samples_T[max(begin, 0) : end]
    return np.pad(some_T, (max(-begin, 0), end - max(begin, 0) - len(some_T))).reshape(-1, factor)


@cache
def _taps(factor: int) -> NDArray[np.float32]:
    """(factor, lobes): the filter's parts, with a sum of 1; its middle is the first of the part after the middle one."""
    length = _LOBES * factor
    from_middle = np.arange(length) - length // 2
    taps = np.sinc(from_middle / factor) * np.kaiser(length + 1, _KAISER)[:-1]
    return np.ascontiguousarray((taps / taps.sum()).reshape(_LOBES, factor).T.astype(np.float32))
