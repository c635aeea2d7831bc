"""Receivers at one site are one arrival time, however many they are."""

from dataclasses import replace

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.sites import joined_at_sites
from heimdall.evidence.collect import collect
from heimdall.fix import Status
from heimdall.geometry import LocalFrame
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

MIDDLE = LocalFrame(47.0, 8.0)


def _heard(seed: int, at_sites: tuple[int, ...], apart_m: float, bandwidth_hz: float = 12.5e3) -> Observation:
    """So many receivers at each of some sites within 20 km, with clocks of 100 ns."""
    chance = np.random.default_rng(seed)
    place_m = chance.uniform(-20e3, 20e3, 2)
    receptions = []
    for site, count in enumerate(at_sites):
        middle_m = chance.uniform(-20e3, 20e3, 2)
        for number in range(count):
            east, north = middle_m + (chance.uniform(-apart_m, apart_m, 2) if number else 0.0)
            latitude, longitude, height_m = (float(v) for v in MIDDLE.to_geodetic(np.array([east, north, 0.0])))
            way_m = float(np.hypot(*(place_m - (east, north))))
            toa_s = way_m * 1.0003 / SPEED_OF_LIGHT_M_S + chance.normal(0, 100e-9)
            receptions.append(
                Reception(Receiver(f"{site}{number}", latitude, longitude, height_m, 100e-9), toa_s=toa_s)
            )
    latitude, longitude, _ = (float(v) for v in MIDDLE.to_geodetic(np.array([*place_m, 0.0])))
    return Observation(f"{seed}", 145e6, bandwidth_hz, tuple(receptions), truth=Place(latitude, longitude, None))


@pytest.mark.parametrize(("apart_m", "bandwidth_hz"), [(3.0, 12.5e3), (100.0, 12.5e3), (100.0, 1e6)])
def test_six_receivers_at_three_sites_are_no_surer_than_three(apart_m: float, bandwidth_hz: float) -> None:
    """Their times have a mirror image: of 20 fixes at most two are `ok` and wrong, and all say that nothing checks them."""
    fixes = [each.fix for each in locate([_heard(seed, (2, 2, 2), apart_m, bandwidth_hz) for seed in range(20)])]
    sure = [fix for fix in fixes if fix.status is Status.OK]
    assert sum(not fix.truth.inside_95 for fix in sure if fix.truth is not None) <= 2
    assert all("three arrival times cannot check each other" in fix.advice for fix in sure)


def test_the_others_at_a_site_are_used_and_told_by_whom_they_count() -> None:
    (located,) = locate([_heard(1, (2, 1, 1, 1), 3.0)])
    reports = {each.name: each for each in located.fix.receivers}
    told = [each for each in reports.values() if each.reason is not None]
    assert [(each.name[0], each.used, each.residual_m) for each in told] == [("0", True, None)]
    assert "at the same site" in (told[0].reason or "")
    assert "gave no arrival time" not in located.fix.advice


def test_times_that_disagree_at_a_site_are_left_to_the_check() -> None:
    observation = _heard(1, (2, 1, 1, 1), 3.0)
    receptions = list(observation.receptions)
    assert receptions[1].toa_s is not None
    receptions[1] = replace(receptions[1], toa_s=receptions[1].toa_s + 50e-6)
    assert not joined_at_sites(collect(replace(observation, receptions=tuple(receptions)))).joined


def test_poor_clocks_make_no_site_of_receivers_kilometres_apart() -> None:
    """Their distance is less than light travels in the uncertainty of a time, and still each adds to what is known."""
    observation = _heard(4, (2, 1, 1), 2000.0)
    receptions = [
        replace(each, receiver=replace(each.receiver, clock_sigma_s=20e-6)) for each in observation.receptions
    ]
    assert not joined_at_sites(collect(replace(observation, receptions=tuple(receptions)))).joined


def test_receivers_a_kilometre_apart_are_two_sites() -> None:
    assert not joined_at_sites(collect(_heard(2, (1, 1, 1, 1), 0.0))).joined
    assert not joined_at_sites(collect(_heard(3, (2, 1, 1), 4000.0))).joined
