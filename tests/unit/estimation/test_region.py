"""Regions hold the mass they state, wherever the cells are fine or coarse."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from heimdall.estimation.frame import WindowFrame
from heimdall.estimation.region import GridPosterior, to_geodetic
from heimdall.geometry import LocalFrame

FRAME = LocalFrame(50.0, 10.0)
MODE_M = np.array([800.0, -400.0])
"""Of `_normal`."""
Values = NDArray[np.float64]


def _posterior(density: object, axis_m: Values | None = None, cells: int = 96, reach_m: float = 8e3) -> GridPosterior:
    """A function of east and north on even cells, or on those given."""
    if axis_m is None:
        axis_m = reach_m * ((2 * np.arange(cells) + 1) / cells - 1)
    east, north = np.meshgrid(axis_m, axis_m)
    size = np.gradient(axis_m)
    mass = density(east, north) * size[:, None] * size  # type: ignore[operator]
    return GridPosterior(FRAME, 0.0, axis_m, axis_m, mass / mass.sum())


def _normal(east: Values, north: Values) -> Values:
    """Standard deviations of 1500 m and 500 m, turned by 30 degrees, around `MODE_M`."""
    east, north = east - MODE_M[0], north - MODE_M[1]
    along = np.cos(np.pi / 6) * east + np.sin(np.pi / 6) * north
    across = -np.sin(np.pi / 6) * east + np.cos(np.pi / 6) * north
    return np.asarray(np.exp(-0.5 * ((along / 1500) ** 2 + (across / 500) ** 2)))


def _uneven_axis(stretch: float = 4.0) -> Values:
    one = np.ones(1)
    middle, _ = WindowFrame(np.zeros((1, 2)), 60.0 * one, stretch * one).axis(64)
    return np.asarray(60.0 * middle[0])


def _share_inside(posterior: GridPosterior, probability: float, places_m: Values) -> float:
    region = posterior.region(probability)
    latitude, longitude, _ = to_geodetic(FRAME, places_m, 0.0)
    return float(np.mean([region.contains(*place) for place in zip(latitude, longitude, strict=True)]))


def _drawn(count: int) -> Values:
    rng = np.random.default_rng(1)
    along, across = rng.normal(0, 1500, count), rng.normal(0, 500, count)
    angle = np.pi / 6
    east, north = along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)
    return MODE_M + np.stack([east, north], axis=-1)


def test_the_spread_of_a_normal_distribution_is_its_covariance() -> None:
    along, across = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)]), np.array([-np.sin(np.pi / 6), np.cos(np.pi / 6)])
    expected_m2 = 1500.0**2 * np.outer(along, along) + 500.0**2 * np.outer(across, across)
    spread_m2 = _posterior(_normal).spread_m2(0.95, MODE_M)
    assert np.allclose(spread_m2, expected_m2, rtol=0.03, atol=0.03 * 1500**2)


def test_far_tails_do_not_make_the_spread_larger_than_the_region() -> None:
    def tight_with_tails(east: Values, north: Values) -> Values:
        distance_m = np.hypot(east, north)
        return np.asarray(sum(s / w**2 * np.exp(-0.5 * (distance_m / w) ** 2) for s, w in ((0.97, 200), (0.03, 6000))))

    posterior = _posterior(tight_with_tails, reach_m=20e3, cells=400)
    reach_m = posterior.region(0.95).reach_m(50.0, 10.0)
    assert np.sqrt(posterior.moments()[1][0, 0]) > 1.5 * reach_m
    assert 2 < reach_m / np.sqrt(np.linalg.eigvalsh(posterior.spread_m2(0.95, np.zeros(2)))[-1]) < 3.5


@pytest.mark.parametrize("probability", [0.5, 0.68, 0.95])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_region_holds_the_share_of_drawn_places_that_it_states(probability: float, uneven: bool) -> None:
    posterior = _posterior(_normal, _uneven_axis() if uneven else None)
    assert _share_inside(posterior, probability, _drawn(2000)) == pytest.approx(probability, abs=0.035)


def test_the_region_of_a_normal_is_its_ellipse() -> None:
    """The area of the 95 % region is pi chi2 times the product of the standard deviations."""
    region = _posterior(_normal).region(0.95)
    ((ring,),) = region.polygons
    east, north = (FRAME.to_enu(ring[:, 1], ring[:, 0], np.zeros(len(ring)))[:, axis] for axis in range(2))
    area_m2 = 0.5 * abs(np.sum(east[:-1] * north[1:] - east[1:] * north[:-1]))
    assert area_m2 == pytest.approx(np.pi * chi2.ppf(0.95, 2) * 1500 * 500, rel=0.03)


def test_every_region_holds_the_mode_and_the_larger_the_smaller() -> None:
    posterior = _posterior(_normal, _uneven_axis())
    latitude, longitude, _ = (float(value) for value in to_geodetic(FRAME, MODE_M, 0.0))
    regions = [posterior.region(probability) for probability in (0.1, 0.5, 0.68, 0.95)]
    assert all(region.contains(latitude, longitude) for region in regions)
    for inner, outer in itertools.pairwise(regions):
        assert all(outer.contains(y, x) for ring in inner.polygons for x, y in ring[0])


def test_a_ring_has_a_hole_that_counts_as_outside() -> None:
    posterior = _posterior(lambda east, north: np.exp(-0.5 * ((np.hypot(east, north) - 4000) / 400) ** 2))
    region = posterior.region(0.95)
    assert [len(polygon) for polygon in region.polygons] == [2]
    assert not region.contains(50.0, 10.0)
    latitude, longitude, _ = (float(value) for value in to_geodetic(FRAME, np.array([4000.0, 0.0]), 0.0))
    assert region.contains(latitude, longitude)


def test_two_peaks_far_apart_are_two_polygons() -> None:
    def density(east: Values, north: Values) -> Values:
        return np.asarray(sum(np.exp(-0.5 * ((east - at) ** 2 + north**2) / 300**2) for at in (-4000, 4000)))

    assert len(_posterior(density).region(0.95).polygons) == 2


def test_a_mass_next_to_the_grids_edge_is_closed_at_the_edge() -> None:
    posterior = _posterior(lambda east, north: np.exp(-0.5 * ((east - 7900) ** 2 + north**2) / 2000**2))
    for polygon in posterior.region(0.95).polygons:
        for ring in polygon:
            np.testing.assert_allclose(ring[0], ring[-1])


def test_calibrations_mass_replaces_the_probability_but_not_its_name() -> None:
    posterior = _posterior(_normal)
    region, wider = posterior.region(0.68), posterior.region(0.68, mass=0.9)
    assert wider.probability == 0.68
    assert all(wider.contains(y, x) for x, y in region.polygons[0][0])


@pytest.mark.parametrize("uneven", [False, True])
def test_a_systematic_error_widens_by_its_variance(uneven: bool) -> None:
    """A mixture of normals adds the mean of their variances to the covariance, and moves nothing."""
    posterior = _posterior(_normal, _uneven_axis(5.0) if uneven else None, reach_m=12e3)
    shares = ((0.7, 600.0), (0.3, 1200.0))
    (mean, covariance), (blurred_mean, blurred) = posterior.moments(), posterior.blurred(shares).moments()
    np.testing.assert_allclose(blurred_mean, mean, atol=60)
    added = sum(share * sigma**2 for share, sigma in shares)
    np.testing.assert_allclose(blurred, covariance + added * np.eye(2), rtol=0.1, atol=0.05 * added)


def test_no_systematic_error_changes_nothing() -> None:
    posterior = _posterior(_normal)
    assert posterior.blurred(()) is posterior


def test_moments_are_those_of_the_density() -> None:
    mean, covariance = _posterior(_normal, _uneven_axis()).moments()
    np.testing.assert_allclose(mean, MODE_M, atol=15)
    assert np.sqrt(np.linalg.eigvalsh(covariance)) == pytest.approx([500, 1500], rel=0.03)


def test_places_on_the_earth_come_back() -> None:
    latitude, longitude, height = to_geodetic(FRAME, np.array([150e3, -90e3]), 250.0)
    east, north, _ = FRAME.to_enu(latitude, longitude, height)
    np.testing.assert_allclose([east, north], [150e3, -90e3], atol=1e-3)
    assert height == pytest.approx(250, abs=1)
