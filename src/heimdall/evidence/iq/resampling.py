"""Samples taken again at other times than they were taken at: by a clock whose rate is a little off."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.complex64]
Values = NDArray[np.float64]

_TAPS = 32
_PHASES = 1024
"""Half a step between phases turns the edge of the band by pi / 2048: -56 dB."""
_KAISER = 8.0
_CHUNK = 1 << 15


def resampled(samples_T: Samples, position: Values) -> Samples:
    """The samples at fractional indices `position`, which rise by nearly 1 from one to the next: no filter against aliases.

    A windowed sinc: flat to -50 dB up to 0.42 of the rate. Beyond both ends the samples are zero.
    """
    table = _table()
    padded = np.pad(samples_T, _TAPS)
    out = np.empty(len(position), dtype=np.complex64)
    neighbours = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)
    for first in range(0, len(position), _CHUNK):
        part = position[first : first + _CHUNK]
        fine = np.round(part * _PHASES).astype(np.int64)
        whole, phase = fine // _PHASES, fine % _PHASES
        begin = np.clip(whole - _TAPS // 2 + 1 + _TAPS, 0, len(neighbours) - 1)
        out[first : first + _CHUNK] = np.einsum("nk,nk->n", neighbours[begin], table[phase])
    return out


@cache
def _table() -> NDArray[np.float32]:
    """(phases, taps): weights of the samples around a place that lies between two of them."""
    offset = np.arange(_TAPS) - (_TAPS // 2 - 1) - np.arange(_PHASES)[:, None] / _PHASES
    shape = np.i0(_KAISER * np.sqrt(np.clip(1 - (offset / (_TAPS / 2)) ** 2, 0, None))) / np.i0(_KAISER)
    weights = np.sinc(offset) * shape
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
