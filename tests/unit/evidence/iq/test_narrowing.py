"""Wide recordings cut down to their channel."""

from __future__ import annotations

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
    assert narrowed([reception], 12.5e3, 145e6)[0].start_s == 0.25


def test_recordings_of_one_rate_keep_one_and_the_shortest_is_not_lost() -> None:
    long, short = (
        Reception(Receiver(str(count), 50.0, 10.0), samples=np.zeros(count, dtype=np.complex64), sample_rate_hz=2.4e6)
        for count in (1 << 20, 1 << 14)
    )
    found = narrowed([long, short], 12.5e3, 145e6)
    assert [each.sample_rate_hz for each in found] == [2.4e6 / 16] * 2
    assert found[1].samples is not None
    assert len(found[1].samples) == 1 << 10


def _rate(reception: Reception, bandwidth_hz: float, frequency_hz: float) -> float | None:
    return narrowed([reception], bandwidth_hz, frequency_hz)[0].sample_rate_hz
