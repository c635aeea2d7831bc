"""A fix is ok only where its receivers agree; where they do not, the one that is wrong is named."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.integrity import fault_odds
from heimdall.estimation.integrity.consistency import find_misfit, misfit_probability
from heimdall.estimation.integrity.fault_odds import FaultOdds
from heimdall.estimation.integrity.misplacement import coarseness, corrections
from heimdall.estimation.model import model_of
from heimdall.evidence.collect import collect
from heimdall.evidence.redescribe import redescribed
from heimdall.fix import Fix, Status
from heimdall.locating import by_least_squares
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver

MakeObservation = Callable[..., Observation]
SIX = [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7), (50.3, 10.6), (49.7, 10.0)]
SOUTHERN = [(-33.2, -70.1), (-33.8, -70.3), (-33.1, -69.6), (-33.9, -69.7)]


def changed(observation: Observation, index: int, **fields: object) -> Observation:
    """One receiver as its owner describes it wrongly."""
    receptions = list(observation.receptions)
    receptions[index] = replace(receptions[index], receiver=replace(receptions[index].receiver, **fields))
    return replace(observation, receptions=tuple(receptions))


def shifted(observation: Observation, index: int, *, toa_s: float = 0.0, rssi_dbm: float = 0.0) -> Observation:
    receptions = list(observation.receptions)
    old = receptions[index]
    receptions[index] = replace(old, toa_s=old.toa_s + toa_s, rssi_dbm=old.rssi_dbm + rssi_dbm)
    return replace(observation, receptions=tuple(receptions))


def fix_of(observation: Observation) -> Fix:
    return locate([observation])[0].fix


def test_receivers_that_agree_are_ok(make_observation: MakeObservation) -> None:
    fix = fix_of(make_observation(SIX))
    assert fix.status is Status.OK
    assert fix.without is None
    assert fix.to_json()["without"] is None


@pytest.mark.parametrize(("places", "truth"), [(SIX, Place(50.02, 10.05, 0.0)), (SOUTHERN, Place(-33.5, -70.0, 0.0))])
def test_swapped_latitude_and_longitude_are_named(
    make_observation: MakeObservation, places: list[tuple[float, float]], truth: Place
) -> None:
    """Thousands of km from the others, with a correction that fits; and the fix without it is right."""
    latitude, longitude = places[1]
    wrong = changed(make_observation(places, truth), 1, latitude_deg=longitude, longitude_deg=latitude)
    fix = fix_of(wrong)
    assert fix.status is Status.INCONSISTENT
    assert "R1" in fix.advice
    assert "latitude and longitude swapped" in fix.advice
    assert fix.without is not None
    assert fix.without.receiver == "R1"
    assert fix.without.latitude_deg == pytest.approx(truth.latitude_deg, abs=0.02)


def test_three_receivers_with_one_swapped_are_not_ok(make_observation: MakeObservation) -> None:
    """Three times fit some place whatever they are: here geometry tells."""
    latitude, longitude = SIX[0]
    wrong = changed(make_observation(SIX[:3]), 0, latitude_deg=longitude, longitude_deg=latitude)
    fix = fix_of(wrong)
    assert fix.status is Status.INCONSISTENT
    assert "R0" in fix.advice


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"latitude_deg": 4.81}, "the decimal point of its latitude moved (48.1"),
        ({"longitude_deg": 107.0}, "the decimal point of its longitude moved"),
        ({"latitude_deg": 84.1}, "two digits of its latitude exchanged (48.1"),
        ({"latitude_deg": math.radians(48.1), "longitude_deg": math.radians(10.7)}, "taken as radians (48.1, 10.7)"),
    ],
)
@pytest.mark.parametrize("count", [3, 5])
def test_figures_that_were_mixed_up_are_named(
    make_observation: MakeObservation, written: dict[str, float], words: str, count: int
) -> None:
    """Of few receivers, too, where times fit some place whatever they are."""
    places = [(48.1, 10.7), (48.6, 9.6), (47.7, 9.9), (48.4, 10.2), (47.9, 10.5)][:count]
    fix = fix_of(changed(make_observation(places, Place(48.2, 10.1, 0.0)), 0, **written))
    assert fix.status is Status.INCONSISTENT
    assert "R0 most of all: it is far from all others" in fix.advice
    assert words in fix.advice


def test_a_flipped_sign_is_named(make_observation: MakeObservation) -> None:
    fix = fix_of(changed(make_observation(SIX), 3, longitude_deg=-SIX[3][1]))
    assert fix.status is Status.INCONSISTENT
    assert "R3" in fix.advice
    assert "the sign of its longitude" in fix.advice


@pytest.mark.parametrize("late_s", [60e-6, -60e-6])
def test_a_wrong_clock_is_named_with_how_late_it_is(make_observation: MakeObservation, late_s: float) -> None:
    fix = fix_of(shifted(make_observation(SIX), 2, toa_s=late_s))
    assert fix.status is Status.INCONSISTENT
    assert "R2 most of all" in fix.advice
    assert ("later" if late_s > 0 else "earlier") in fix.advice
    assert "60" in fix.advice or "59" in fix.advice
    assert fix.without is not None
    assert fix.without.reach_m is not None
    assert fix.without.reach_m < 3000


def test_a_level_40_db_off_is_named(make_observation: MakeObservation) -> None:
    fix = fix_of(shifted(make_observation(SIX), 4, rssi_dbm=-40.0))
    assert fix.status is Status.INCONSISTENT
    assert "R4 most of all: its level is" in fix.advice
    assert "dB lower" in fix.advice


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("fields", [{"latitude_deg": 52.4}, {"longitude_deg": 13.5}])
def test_the_only_clock_is_late_against_nobody(make_observation: MakeObservation, fields: dict[str, float]) -> None:
    """Its place is wrong, and what shows it are levels alone: no time to compare its own with, so none is spoken of."""
    observation = make_observation(SIX)
    for index in range(1, len(SIX)):
        observation = changed(observation, index, clock_sigma_s=None)
    fix = fix_of(shifted(changed(observation, 0, **fields), 0, rssi_dbm=25.0))
    assert fix.status is Status.INCONSISTENT
    assert "R0 most of all: its level is" in fix.advice
    assert "nan" not in fix.advice


def test_a_place_in_whole_degrees_is_named(make_observation: MakeObservation) -> None:
    fix = fix_of(changed(make_observation(SIX), 5, latitude_deg=50.0, longitude_deg=10.0))
    assert fix.status is Status.INCONSISTENT
    assert "R5 most of all" in fix.advice
    assert "whole degrees" in fix.advice


def test_one_late_signal_is_no_contradiction(make_observation: MakeObservation) -> None:
    """A blocked link comes late by some microseconds, and the model knows it."""
    assert fix_of(shifted(make_observation(SIX), 2, toa_s=4e-6)).status is Status.OK


def test_three_times_say_that_they_cannot_check_each_other(make_observation: MakeObservation) -> None:
    heard = make_observation(SIX[:3], Place(50.0, 10.0, 0.0))
    fix = fix_of(replace(heard, transmitter_height_m=None))
    assert fix.status is Status.OK
    assert "three arrival times cannot check each other or tell a height (a transmitter on the ground" in fix.advice
    assert "tell a height" not in fix_of(replace(heard, transmitter_height_m=0.0)).advice


def test_other_methods_are_checked_as_well(make_observation: MakeObservation) -> None:
    wrong = shifted(make_observation(SIX), 2, toa_s=80e-6)
    assert next(by_least_squares.locate_each([wrong])).fix.status is Status.INCONSISTENT


def test_methods_that_are_compared_find_the_odds_of_the_same_evidence_once(
    make_observation: MakeObservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = collect(shifted(make_observation(SIX), 2, toa_s=80e-6)).evidence
    searched = []
    log_evidence = fault_odds.log_evidence
    monkeypatch.setattr(
        fault_odds, "log_evidence", lambda *asked: (searched.append(len(asked[0])), log_evidence(*asked))[1]
    )
    place, model, odds = np.zeros(2), model_of(collect(make_observation(SIX))), FaultOdds()
    misfits = [find_misfit(replace(evidence), place, model, odds=odds) for _ in range(2)]
    misfits.append(find_misfit(evidence, place, model))
    assert len(searched) == 2
    assert all(np.array_equal(misfit.log_odds, misfits[0].log_odds) for misfit in misfits if misfit and misfits[0])


def test_without_times_each_receiver_is_left_out_once(
    make_observation: MakeObservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = collect(shifted(make_observation(SIX), 4, rssi_dbm=-60.0)).evidence
    evidence = replace(evidence, has_arrival=np.zeros_like(evidence.has_arrival))
    searched = []
    log_evidence = fault_odds.log_evidence
    monkeypatch.setattr(
        fault_odds, "log_evidence", lambda *asked: (searched.append(len(asked[0])), log_evidence(*asked))[1]
    )
    assert find_misfit(evidence, np.zeros(2), model_of(collect(make_observation(SIX)))) is not None
    assert searched == [1 + len(SIX)]


def test_the_probability_of_a_misfit_falls_with_the_fault(make_observation: MakeObservation) -> None:
    """It is 1 where times cannot tell."""
    good = collect(make_observation(SIX))
    place, model = good.frame.to_enu(np.array(50.02), np.array(10.05), np.array(0.0))[:2], model_of(good).without_faults
    late = [collect(shifted(make_observation(SIX), 1, toa_s=t)).evidence for t in (0.0, 8e-6, 30e-6)]
    probabilities = [misfit_probability(evidence, place, model) for evidence in late]
    assert probabilities[0] == 1.0
    assert probabilities[1] > probabilities[2]
    assert probabilities[2] < 0.01
    assert misfit_probability(collect(make_observation(SIX[:3])).evidence, place, model) == 1.0


def test_two_receivers_are_not_checked(make_observation: MakeObservation) -> None:
    two = collect(make_observation(SIX[:2]))
    assert find_misfit(two.evidence, np.zeros(2), model_of(two)) is None


def test_redescribed_evidence_is_that_of_the_same_measurements_elsewhere(make_observation: MakeObservation) -> None:
    """As if it had been collected anew, for a table of measurements."""
    observation = make_observation(SIX)
    moved = replace(observation.receptions[1].receiver, latitude_deg=49.5)
    again = redescribed(collect(observation), {1: moved, 3: None})
    receptions = list(observation.receptions)
    receptions[1] = replace(receptions[1], receiver=moved)
    receptions[3] = replace(receptions[3], flaw="left out")
    fresh = collect(replace(observation, receptions=tuple(receptions)))
    for name in ("position_enu_m", "arrival_s", "level_db", "half_width_m", "clock_sigma_s", "has_arrival"):
        np.testing.assert_allclose(getattr(again.evidence, name), getattr(fresh.evidence, name), err_msg=name)
    assert again.reasons == fresh.reasons


@pytest.mark.parametrize(
    ("latitude", "longitude", "words"),
    [(47.0, 9.0, "whole degrees"), (47.1, 9.0, "tenths"), (47.12, 9.0, None), (46.499351, 8.798828, None)],
)
def test_coarse_places_are_told_by_their_decimals(latitude: float, longitude: float, words: str | None) -> None:
    found = coarseness(Receiver("A", latitude, longitude))
    assert (words in found) if words and found else found is words


def test_a_height_of_zero_among_mountains_is_a_mistake_to_try() -> None:
    others = [Receiver(name, 47.0, 9.0, 1500.0) for name in "BCD"]
    words = [each.words for each in corrections(Receiver("A", 47.1, 9.1), others)]
    assert any("height of 1500 m instead of 0" in each for each in words)


FAR = [(50.2, 10.1), (46.5, 8.8), (51.8, 10.6), (52.1, 5.2)]


@pytest.mark.parametrize("frequency_hz", [145e6, 2.4e9])
def test_what_no_wave_of_the_band_reaches_is_not_ok(make_observation: MakeObservation, frequency_hz: float) -> None:
    fix = fix_of(replace(make_observation(FAR), frequency_hz=frequency_hz))
    assert fix.status is Status.INCONSISTENT
    assert "beyond the radio horizon" in fix.advice
    assert "give its height" in fix.advice


@pytest.mark.parametrize(("frequency_hz", "height_m"), [(77.5e3, 0.0), (1090e6, 11_000.0)])
def test_a_wave_along_the_ground_and_a_flying_transmitter_are_heard_from_afar(
    make_observation: MakeObservation, frequency_hz: float, height_m: float
) -> None:
    observation = make_observation(FAR, Place(50.02, 10.05, height_m))
    flying = replace(observation, frequency_hz=frequency_hz, transmitter_height_m=height_m)
    assert fix_of(flying).status is Status.OK


NEIGHBOURS = [(50.02, 10.01), (49.98, 10.03), (50.01, 9.96), (49.99, 9.97), (50.03, 10.06), (49.97, 10.0)]
AMONG_THEM = Place(49.982, 10.027, 0.0)


def test_a_stated_height_that_the_receivers_contradict_is_named_first(make_observation: MakeObservation) -> None:
    """Stated 900 m below the receivers of a network of 7 km, where it is at their height: nobody's position is wrong."""
    stated = replace(make_observation(NEIGHBOURS, AMONG_THEM), transmitter_height_m=-900.0, bandwidth_hz=1e6)
    fix = fix_of(stated)
    assert fix.status is Status.INCONSISTENT
    assert fix.advice.startswith(
        "the transmitter's stated height of -900 m may be wrong: without it the receivers agree"
    )


