"""A band out of a wider one: filtered, and every so many-th sample kept."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.complex64]

FLAT = 0.68
"""Part of the new rate that the filter leaves as it is; what is folded back on it is below -80 dB."""
LOBES = 16
"""Rows of samples that one new sample is made of; it belongs to the first of the row after the middle."""
_KAISER = 8.0
_ROWS = 1 << 14
"""New samples at once: what they take stays in the cache."""


def decimated(samples_T: Samples, factor: int) -> Samples:
    """Every `factor`-th sample, the first one among them, of what the new rate can hold; zeros beyond both ends."""
    count = -(-len(samples_T) // factor)
    decimated_T = np.empty(count, dtype=np.complex64)
    for first in range(0, count, _ROWS):
        last = min(first + _ROWS, count)
        decimated_T[first:last] = of_rows(_rows(samples_T, factor, first - LOBES // 2, last + LOBES // 2 - 1))
    return decimated_T


def of_rows(rows_RQ: Samples) -> Samples:
    """(R - LOBES + 1,) new samples, each of `LOBES` rows of as many samples as one is kept of.

    A windowed sinc as wide as the new rate. The rows are multiplied by the filter's parts, and the products that belong to one
    new sample lie on a diagonal.
    """
    products_RJ = rows_RQ @ _taps(rows_RQ.shape[1])
    count = len(rows_RQ) - LOBES + 1
    return np.asarray(sum(products_RJ[lobe : lobe + count, lobe] for lobe in range(LOBES)), dtype=np.complex64)


def _rows(samples_T: Samples, factor: int, first: int, last: int) -> Samples:
    """(last - first, factor) of the samples, zeros where there are none."""
    begin, end = first * factor, last * factor
    some_T = samples_T[max(begin, 0) : end]
    return np.pad(some_T, (max(-begin, 0), end - max(begin, 0) - len(some_T))).reshape(-1, factor)


@cache
def _taps(factor: int) -> NDArray[np.float32]:
    """(factor, lobes): the filter's parts, with a sum of 1."""
    length = LOBES * factor
    from_middle = np.arange(length) - length // 2
    taps = np.sinc(from_middle / factor) * np.kaiser(length + 1, _KAISER)[:-1]
    return np.ascontiguousarray((taps / taps.sum()).reshape(LOBES, factor).T.astype(np.float32))
