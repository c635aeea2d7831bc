"""The channel of a dongle, taken out of its stream piece by piece."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.capture.drivers.cut import QuarterDecimator

RATE_HZ = 240_000.0


@pytest.mark.parametrize("factor", [3, 20])
@pytest.mark.parametrize("share", [0.0, -0.3, 0.2])
def test_pieces_of_a_stream_are_one_channel_later_by_the_stated_delay(factor: int, share: float) -> None:
    """A tone beside a quarter of the rate, at that share of the rate that is kept."""
    decimator, piece = QuarterDecimator(RATE_HZ, factor), 4 * factor * 30
    offset_hz = share * RATE_HZ / factor
    tone = np.exp(2j * np.pi * (RATE_HZ / 4 + offset_hz) * np.arange(4 * piece) / RATE_HZ).astype(np.complex64)
    found = np.concatenate([decimator(each) for each in np.split(tone, 4)])
    time_s = np.arange(len(found)) * factor / RATE_HZ - decimator.delay_s
    np.testing.assert_allclose(found[20:], np.exp(2j * np.pi * offset_hz * time_s)[20:], atol=2e-4)
