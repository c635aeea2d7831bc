"""An unknown height: estimated with the place, marginalised into the region, and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pymap3d
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.cramer_rao import bound_at
from heimdall.estimation.heights.height import concluded
from heimdall.estimation.model import TERRESTRIAL
from heimdall.evaluation.comparison import needed_mass
from heimdall.evidence.collect import collect
from heimdall.fix import Status
from heimdall.locating.information_share import contributions
from heimdall.locating.located import Located
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

RECEIVERS = [(47.1, 15.2), (46.8, 15.0), (47.05, 15.55), (46.85, 15.6), (46.95, 15.3)]
GROUND_M = 400.0


def _heard(place: Place, count: int, clock_sigma_s: float, seed: int) -> Observation:
    """Receivers 25 to 50 km apart, their arrival times off by what their clocks claim, the height not told."""
    return _heard_by(RECEIVERS[:count], place, clock_sigma_s, seed)


def _heard_by(receivers: Sequence[tuple[float, float]], place: Place, clock_sigma_s: float, seed: int) -> Observation:
    chance = np.random.default_rng(seed)
    receptions = []
    for index, (latitude, longitude) in enumerate(receivers):
        receiver = Receiver(f"R{index}", latitude, longitude, GROUND_M, clock_sigma_s)
        ends = (pymap3d.geodetic2ecef(p.latitude_deg, p.longitude_deg, p.height_m) for p in (receiver, place))
        distance_m = float(np.linalg.norm(np.subtract(*(np.array(end) for end in ends))))
        toa_s = distance_m * 1.0003 / SPEED_OF_LIGHT_M_S + chance.normal(0.0, clock_sigma_s)
        receptions.append(Reception(receiver, toa_s=float(toa_s)))
    return Observation("made up", 433e6, 1e6, tuple(receptions), truth=place)


def _located(height_m: float, count: int = 5, clock_sigma_s: float = 50e-9, seed: int = 1) -> Located:
    place = Place(46.93, 15.32, height_m)
    return locate([_heard(place, count, clock_sigma_s, seed)])[0]


@pytest.mark.parametrize(("height_m", "most_sigma_m"), [(15e3, 2e3), (24e3, 2e3), (34e3, 2e3), (80e3, 4e3)])
def test_times_that_contradict_the_ground_say_so(height_m: float, most_sigma_m: float) -> None:
    """The height is found within its uncertainty, the place is right, and the advice says that it is not on the ground.

    Weather balloons burst at 30 to 36 km; where heights ended at 30 km they were 1.4 km off, and `ok`.
    """
    fix = _located(height_m).fix
    assert fix.height_m is not None
    assert fix.height_sigma_m is not None
    assert abs(fix.height_m - height_m) < 3 * fix.height_sigma_m + 100
    assert fix.height_sigma_m < most_sigma_m
    assert "not on the ground" in fix.advice
    assert fix.truth is not None
    assert fix.truth.error_m < 300
    assert fix.truth.inside_95


def test_a_narrow_peak_aloft_is_not_overlooked() -> None:
    """At 8 km the heights that fit are few: cells of height too coarse for them called it the ground, 180 m off and sure."""
    fix = _located(8e3).fix
    assert fix.height_m is not None
    assert fix.height_sigma_m is not None
    assert abs(fix.height_m - 8e3) < 3 * fix.height_sigma_m
    assert fix.height_m > 4e3
    assert fix.truth is not None
    assert fix.truth.inside_95


def test_a_transmitter_on_the_ground_stays_there() -> None:
    """Precise times of five receivers leave the ground the likeliest, and the place as good as with the height given."""
    located = _located(GROUND_M, clock_sigma_s=30e-9)
    assert located.fix.height_m == pytest.approx(GROUND_M)
    assert "not on the ground" not in located.fix.advice
    assert located.fix.truth is not None
    assert located.fix.truth.error_m < 200


def test_a_height_is_null_or_has_a_sigma() -> None:
    """Given: as it is, with none. Four times or more: estimated. Fewer: nobody knows."""
    heard = _heard(Place(46.93, 15.32, 5e3), 4, 300e-9, 2)
    given, estimated, unknown = (
        each.fix
        for each in locate(
            [replace(heard, transmitter_height_m=5e3), heard, replace(heard, receptions=heard.receptions[:3])]
        )
    )
    assert (given.height_m, given.height_sigma_m) == (5e3, 0.0)
    assert estimated.height_sigma_m is not None
    assert estimated.height_sigma_m > 100
    assert estimated.covariance_enu_m2 is not None
    assert estimated.covariance_enu_m2[2, 2] == pytest.approx(estimated.height_sigma_m**2)
    assert np.all(np.linalg.eigvalsh(estimated.covariance_enu_m2) >= -1)
    assert (unknown.height_m, unknown.height_sigma_m) == (None, None)


def test_regions_hold_aloft() -> None:
    """Transmitters up to 25 km high, four receivers, clocks of 500 ns: no `ok` without the height, and regions that hold.

    With the height taken as the receivers', their 95 % regions held a third of them. The prior expects half of all on the
    ground, so that the 68 % regions of transmitters that are all aloft hold less than that.
    """
    chance = np.random.default_rng(5)
    heights_m = GROUND_M + chance.uniform(1e3, 25e3, 24)
    places = [
        Place(46.95 + chance.uniform(-0.08, 0.08), 15.33 + chance.uniform(-0.12, 0.12), float(h)) for h in heights_m
    ]
    heard = [_heard(place, 4, 500e-9, seed) for seed, place in enumerate(places)]
    located = locate(heard)
    assert all(each.fix.height_sigma_m is not None for each in located if each.fix.status is Status.OK)
    held = np.array([needed_mass(each.posterior, place) for each, place in zip(located, places, strict=True)])
    assert np.mean(held < 0.95) >= 20 / 24
    assert np.mean(held < 0.68) >= 9 / 24


def test_the_residuals_are_those_at_the_height_found() -> None:
    """With the height right, links fit within what their clocks claim; the bound knows that the height is unknown."""
    located = _located(15e3)
    late_m = [report.residual_m for report in located.fix.receivers]
    assert max(abs(late or 0.0) for late in late_m) < 60
    found = contributions(located)
    assert found is not None
    assert found.bound_m is not None
    assert found.bound_m > 0


def test_an_unknown_height_takes_information_away() -> None:
    """The bound with the height unknown is wider aloft, and the same for a transmitter that no time can see rise."""
    evidence = collect(_heard(Place(46.93, 15.32, 0.0), 5, 50e-9, 1)).evidence
    for height_m, wider in ((12e3, 1.2), (GROUND_M, 1.0)):
        at = replace(evidence, transmitter_height_m=np.array([height_m]))
        known, unknown = (
            np.trace(bound_at(np.array([[25e3, -5e3]]), at, TERRESTRIAL, height_unknown=each)[0])
            for each in (False, True)
        )
        assert unknown >= wider * known * (1 - 1e-9)
    assert unknown < 1.5 * known


def test_the_likelier_of_ground_and_sky_is_the_answer() -> None:
    """On the ground the deviation counts from there; aloft the mean is the answer."""
    above = np.array([0.0, 1000.0, 3000.0])
    ground, aloft = (concluded(above, np.array(share), 400.0, 100.0) for share in ([0.6, 0.2, 0.2], [0.2, 0.4, 0.4]))
    assert ground.height_m == 400
    assert ground.sigma_m == pytest.approx(np.sqrt(0.2 * 1000**2 + 0.2 * 3000**2 + 0.6 * 100**2))
    assert aloft.height_m == pytest.approx(400 + 1600)


def test_a_transmitter_aloft_is_looked_for_as_far_as_it_is_heard() -> None:
    """A balloon at 25 km is heard at 300 km, which no station on the ground is; where the search ended at their horizon, none of
    these regions held it, all of them `ok`."""
    inside = []
    for seed in range(8):
        place = Place(46.95 + 2.6 * np.cos(seed), 15.3 + 3.8 * np.sin(seed), 25e3)
        fix = locate([_heard(place, 5, 50e-9, seed)])[0].fix
        assert fix.truth is not None
        inside.append(fix.truth.inside_95 or fix.status is not Status.OK)
    assert sum(inside) >= 7


def _aircraft(number: int, receivers: int) -> list[Observation]:
    """At 10 km over networks drawn at random."""
    chance = np.random.default_rng(receivers)
    observations = []
    for seed in range(number):
        place = Place(47.0 + chance.uniform(-0.4, 0.4), 8.0 + chance.uniform(-0.5, 0.5), 10e3)
        latitudes, longitudes = 47.0 + chance.uniform(-0.4, 0.4, receivers), 8.0 + chance.uniform(-0.5, 0.5, receivers)
        observations.append(_heard_by(list(zip(latitudes, longitudes, strict=True)), place, 50e-9, seed))
    return observations


@pytest.mark.parametrize("count", [6, 12])
def test_quiet_arrival_times_are_no_proof_of_the_air(count: int) -> None:
    """Nothing but the clocks disturbs the times of ten transmitters on the ground: none is said to be aloft."""
    chance = np.random.default_rng(count)
    observations = []
    for seed in range(10):
        place = Place(47.0 + chance.uniform(-0.15, 0.15), 8.0 + chance.uniform(-0.2, 0.2), GROUND_M)
        latitudes, longitudes = 47.0 + chance.uniform(-0.2, 0.2, count), 8.0 + chance.uniform(-0.25, 0.25, count)
        observations.append(_heard_by(list(zip(latitudes, longitudes, strict=True)), place, 100e-9, seed))
    assert not [fix.fix.advice for fix in locate(observations) if "not on the ground" in fix.fix.advice]


@pytest.mark.parametrize("count", [4, 5])
def test_sound_receivers_that_barely_determine_the_height_are_not_accused(count: int) -> None:
    """Of 20 aircraft over networks drawn at random, each heard by as few as give a height, three at most are contradicted."""
    statuses = [located.fix.status for located in locate(_aircraft(20, count))]
    assert statuses.count(Status.INCONSISTENT) <= 3


@pytest.mark.parametrize(("stated_m", "least", "most"), [(0.0, 0, 1), (400.0, 0, 1), (10e3, 11, 12)])
def test_a_stated_height_that_the_times_contradict_is_told(stated_m: float, least: int, most: int) -> None:
    """Programs write 0 for a height that they do not know. Of 12 aircraft heard by eight receivers none is `ok` with that."""
    fixes = [each.fix for each in locate([replace(each, transmitter_height_m=stated_m) for each in _aircraft(12, 8)])]
    assert least <= sum(fix.status is Status.OK for fix in fixes) <= most
    told = [fix for fix in fixes if f"the transmitter's stated height of {stated_m:.6g} m may be wrong" in fix.advice]
    assert len(told) >= (8 if stated_m < 1e3 else 0)