def test_a_late_receiver_is_not_laid_to_the_stated_height(make_observation: MakeObservation) -> None:
    fix = fix_of(shifted(make_observation(NEIGHBOURS, AMONG_THEM), 2, toa_s=40e-6))
    assert fix.status is Status.INCONSISTENT
    assert "stated height" not in fix.advice
    assert "R2" in fix.advice


def _timed(observation: Observation, time_of: Callable[[int, float], float]) -> Observation:
    receptions = (
        replace(each, toa_s=None if each.toa_s is None else time_of(index, each.toa_s))
        for index, each in enumerate(observation.receptions)
    )
    return replace(observation, receptions=tuple(receptions))


@pytest.mark.parametrize("receivers", [3, 4, 6])
@pytest.mark.parametrize(
    ("factor", "unit"), [(1e3, "in milliseconds"), (1e6, "in microseconds"), (1e9, "in nanoseconds")]
)
def test_times_in_another_unit_are_asked_about(
    make_observation: MakeObservation, receivers: int, factor: float, unit: str
) -> None:
    """Three times fit some place whatever they are, but light takes no seconds from one receiver to the next."""
    fix = fix_of(_timed(make_observation(SIX[:receivers]), lambda _, toa_s: factor * (toa_s - 5)))
    assert fix.status is Status.INCONSISTENT
    assert f"are they {unit}, or" in fix.advice
    assert fix.without is None


