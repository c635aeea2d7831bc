"""The array API standard's functions for numpy arrays and torch tensors: one code for training and for locating."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from array_api_compat import array_namespace as _namespace_of_others
from array_api_compat import device as device_of
from numpy.typing import NDArray

__all__ = [
    "Array",
    "ArrayNamespace",
    "array_namespace",
    "device_of",
    "fft_of",
    "largest",
    "overlapping",
    "picked",
    "shifted",
]

Array = Any
"""A numpy array or a torch tensor: what the array API standard calls an array."""
ArrayNamespace = Any
"""A module whose functions take arrays as the array API standard has them: numpy, or array_api_compat's for torch."""
_BLOCK = 1 << 14
"""Samples turned at once, by phases that are the same in each block but for a constant; they stay in the cache."""


def array_namespace(*arrays: Array) -> ArrayNamespace:
    """The module whose functions take these arrays.

    For numpy's that is numpy itself, which follows the standard since 2.1: the wrapper of array_api_compat takes a tenth of
    a second to load and a third of the time of every small step. What numpy spells otherwise (`descending`) is not used.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    return _namespace_of_others(*arrays)


def fft_of(xp: ArrayNamespace) -> Any:
    """The Fourier transforms of a namespace: scipy's for numpy, five to fifteen times as fast in single precision."""
    return scipy.fft if xp is np else xp.fft


def picked(values_BG: Array, index_BK: Array) -> Array:
    """(B, K, ...) of (B, G, ...), as `take_along_axis` along the second axis does in several times the time."""
    xp = array_namespace(index_BK)
    return values_BG[xp.arange(index_BK.shape[0], device=device_of(index_BK))[:, None], index_BK]


def overlapping(values: Array, length: int, step: int) -> Array:
    """(..., count, length) stretches of the last axis, each begun `step` after the one before; a view."""
    if array_namespace(values) is np:
        return np.lib.stride_tricks.sliding_window_view(values, length, axis=-1)[..., ::step, :]
    return values.unfold(-1, length, step)


def shifted(samples_T: NDArray[np.complex64], offset_hz: float, sample_rate_hz: float) -> NDArray[np.complex64]:
    """Complex baseband (numpy) with what stands at an offset moved to the centre; the first sample keeps its phase."""
    moved_T, turns = np.empty_like(samples_T), offset_hz / sample_rate_hz
    phasor_T = np.exp(-2j * np.pi * (np.arange(min(_BLOCK, len(samples_T))) * turns % 1)).astype(np.complex64)
    for first in range(0, len(samples_T), _BLOCK):
        block, moved = (each[first : first + _BLOCK] for each in (samples_T, moved_T))
        with np.errstate(all="ignore"):  # what is not finite stays so
            np.multiply(block, phasor_T[: len(block)], out=moved)
            moved *= np.complex64(np.exp(-2j * np.pi * (first * turns % 1)))
    return moved_T


def largest(samples_T: NDArray[np.complex64]) -> float:
    """The largest size of a real or an imaginary part; not a number where one of them is none, and 0 of no samples."""
    parts = samples_T.view(np.float32)
    return float(np.maximum(np.max(parts, initial=0.0), -np.min(parts, initial=0.0)))
