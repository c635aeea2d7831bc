"""A recording that is clipped is said to be; one that is only loud is not."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.formats.readers.recordings.clipping import clipping_note

_NOISE = np.random.default_rng(2).normal(size=(2, 20_000))


def _recorded(gain: float, bits: int) -> np.ndarray:
    full = 2 ** (bits - 1)
    codes = np.clip(np.round(gain * full * _NOISE), -full, full - 1)
    return ((codes[0] + 1j * codes[1]) / full).astype(np.complex64)


@pytest.mark.parametrize("bits", [8, 16])
def test_noise_beyond_the_scale_is_clipped(bits: int) -> None:
    (note,) = clipping_note("HB9ODP", _recorded(1.0, bits))
    assert "samples of HB9ODP are clipped" in note


@pytest.mark.parametrize("gain", [0.0, 1e-4, 0.2])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_stays_within_the_scale_is_not(gain: float, bits: int) -> None:
    assert clipping_note("x", _recorded(gain, bits)) == ()


def test_a_carrier_that_just_fills_the_scale_is_not() -> None:
    carrier = 0.999 * np.exp(2j * np.pi * 0.0123 * np.arange(20_000))
    codes = np.round(32768 * carrier.real) + 1j * np.round(32768 * carrier.imag)
    assert clipping_note("x", (codes / 32768).astype(np.complex64)) == ()