def test_times_of_which_each_counts_from_its_own_origin_are_asked_about(make_observation: MakeObservation) -> None:
    fix = fix_of(_timed(make_observation(SIX), lambda index, toa_s: toa_s + 7.3 * index**2))
    assert fix.status is Status.INCONSISTENT
    assert "do they count from different origins?" in fix.advice


def test_one_time_far_off_is_its_receivers_fault(make_observation: MakeObservation) -> None:
    fix = fix_of(shifted(make_observation(SIX[:4]), 2, toa_s=20.0))
    assert fix.status is Status.INCONSISTENT
    assert "R2" in fix.advice
    assert "are they in" not in fix.advice


@pytest.mark.parametrize("count", [3, 4, 6])
def test_times_that_are_all_alike_are_no_transmitter(make_observation: MakeObservation, count: int) -> None:
    """A pulse of the receivers' own clocks, or one time copied to all: no place makes them, however high."""
    observation = make_observation(SIX[:count])
    alike = [replace(each, toa_s=0.25 + 20e-9 * (-1) ** n) for n, each in enumerate(observation.receptions)]
    fix = fix_of(replace(observation, receptions=tuple(alike)))
    assert fix.status is Status.INCONSISTENT
    assert "all arrival times are the same within their uncertainty" in fix.advice


def test_times_that_poor_clocks_make_alike_are_not_asked_about(make_observation: MakeObservation) -> None:
    observation = make_observation(SIX)
    poor = replace(
        observation,
        receptions=tuple(
            replace(each, toa_s=0.25, receiver=replace(each.receiver, clock_sigma_s=50e-6))
            for each in observation.receptions
        ),
    )
    assert "all arrival times are the same" not in fix_of(poor).advice
