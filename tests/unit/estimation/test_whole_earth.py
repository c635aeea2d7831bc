"""Stations on other continents are located by receivers that bound them, and by others nobody is told that they are near."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from heimdall.constants import EARTH_MEAN_RADIUS_M, SPEED_OF_LIGHT_M_S
from heimdall.estimation.receivers.receiver_residuals import residuals_of
from heimdall.estimation.region import GridPosterior
from heimdall.estimation.whole_earth import recentred_on_transmitter
from heimdall.evidence.collect import collect
from heimdall.evidence.earth import EarthCells, even_cells
from heimdall.evidence.redescribe import redescribed
from heimdall.fix import Fix, Status
from heimdall.geometry import LocalFrame, geodesic_distance_m, hop_path, longest_hop_m
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception

ROUND_THE_EARTH = (
    (50.1, 8.7), (40.4, -3.7), (60.2, 24.9), (35.7, 139.7), (-33.9, 151.2), (-36.8, 174.8), (40.7, -74.0),
    (34.1, -118.2), (21.3, -157.9), (-23.5, -46.6), (1.35, 103.8), (-26.2, 28.0), (19.1, 72.9), (64.1, -21.9),
)  # fmt: skip
CONTINENT = (
    (52.5, 13.4),
    (48.9, 2.4),
    (55.7, 12.6),
    (45.5, 9.2),
    (50.1, 19.9),
    (43.6, 1.4),
    (59.3, 18.1),
    (53.3, -6.2),
)
SHORT_WAVE_HZ = 9.5e6


def _heard(seed: int, places: Sequence[tuple[float, float]], station: tuple[float, float]) -> Observation:
    """By a layer of one height that scatters, each link by the fewest hops that reach it or one more."""
    chance = np.random.default_rng(seed)
    layer_m = chance.uniform(220e3, 370e3)
    receptions = []
    for index, place in enumerate(places):
        distance_m, height_m = geodesic_distance_m(*place, *station), layer_m + chance.normal(0, 12e3)
        hops = math.ceil(distance_m / 3.2e6) + int(chance.random() < 0.25)
        path_m, _, _ = hop_path(np.array(distance_m), height_m, hops)
        late_s = chance.normal(0, 10e-6)
        receiver = Receiver(f"R{index}", *place, 0.0, 10e-6)
        receptions.append(Reception(receiver, toa_s=0.1 + float(path_m) / SPEED_OF_LIGHT_M_S + late_s))
    return Observation(f"made up {seed}", SHORT_WAVE_HZ, 8e3, tuple(receptions), truth=Place(*station, None))


def _fixes(observations: Sequence[Observation]) -> list[Fix]:
    return [located.fix for located in locate(observations)]


def test_receivers_all_round_the_earth_locate_a_station_anywhere() -> None:
    """Of ten stations, the median error is below 150 km and eight regions of 95 % hold."""
    chance = np.random.default_rng(3)
    stations = [(math.degrees(math.asin(chance.uniform(-0.7, 0.9))), chance.uniform(-180, 180)) for _ in range(10)]
    chosen = [chance.choice(len(ROUND_THE_EARTH), 9, replace=False) for _ in stations]
    fixes = _fixes([_heard(n, [ROUND_THE_EARTH[i] for i in chosen[n]], station) for n, station in enumerate(stations)])
    error_m = [fix.truth.error_m for fix in fixes if fix.truth is not None and fix.truth.error_m is not None]
    assert len(error_m) == len(stations)
    assert median(error_m) < 150e3
    assert sum(fix.truth.inside_95 for fix in fixes if fix.truth is not None) >= 8


@pytest.mark.parametrize(
    ("south_west", "north_east"),
    [((15, 85), (45, 125)), ((28, -110), (45, -75))],
    ids=["to the east", "across an ocean"],
)
def test_receivers_of_one_continent_do_not_vouch_for_a_station_on_another(
    south_west: tuple[int, int], north_east: tuple[int, int]
) -> None:
    """Of ten stations beyond the search around the receivers, three at most are `ok` and wrong."""
    chance = np.random.default_rng(5)
    stations = [tuple(chance.uniform(south_west, north_east)) for _ in range(10)]
    fixes = _fixes([_heard(n, CONTINENT, (station[0], station[1])) for n, station in enumerate(stations)])
    wrong = [fix for fix in fixes if fix.status is Status.OK and fix.truth is not None and not fix.truth.inside_95]
    assert len(wrong) <= 3


def test_the_advice_says_where_else_the_station_may_be() -> None:
    chance = np.random.default_rng(5)
    stations = [(chance.uniform(15, 45), chance.uniform(85, 125)) for _ in range(3)]
    fixes = _fixes([_heard(n, CONTINENT, station) for n, station in enumerate(stations)])
    assert any("the transmitter is outside the regions, most likely near latitude" in fix.advice for fix in fixes)


def test_a_station_among_the_receivers_is_not_looked_for_elsewhere() -> None:
    chance = np.random.default_rng(8)
    stations = [(chance.uniform(45, 55), chance.uniform(0, 18)) for _ in range(8)]
    fixes = _fixes([_heard(n, CONTINENT, station) for n, station in enumerate(stations)])
    assert sum("most likely near latitude" in fix.advice for fix in fixes) <= 1
    assert sum(fix.status is Status.OK for fix in fixes) >= 5


def test_receivers_described_anew_leave_the_probability_of_a_far_station_as_it_was() -> None:
    """The prior falls off from the receivers, whatever the frame."""
    collected = recentred_on_transmitter(collect(_heard(2, ROUND_THE_EARTH[:6], (-30.0, -140.0))))
    again = recentred_on_transmitter(redescribed(collected, {}))
    assert collected.recentred
    assert collected.earth is not None
    assert again.earth is not None
    np.testing.assert_allclose(again.earth.probability, collected.earth.probability, atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_a_late_receiver_is_told_by_a_station_on_the_other_half_of_the_earth(known: bool) -> None:
    heard = _heard(2, ROUND_THE_EARTH, (-30.0, -140.0))
    receptions = list(heard.receptions)
    assert receptions[4].toa_s is not None
    receptions[4] = replace(receptions[4], toa_s=receptions[4].toa_s + 5e-3)
    observation = replace(heard, receptions=tuple(receptions), truth=heard.truth if known else None)
    late_s = {each.receiver: each.late_s for each in residuals_of(observation) if each.late_s is not None}
    assert late_s.pop("R4") == pytest.approx(5e-3, abs=1.5e-3)
    # One hop more or less is about a millisecond.
    assert max(map(abs, late_s.values())) < 1.5e-3


def test_the_advice_counts_the_hops_of_far_links() -> None:
    places = [place for place in ROUND_THE_EARTH if place[0] > 0]
    fix = _fixes([_heard(1, places, (-30.0, -58.0))])[0]
    assert "4 F hops" in fix.advice


@pytest.mark.parametrize("height_m", [110e3, 210e3, 390e3])
def test_the_longest_hop_leaves_along_the_horizon(height_m: float) -> None:
    longest_m = longest_hop_m(height_m)
    below, above = (hop_path(np.array(longest_m * factor), height_m, 1)[2] for factor in (0.999, 1.001))
    assert below > 0 > above


def test_cells_cover_the_earth_and_their_parts_cover_them() -> None:
    latitude, longitude, size_m = even_cells(2000)
    assert np.sum(size_m**2) == pytest.approx(4 * math.pi * EARTH_MEAN_RADIUS_M**2)
    assert np.all((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))
    cells = EarthCells(latitude, longitude, size_m, np.zeros_like(latitude))
    index = np.array([3, 1000, 1990])
    part_latitude, part_longitude, part_m = cells.subdivided(index)
    assert len(part_latitude) == 27
    assert np.sum(part_m**2) == pytest.approx(np.sum(size_m[index] ** 2))
    middle = cells.away_m(float(part_latitude[13]), float(part_longitude[13]))
    assert middle[1000] < 1.0
    assert len(cells.without(index).concatenated(cells).log_mass) == 2 * 2000 - 3


@pytest.mark.parametrize(("latitude_deg", "longitude_deg"), [(0.0, 180.0), (89.0, 10.0), (-35.0, -75.0)])
def test_the_middle_of_a_patch_is_its_place_across_the_date_line_and_at_the_poles(
    latitude_deg: float, longitude_deg: float
) -> None:
    latitude, longitude, size_m = even_cells(6000)
    flat = EarthCells(latitude, longitude, size_m, np.zeros_like(latitude))
    away_m = flat.away_m(latitude_deg, longitude_deg)
    middle = EarthCells(latitude, longitude, size_m, -((away_m / 500e3) ** 2)).middle()
    assert geodesic_distance_m(middle.latitude_deg, middle.longitude_deg, latitude_deg, longitude_deg) < 20e3


def test_places_near_a_region_are_told_from_others() -> None:
    axis_m = np.linspace(-50e3, 50e3, 51)
    density = np.exp(-0.5 * (axis_m[:, None] ** 2 + axis_m**2) / 5e3**2)
    posterior = GridPosterior(LocalFrame(50.0, 8.0), 0.0, axis_m, axis_m, density / density.sum())
    place_m = np.array([[0.0, 0.0], [20e3, 0.0], [20e3, 0.0], [0.0, -400e3], [0.0, -400e3]])
    margin_m = np.array([0.0, 0.0, 10e3, 100e3, 395e3])
    assert posterior.is_near(place_m, margin_m, 0.95).tolist() == [True, False, True, False, True]
