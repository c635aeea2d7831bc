"""A receiver's own place, known only so well, in its times and levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.evidence.collect import collect
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Receiver, Reception

PLACES = [(50.0, 8.0), (50.3, 8.0), (50.0, 8.5), (50.3, 8.5)]


def _observation(position_sigma_m: float | None) -> Observation:
    receptions = tuple(
        Reception(
            Receiver(f"R{index}", *place, clock_sigma_s=30e-9, position_sigma_m=position_sigma_m),
            toa_s=0.0,
            rssi_dbm=-80.0,
        )
        for index, place in enumerate(PLACES)
    )
    return Observation("made up", 150e6, 25e3, receptions, transmitter_height_m=0.0)


def test_a_place_error_adds_its_travel_time() -> None:
    """A standard deviation of s metres adds (s n/c)^2 to the variance of the arrival time."""
    exact, rough = (collect(_observation(sigma)).evidence for sigma in (None, 300.0))
    added_s2 = rough.arrival_sigma_s**2 - exact.arrival_sigma_s**2
    assert np.sqrt(added_s2) == pytest.approx(300 * 1.0003 / SPEED_OF_LIGHT_M_S)


def test_a_place_error_blurs_the_level_by_its_share_of_the_distance() -> None:
    """4.34 k s / d decibels, and never more than the slope itself."""
    exact, rough = (collect(_observation(sigma)).evidence for sigma in (None, 600.0))
    added_db = np.sqrt(rough.level_sigma_db**2 - exact.level_sigma_db**2)[0]
    distance_m = np.linalg.norm(exact.position_enu_m[0, :, :2], axis=1)
    assert added_db == pytest.approx(13.0 * 600 / distance_m, rel=0.01)
    lost = collect(_observation(1e8)).evidence
    assert np.all(lost.level_sigma_db < 20)


def test_the_region_grows_as_places_are_rounded() -> None:
    """Two decimals, one, none: 0.3, 3 and 32 km of uncertainty give ever larger regions."""
    reach = []
    for sigma in (None, 320.0, 3200.0):
        fix = locate([_observation(sigma)])[0].fix
        assert fix.region_95 is not None
        assert fix.latitude_deg is not None
        assert fix.longitude_deg is not None
        reach.append(fix.region_95.reach_m(fix.latitude_deg, fix.longitude_deg))
    assert reach[0] * 1.2 < reach[1] < reach[2] / 2


def test_one_rough_place_among_good_ones_counts_less() -> None:
    """The others decide: the late receiver whose place is rough moves the fix less than one that claims to be exact."""
    good = _observation(None)
    late = replace(good.receptions[3], toa_s=3e-6)
    moved = []
    for sigma in (None, 2000.0):
        rough = replace(late, receiver=replace(late.receiver, position_sigma_m=sigma))
        fix = locate([replace(good, receptions=(*good.receptions[:3], rough))])[0].fix
        assert fix.latitude_deg is not None
        assert fix.longitude_deg is not None
        moved.append(np.hypot((fix.latitude_deg - 50.15) * 111e3, (fix.longitude_deg - 8.25) * 71e3))
    assert moved[1] < moved[0] + 1
