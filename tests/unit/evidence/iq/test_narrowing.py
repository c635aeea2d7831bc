"""Wide recordings cut down to their channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdall.evidence.iq.narrowing import narrowed
from heimdall.observation import Receiver, Reception


def test_a_recording_is_narrowed_to_its_channel_and_what_oscillators_do() -> None:
    reception = Reception(
        Receiver("a", 50.0, 10.0), samples=np.zeros(1 << 20, dtype=np.complex64), sample_rate_hz=2.4e6, start_s=0.25
    )
    assert _rate(reception, 12.5e3, 145e6) == pytest.approx(2.4e6 / 48)
    assert _rate(reception, 12.5e3, 2.4e9) == pytest.approx(2.4e6 / 5)
    assert _rate(reception, 1e6, 145e6) == 2.4e6
    short = replace(reception, samples=np.zeros(4096, dtype=np.complex64))
    assert _rate(short, 12.5e3, 145e6) == 2.4e6
    assert narrowed([reception], 12.5e3, 145e6)[0].start_s == 0.25


def _rate(reception: Reception, bandwidth_hz: float, frequency_hz: float) -> float | None:
    return narrowed([reception], bandwidth_hz, frequency_hz)[0].sample_rate_hz
