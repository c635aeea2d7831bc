"""A stated channel against the recordings of an observation."""

from __future__ import annotations

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.observation import Observation, Receiver, Reception
from heimdall.validation.reception import vet
from heimdall.validation.recorded_width import within_recordings


def _observation(bandwidth_hz: float, *rates_hz: float | None, flawed: int | None = None) -> Observation:
    """A receiver for each rate, with IQ of noise, or with a power where that is None."""
    noise = np.random.default_rng(4).normal(size=(200, 2)).astype(np.float32).view(np.complex64)[:, 0]
    receptions = [
        Reception(
            Receiver(f"R{index}", 52.0 + index, 5.0),
            samples=None if rate_hz is None else noise,
            sample_rate_hz=rate_hz,
            rssi_dbm=-90.0 if rate_hz is None else None,
            flaw="broken" if index == flawed else None,
        )
        for index, rate_hz in enumerate(rates_hz)
    ]
    return Observation("night", 433e6, bandwidth_hz, tuple(receptions))


@pytest.mark.parametrize(
    ("stated_hz", "rates_hz", "taken_hz"),
    [
        (2e6, (250e3, 250e3, 250e3), 250e3),
        (2e6, (250e3, 96e3, 192e3), 192e3),
        (2e6, (250e6, 250e3, 250e3), 250e3),
        (2e6, (250e3, None), 250e3),
    ],
)
def test_a_channel_is_cut_to_what_two_receivers_recorded(
    stated_hz: float, rates_hz: tuple[float | None, ...], taken_hz: float
) -> None:
    """Whoever stated it: a receiver whose rate is in another unit does not count, and a note says what is taken."""
    vetted = vet(_observation(stated_hz, *rates_hz))
    assert vetted.bandwidth_hz == taken_hz
    assert f"the {taken_hz:.6g} Hz that were recorded are used" in vetted.notes[-1]
    assert within_recordings(vetted) is vetted


@pytest.mark.parametrize(
    ("stated_hz", "rates_hz"), [(251e3, (250e3, 250e3)), (200e3, (250e3, 96e3, 250e3)), (2e6, (None, None))]
)
def test_a_channel_that_was_recorded_or_only_measured_stays(
    stated_hz: float, rates_hz: tuple[float | None, ...]
) -> None:
    """Also where it is a rounding wider, or one receiver holds less of it."""
    observation = _observation(stated_hz, *rates_hz)
    assert within_recordings(observation) is observation


def test_a_flagged_recording_says_nothing_of_the_width() -> None:
    assert vet(_observation(2e6, 1e6, 1e6, 50e3, 50e3)).bandwidth_hz == 1e6
    assert vet(_observation(2e6, 1e6, 50e3, 50e3, flawed=0)).bandwidth_hz == 50e3


def test_a_width_that_cannot_be_right_is_refused_still() -> None:
    with pytest.raises(InputError, match="bandwidth"):
        vet(_observation(1e20, 1e6, 1e6))
