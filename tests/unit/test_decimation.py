"""What is left of a wide band is what was there, at the same times."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.decimation import decimated


@pytest.mark.parametrize("factor", [2, 3, 7, 40])
@pytest.mark.parametrize("share", [0.0, -0.2, 0.33])
def test_what_the_new_rate_holds_stays_as_it_is(factor: int, share: float) -> None:
    """Tones at a part of the new rate, at the first sample of each row."""
    tone = np.exp(2j * np.pi * share / factor * np.arange(400 * factor + 1)).astype(np.complex64)
    found = decimated(tone, factor)
    assert len(found) == 401
    np.testing.assert_allclose(found[20:-20], tone[::factor][20:-20], atol=2e-4)


@pytest.mark.parametrize("factor", [2, 3, 7, 40])
def test_what_the_new_rate_cannot_hold_is_not_folded_back(factor: int) -> None:
    for share in np.arange(0.66, 0.5 * factor, 0.05):
        tone = np.exp(2j * np.pi * share / factor * np.arange(400 * factor)).astype(np.complex64)
        assert np.max(np.abs(decimated(tone, factor)[20:-20])) < 2e-4


def test_long_recordings_are_cut_down_in_parts_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=2 * 200_000).astype(np.float32).view(np.complex64)
    whole, part = decimated(samples, 3), decimated(samples[3 * 30_000 :], 3)
    np.testing.assert_allclose(whole[30_000:][20:-20], part[20:-20], atol=1e-5)
