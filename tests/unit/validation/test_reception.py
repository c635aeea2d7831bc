"""What cannot be right about a reception is found and said; what is right is left alone."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heimdall.errors import InputError
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.validation.reception import vet

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
        ({"longitude_deg": 279.611}, "longitudes go from -180 to 180, write -80.389"),
        ({"longitude_deg": 368.456}, "write 8.456"),
        ({"longitude_deg": -190.5}, "write 169.5"),
        ({"latitude_deg": 139.7, "longitude_deg": 35.7}, "are latitude and longitude swapped"),
        ({"latitude_deg": 4807.038, "longitude_deg": -1131.5}, r"\(ddmm.mm\), write 48.1173, -11.525"),
        ({"latitude_deg": 4879.5, "longitude_deg": 1131.5}, "degrees without their decimal point"),
        ({"latitude_deg": 5_200_000.0, "longitude_deg": 460_000.0}, "metres of a map grid"),
        ({"latitude_deg": 469_280_762.0, "longitude_deg": -78_684_890.0}, "degree, write 46.9280762, -7.868489"),
        ({"latitude_deg": math.nan}, "not known"),
        ({"longitude_deg": math.inf}, "not known"),
        ({"height_m": math.nan}, "height"),
        ({"height_m": 2e6}, "height"),
        ({"clock_sigma_s": -1.0}, "clock uncertainty"),
        ({"level_sigma_db": math.nan}, "level uncertainty"),
        ({"name": "good"}, "named good"),
        ({"latitude_deg": 47.0}, "its position is that of good"),
        ({"latitude_deg": 47.000005}, "its position is that of good"),
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
        ({"samples": np.zeros(0, np.complex64)}, "it holds no samples"),
        ({"samples": IQ.samples.real.astype(np.complex64)}, "its samples are real, not IQ"),
        ({"samples": 1j * IQ.samples.imag + 0.3}, "its samples are real, not IQ"),
        ({"samples": np.round(50 * IQ.samples.real) * (1 - 1j)}, "its samples are real, not IQ"),
        ({"samples": (1 + 0.02j) * IQ.samples.real + 3e-4 * IQ.samples.imag}, "its samples are real, not IQ"),
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
    ("powers_dbm", "why", "ask"),
    [
        (
            (72.0, 81.5, 64.0),
            "81.5 dBm would be 141 kW at an antenna",
            "is the minus sign missing? From dBµV at 50 ohm, subtract 107",
        ),
        (
            (12.0, 0.0, 7.5),
            "12 dBm would be 16 mW at an antenna",
            "is the minus sign missing? From dBµV at 50 ohm, subtract 107",
        ),
        ((6e-11, 2e-12, 9e-9), "2e-12 to 9e-09 are no dBm", "convert watts or milliwatts to dBm"),
        ((0.3, 0.0, 1.0), "0 to 1 are no dBm", "convert watts or milliwatts to dBm"),
    ],
)
def test_powers_that_are_no_dbm_are_not_used(powers_dbm: tuple[float, ...], why: str, ask: str) -> None:
    """Where nobody heard less than 0 dBm, each power is refused with the likely mistake, and a note says why once."""
    receptions = [
        Reception(Receiver(f"r{index}", 47.0 + 0.01 * index, 8.0), rssi_dbm=power_dbm)
        for index, power_dbm in enumerate(powers_dbm)
    ]
    vetted = vet(Observation("x", 1e8, 1e4, tuple(receptions)))
    assert [each.flaw for each in vetted.receptions] == [
        f"its received power of {power_dbm:.6g} dBm cannot be right: {ask}" for power_dbm in powers_dbm
    ]
    assert len(vetted.notes) == 1
    assert f"{why}: {ask}" in vetted.notes[0]
    assert vet(vetted).notes == vetted.notes


def test_one_power_below_0_dbm_vouches_for_the_others() -> None:
    """A receiver beside the transmitter may take in a milliwatt; whether 40 dBm agrees with the others is theirs to tell."""
    powers = [replace(_moved(name=str(dbm), latitude_deg=47 + dbm / 100), rssi_dbm=dbm) for dbm in (3.0, -41.0, 40.0)]
    vetted = vet(Observation("x", 1e8, 1e4, tuple(powers)))
    assert [each.rssi_dbm for each in vetted.receptions] == [3.0, -41.0, 40.0]
    assert vetted.notes == ()


def test_a_receiver_whose_power_is_no_dbm_keeps_its_arrival_time() -> None:
    """Times are used alone; where a clock is missing, there is nothing left to use."""
    untimed = replace(_moved(name="untimed", latitude_deg=49.0, clock_sigma_s=None), rssi_dbm=90.0)
    timed = (replace(GOOD, rssi_dbm=70.0, sensitivity_dbm=110.0), replace(_moved(), rssi_dbm=80.0))
    vetted = vet(Observation("x", 1e8, 1e4, (*timed, untimed)))
    assert [each.flaw is None for each in vetted.receptions] == [True, True, False]
    assert [(each.toa_s, each.rssi_dbm, each.sensitivity_dbm) for each in vetted.receptions[:2]] == [
        (0.001, None, None)
    ] * 2
    assert "the received powers are not used" in vetted.notes[0]


@pytest.mark.parametrize(("longitude_deg", "told"), [(8.0, False), (8.3, True)])
def test_a_receiver_that_moved_needs_a_name_for_each_place(longitude_deg: float, told: bool) -> None:
    car = replace(GOOD.receiver, name="van")
    flaw = _flaws(*(replace(GOOD, receiver=each) for each in (car, replace(car, longitude_deg=longitude_deg))))[1]
    assert flaw is not None
    assert "a receiver named van is already there" in flaw
    assert ("a name for each place, as van-1 and van-2" in flaw) == told


def _heights(height_m: float | None, *receivers_m: float, width_deg: float = 0.1) -> tuple[str, ...]:
    """Notes on a transmitter of that stated height among receivers of those."""
    receptions = tuple(
        replace(GOOD, receiver=Receiver(f"r{index}", 40.0 + width_deg * index, -105.0, each_m, 1e-7))
        for index, each_m in enumerate(receivers_m)
    )
    return vet(Observation("x", 1e8, 1e4, receptions, transmitter_height_m=height_m)).notes


def test_a_stated_height_that_looks_as_if_above_the_ground_is_noted() -> None:
    """A mast of 30 m among receivers that stand 2.2 km high."""
    (note,) = _heights(30.0, 2210.0, 2190.0, 2305.0)
    assert "30 m, is 2160 m below every receiver: is it above the ground?" in note


@pytest.mark.parametrize(
    ("height_m", "receivers_m", "width_deg"),
    [
        (None, (2200.0, 2200.0), 0.1),
        (2230.0, (2200.0, 2200.0), 0.1),
        (0.0, (40.0, 90.0), 0.01),  # masts
        (300.0, (2200.0, 420.0, 380.0), 0.1),  # a valley and a summit
        (1100.0, (2200.0, 2300.0), 0.1),  # no mast is as high above the ground
        (5.0, (1600.0, 1650.0), 3.0),  # a country that slopes to the sea
    ],
)
def test_a_stated_height_that_may_well_be_right_is_not_noted(
    height_m: float | None, receivers_m: tuple[float, ...], width_deg: float
) -> None:
    assert _heights(height_m, *receivers_m, width_deg=width_deg) == ()


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
        (446.1, 0.00625),
        (2400.0, 20.0),
        (156_800.0, 25.0),
        (27.2e6, 10.0),
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


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "how"),
    [
        (8.1, 47.3, "with latitude and longitude swapped"),
        (47.3, -8.1, "with the sign of its longitude changed"),
        (-47.3, 8.1, "with the sign of its latitude changed"),
        (47.3, 8.1, None),
        (40.7, -74.0, None),
        (47.3, 100.0, None),
    ],
)
def test_a_known_transmitter_whose_place_is_mistaken_is_worth_a_question(
    latitude_deg: float, longitude_deg: float, how: str | None
) -> None:
    """It would tell of wrong fixes, and of receivers that are late; a distant one is no mistake."""
    observation = vet(Observation("x", 1e7, 1e4, (GOOD, _moved()), truth=Place(latitude_deg, longitude_deg)))
    notes = [note for note in observation.notes if "known transmitter" in note]
    assert len(notes) == (how is not None)
    assert how is None or how in notes[0]
    assert observation.truth is not None


@pytest.mark.parametrize(
    ("size", "step_s", "unit"), [(1e6, 1e-3, "microseconds"), (1e9, 1.0, "nanoseconds"), (1.0, 1e-6, "")]
)
def test_times_in_another_unit_with_enough_digits_for_that_are_worth_a_question(
    size: float, step_s: float, unit: str
) -> None:
    """Their clocks are good, and only as seconds they have too few."""
    receptions = tuple(
        replace(each, toa_s=n * 30e-6 * size, toa_step_s=step_s)
        for n, each in enumerate(_moved(name=f"r{n}", latitude_deg=48.0 + n / 10) for n in range(4))
    )
    notes = [note for note in vet(Observation("x", 1e8, 1e4, receptions)).notes if "are they given in" in note]
    assert [f"are they given in {unit}?" in note for note in notes] == [True] * bool(unit)


@pytest.mark.parametrize(
    ("size", "sigma_s", "unit"),
    [(1e6, 0.1, "microseconds"), (1e9, 100.0, "nanoseconds"), (1e3, 1e-3, "milliseconds"), (1.0, 0.05, ""), (1.0, 1e-7, "")],
)  # fmt: skip
def test_times_and_uncertainties_in_another_unit_are_worth_a_question(size: float, sigma_s: float, unit: str) -> None:
    """The times are not used, and the fix came from powers alone, without a word."""
    receptions = tuple(
        replace(each, receiver=replace(each.receiver, clock_sigma_s=sigma_s), toa_s=n * 30e-6 * size)
        for n, each in enumerate(_moved(name=f"r{n}", latitude_deg=48.0 + n / 10) for n in range(4))
    )
    notes = [note for note in vet(Observation("x", 1e8, 1e4, receptions)).notes if "are both given in" in note]
    assert [f"are both given in {unit}?" in note for note in notes] == [True] * bool(unit)


@pytest.mark.parametrize(
    ("powers_dbm", "said"),
    [
        ((-80.0, -95.5, -150.0, -150.0), "2 receivers report exactly -150 dBm, 54 dB below all others"),
        ((-60.0, -128.0, -71.3, -128.0, -128.0), "3 receivers report exactly -128 dBm, 57 dB below all others"),
        ((-112.5, 0.0, 0.0, -110.0), "2 receivers report exactly 0 dBm, 110 dB above all others"),
        ((-112.5, 0.0, -110.0), ""),
        ((-5.0, 0.0, 0.0), ""),
        ((-118.0, -120.0, -120.0, -90.0), ""),
        ((-80.0, -95.0, -150.0), ""),
        ((-150.0, -150.0), ""),
    ],
)
def test_a_power_that_stands_for_none_is_worth_a_question(powers_dbm: tuple[float, ...], said: str) -> None:
    receptions = tuple(
        replace(_moved(name=f"r{n}", latitude_deg=48.0 + n / 10), rssi_dbm=power) for n, power in enumerate(powers_dbm)
    )
    notes = [note for note in vet(Observation("x", 1e8, 1e4, receptions)).notes if "report exactly" in note]
    assert [said in note for note in notes] == [True] * bool(said)


@pytest.mark.parametrize(("sigma_s", "noted"), [(100.0, True), (0.05, False), (1e-7, False)])
@pytest.mark.parametrize("heard", [GOOD, IQ])
def test_clocks_that_say_nothing_are_worth_a_question(heard: Reception, sigma_s: float, noted: bool) -> None:
    """Nanoseconds where seconds belong leave the powers alone, which nobody would notice."""
    near, far = (
        replace(heard, receiver=_moved(name=name, latitude_deg=latitude_deg, clock_sigma_s=sigma_s).receiver)
        for name, latitude_deg in (("a", 48.0), ("b", 49.0))
    )
    observation = vet(Observation("x", 1e8, 1e4, (near, far)))
    assert any("are they given in nanoseconds or microseconds" in note for note in observation.notes) == noted


@pytest.mark.parametrize(
    ("sensitivities_dbm", "said"),
    [
        ((110.0, -110.0), "r0 states a sensitivity of 110 dBm, which is no weak signal: is the minus sign missing?"),
        ((-110.0, 95.0, 110.0), "r1 states a sensitivity of 95 dBm, which is no weak signal, and 1 more are no better"),
        ((-110.0, -5.0), ""),
    ],
)
def test_a_sensitivity_without_its_sign_is_worth_a_question(sensitivities_dbm: tuple[float, ...], said: str) -> None:
    silent = tuple(
        Reception(Receiver(f"r{n}", 48.0 + n, 8.0), sensitivity_dbm=each) for n, each in enumerate(sensitivities_dbm)
    )
    notes = [note for note in vet(Observation("x", 1e8, 1e4, (GOOD, *silent))).notes if "a sensitivity of" in note]
    assert [note.startswith(said) for note in notes] == [True] * bool(said)


@pytest.mark.parametrize("heard", [GOOD, IQ])
@pytest.mark.parametrize(
    ("sigmas_s", "said"),
    [
        ((0.0, 1e-7), "r0 has a clock uncertain by exactly 0 s"),
        ((0.0,) * 4, "r0, r1, r2 and others have clocks uncertain by exactly 0 s"),
        ((1e-9, None), ""),
    ],
)
def test_a_clock_without_any_uncertainty_is_worth_a_question(
    heard: Reception, sigmas_s: tuple[float | None, ...], said: str
) -> None:
    receptions = tuple(
        replace(
            heard, receiver=_moved(name=f"r{n}", latitude_deg=48.0 + n, clock_sigma_s=sigma_s).receiver, rssi_dbm=-90.0
        )
        for n, sigma_s in enumerate(sigmas_s)
    )
    notes = [note for note in vet(Observation("x", 1e8, 1e4, receptions)).notes if "exactly 0 s" in note]
    assert [note.startswith(said) for note in notes] == [True] * bool(said)


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "reason"),
    [
        (91.5, 10.0, "not on the globe"),
        (47.0, 371.25, "longitudes go from -180 to 180, write 11.25"),
        (math.nan, 10.0, "not known"),
        (47.0, -math.inf, "not known"),
        (0.0, 0.0, r"\(0, 0\)"),
    ],
)
def test_a_transmitter_that_stands_nowhere_is_not_compared_with(
    latitude_deg: float, longitude_deg: float, reason: str
) -> None:
    """Its distance would be no number: the known place is left out with a note, and the receivers stay as they are."""
    vetted = vet(Observation("x", 1e8, 1e4, (GOOD, _moved()), truth=Place(latitude_deg, longitude_deg)))
    assert vetted.truth is None
    assert any(re.search(f"the known transmitter is not compared with: .*{reason}", note) for note in vetted.notes)
    assert [reception.flaw for reception in vetted.receptions] == [None, None]
    assert vet(vetted).notes == vetted.notes


def test_a_transmitter_at_the_pole_is_compared_with() -> None:
    truth = Place(90.0, -180.0)
    vetted = vet(Observation("x", 1e8, 1e4, (GOOD, _moved()), truth=truth))
    assert (vetted.truth, vetted.notes) == (truth, ())
