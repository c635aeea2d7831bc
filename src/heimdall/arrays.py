"""The array API standard's functions for numpy arrays and torch tensors: one code for training and for locating."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from array_api_compat import array_namespace as _namespace_of_others
from array_api_compat import device as device_of

__all__ = ["array_namespace", "device_of", "fft_of"]


def array_namespace(*arrays: Any) -> Any:
    """The module whose functions take these arrays.

    For numpy's that is numpy itself, which follows the standard since 2.1: the wrapper of array_api_compat takes a tenth of
    a second to load and a third of the time of every small step. What numpy spells otherwise (`descending`) is not used.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    return _namespace_of_others(*arrays)


def fft_of(xp: Any) -> Any:
    """The Fourier transforms of a namespace: scipy's for numpy, five to fifteen times as fast in single precision."""
    return scipy.fft if xp is np else xp.fft
