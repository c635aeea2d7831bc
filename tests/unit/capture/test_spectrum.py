"""A tone stands at its frequency with its power, over noise that is as strong as it is."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.capture.spectrum import BINS, power_of


@pytest.mark.parametrize(("share", "amplitude"), [(0.25, 1.0), (-0.375, 0.1)])
def test_a_tone_stands_at_its_frequency_with_its_power_over_full_scale(share: float, amplitude: float) -> None:
    tone = amplitude * np.exp(2j * np.pi * share * np.arange(4 * BINS))
    power_db = power_of(tone.astype(np.complex64))
    assert len(power_db) == BINS
    assert int(np.argmax(power_db)) == round((share + 0.5) * BINS)
    assert max(power_db) == pytest.approx(20 * np.log10(amplitude), abs=0.1)


def test_silence_is_a_number() -> None:
    assert set(power_of(np.zeros(BINS, dtype=np.complex64))) == {-200.0}
