"""What cannot be right about a reception is found and said; what is right is left alone."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.observation import Observation, Receiver, Reception
from heimdall.validation import vet

GOOD = Reception(Receiver("good", 47.0, 8.0, 400.0, 50e-9), toa_s=0.001)
_NOISE = np.random.default_rng(1).normal(size=(2, 500))
IQ = replace(GOOD, toa_s=None, samples=(_NOISE[0] + 1j * _NOISE[1]).astype(np.complex64), sample_rate_hz=12_000.0)


def _flaws(*receptions: Reception) -> list[str | None]:
    return [reception.flaw for reception in vet(Observation("x", 1e8, 1e4, receptions)).receptions]


def _moved(**changes: Any) -> Reception:
    other = {"name": "other", "latitude_deg": 48.0, **changes}
    return replace(GOOD, receiver=replace(GOOD.receiver, **other))


def test_sound_receptions_keep_no_flaw() -> None:
    """Two receivers apart, one with an arrival time and one with IQ, are both used."""
    assert _flaws(GOOD, replace(IQ, receiver=_moved().receiver)) == [None, None]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latitude_deg": 0.0, "longitude_deg": 0.0}, r"\(0, 0\)"),
        ({"latitude_deg": 90.1}, "not on the globe"),
        ({"longitude_deg": -180.5}, "not on the globe"),
        ({"latitude_deg": math.nan}, "not known"),
        ({"longitude_deg": math.inf}, "not known"),
        ({"height_m": math.nan}, "height"),
        ({"height_m": 2e6}, "height"),
        ({"clock_sigma_s": -1.0}, "clock uncertainty"),
        ({"level_sigma_db": math.nan}, "level uncertainty"),
        ({"name": "good"}, "named good"),
        ({"latitude_deg": 47.0}, "stands where good stands"),
        ({"latitude_deg": 47.000005}, "stands where good stands"),
        ({"clock_sigma_s": None}, "no clock"),
    ],
)
def test_an_impossible_receiver_is_flagged(changes: dict[str, Any], reason: str) -> None:
    """The second of two receivers gets the reason, the first is kept."""
    first, second = _flaws(GOOD, _moved(**changes))
    assert first is None
    assert second is not None
    assert re.search(reason, second)


@pytest.mark.parametrize(
    "changes",
    [
        {"latitude_deg": 47.0, "height_m": 430.0},
        {"latitude_deg": 47.00002},
        {"clock_sigma_s": 0.0},
        {"latitude_deg": 0.0},
        {"longitude_deg": 180.0},
    ],
)
def test_an_unusual_receiver_is_left_alone(changes: dict[str, Any]) -> None:
    """Two antennas up one mast, neighbours 2 m apart, a perfect clock, the equator and the date line are no flaw."""
    assert _flaws(GOOD, _moved(**changes)) == [None, None]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"samples": np.zeros(500, np.complex64)}, "no signal"),
        ({"samples": np.zeros(0, np.complex64)}, "no signal"),
        ({"samples": np.full(500, math.nan, np.complex64)}, "500 of its 500 samples are not numbers"),
        ({"sample_rate_hz": None}, "sample rate"),
        ({"sample_rate_hz": 0.0}, "sample rate"),
        ({"start_s": math.nan}, "start time"),
        ({"samples": None}, "no signal"),
        ({"samples": None, "toa_s": math.inf}, "arrival time"),
        ({"samples": None, "rssi_dbm": -math.inf}, "received power"),
        ({"samples": None, "rssi_dbm": -80.0, "rssi_sigma_db": -1.0}, "power uncertainty"),
    ],
)
def test_a_signal_that_cannot_be_used_is_flagged(changes: dict[str, Any], reason: str) -> None:
    """Silence, NaN and impossible rates are flagged, and nothing is thrown away."""
    flaw = _flaws(_moved(), replace(IQ, **changes))[1]
    assert flaw is not None
    assert reason in flaw


def test_a_receiver_without_a_clock_serves_for_power() -> None:
    """No clock is no flaw where a power or IQ was heard."""
    bare = replace(GOOD.receiver, clock_sigma_s=None)
    powered = Reception(bare, rssi_dbm=-90.0)
    recorded = replace(IQ, receiver=replace(bare, name="other", latitude_deg=48.0))
    assert _flaws(powered, recorded) == [None, None]


def test_a_flagged_receiver_does_not_make_another_a_duplicate() -> None:
    """Where the first of two namesakes is unusable, the second is used."""
    first, *others = _flaws(replace(GOOD, toa_s=None), GOOD, _moved())
    assert str(first).startswith("no signal")
    assert others == [None, None]


@pytest.mark.parametrize(
    ("sensitivity_dbm", "flaw"), [(-110.0, None), (math.nan, "its sensitivity of nan dBm"), (1e4, "its")]
)
def test_who_heard_nothing_and_says_how_well_it_hears_is_used(sensitivity_dbm: float, flaw: str | None) -> None:
    found, _ = _flaws(replace(GOOD, toa_s=None, sensitivity_dbm=sensitivity_dbm), _moved())
    assert (found is None) if flaw is None else str(found).startswith(flaw)


def test_a_readers_flaw_stays() -> None:
    """What the reader found is not overwritten."""
    assert _flaws(replace(GOOD, flaw="broken file"), _moved()) == ["broken file", None]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_receivers_are_refused(count: int) -> None:
    """One receiver locates nothing, and the error says so."""
    with pytest.raises(InputError, match="at least 2 are needed"):
        _flaws(*[GOOD] * count)


@pytest.mark.parametrize(
    ("frequency_hz", "bandwidth_hz"),
    [
        (7100.0, 2700.0),
        (21_300.0, 2700.0),
        (433.92, 25e3),
        (145_500.0, 2e5),
        (145_500.0, 12.5e3),
        (446_006.25, 12.5e3),
        (868_100.0, 125e3),
        (162_025.0, 25e3),
    ],
)
def test_a_frequency_in_another_unit_is_noted_once(frequency_hz: float, bandwidth_hz: float) -> None:
    once = vet(Observation("x", frequency_hz, bandwidth_hz, (GOOD, _moved())))
    assert len(once.notes) == 1
    assert "kHz or MHz" in once.notes[0]
    assert vet(once).notes == once.notes


@pytest.mark.parametrize(
    ("frequency_hz", "bandwidth_hz"),
    [
        (1e5, 2e4),
        (17_200.0, 400.0),
        (77_500.0, 867.0),
        (137_500.0, 2100.0),
        (153e3, 9e3),
        (500e3, 10e3),
        (1602e3, 20e3),
        (3.6e6, 2700.0),
        (14.1e6, 2700.0),
        (1090e6, 5e7),
    ],
)
def test_a_frequency_that_fits_its_channel_is_not_doubted(frequency_hz: float, bandwidth_hz: float) -> None:
    assert vet(Observation("x", frequency_hz, bandwidth_hz, (GOOD, _moved()))).notes == ()


def test_what_a_receiver_passed_on_long_wave_is_not_what_somebody_typed() -> None:
    other = replace(IQ, receiver=replace(IQ.receiver, name="other", latitude_deg=48.0))
    assert vet(Observation("x", 77_500.0, 12e3, (IQ, other))).notes == ()
