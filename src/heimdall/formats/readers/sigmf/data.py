"""Bytes of a SigMF data file to complex samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sigmf.sigmffile import dtype_info


def samples_of(data: bytes, datatype: str) -> NDArray[np.complex64]:
    """All complete samples; integers come out between -1 and 1. Raises SigMFError for a datatype that is none."""
    info = dtype_info(datatype)
    return complex_samples(data, info, len(data) // info["sample_size"])


def complex_samples(data: bytes, info: Mapping[str, Any], count: int) -> NDArray[np.complex64]:
    """The first `count` samples, by the library's description of the datatype."""
    parts = np.frombuffer(data, dtype=info["component_dtype"], count=2 * count)
    with np.errstate(all="ignore"):
        floats = parts.astype(np.float32)
    if info["is_fixedpoint"]:
        full_scale = np.float32(2 ** (8 * info["component_size"] - 1))
        if info["is_unsigned"]:
            floats -= full_scale
        floats /= full_scale
    return floats.view(np.complex64)
