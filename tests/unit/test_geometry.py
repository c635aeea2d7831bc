"""Places and distances on the ellipsoid against Karney's geodesics and the geodetic transform."""

import math

import numpy as np
import pytest
import torch

from heimdall.constants import EARTH_MEAN_RADIUS_M
from heimdall.geometry import LocalFrame, geodesic_distance_m, ground_distance_m, hop_path, on_near_side, surface_up_m

LATITUDES = (-70.0, -35.0, 0.0, 48.0, 90.0)


def _places(frame: LocalFrame, reach_m: float, count: int = 60) -> np.ndarray:
    """Places (count, 3) on the ellipsoid up to `reach_m` east and north."""
    ground = np.random.default_rng(1).uniform(-reach_m, reach_m, (count, 2))
    ground = ground[on_near_side(ground[:, 0], ground[:, 1], frame.curvature_per_m)]
    up = surface_up_m(ground[:, 0], ground[:, 1], frame.curvature_per_m, 0.0)
    return np.concatenate([ground, up[:, None]], axis=-1)


@pytest.mark.parametrize("latitude_deg", LATITUDES)
def test_a_place_on_the_earth_is_on_the_ellipsoid_however_far(latitude_deg: float) -> None:
    frame = LocalFrame(latitude_deg, 11.0)
    _, _, height_m = frame.to_geodetic(_places(frame, 6e6))
    assert np.max(np.abs(height_m)) < 1e-3


@pytest.mark.parametrize("latitude_deg", LATITUDES)
@pytest.mark.parametrize(("reach_m", "tolerance_m"), [(200e3, 0.6), (1e6, 5.0), (3e6, 12.0)])
def test_distances_along_the_ground_are_the_geodesics(latitude_deg: float, reach_m: float, tolerance_m: float) -> None:
    """They stay within metres of Karney's, however far apart the places are."""
    frame = LocalFrame(latitude_deg, 11.0)
    here = _places(frame, reach_m)
    there = here[::-1]
    distance_m = ground_distance_m(here.T, there.T, frame.curvature_per_m)
    for index in range(len(here)):
        (a, b, _), (c, d, _) = frame.to_geodetic(here[index]), frame.to_geodetic(there[index])
        geodesic_m = geodesic_distance_m(float(a), float(b), float(c), float(d))
        assert distance_m[index] == pytest.approx(geodesic_m, abs=tolerance_m)


def test_the_far_side_of_the_globe_is_as_far_as_the_geodesic() -> None:
    """Receivers may stand there: the distance is within 60 m up to 15,000 km, and heights do not count."""
    frame = LocalFrame(40.0, 0.0)
    origin = np.zeros(3)
    for latitude_deg, longitude_deg in ((-30.0, 100.0), (60.0, 170.0), (-10.0, -120.0)):
        there = frame.to_enu(*(np.array([each]) for each in (latitude_deg, longitude_deg, 2000.0)))[0]
        distance_m = ground_distance_m(origin, there, frame.curvature_per_m)
        assert float(distance_m) == pytest.approx(geodesic_distance_m(40.0, 0.0, latitude_deg, longitude_deg), abs=60)


@pytest.mark.parametrize("latitude_deg", LATITUDES)
@pytest.mark.parametrize("heights_m", [(1_000.0, 0.0), (2_500.0, 300.0), (10_000.0, 0.0), (0.0, 35_000.0)])
@pytest.mark.parametrize("distance_m", [0.0, 10.0, 400.0, 20e3, 300e3])
def test_heights_do_not_count_however_near(
    latitude_deg: float, heights_m: tuple[float, float], distance_m: float
) -> None:
    """An aircraft over a receiver, or near one on a summit, is as far away as its point on the ground."""
    frame = LocalFrame(latitude_deg, 11.0)
    other_deg = latitude_deg - math.copysign(distance_m / 111e3, latitude_deg)
    here = frame.to_enu(np.array([latitude_deg]), np.array([11.0]), np.array([heights_m[0]]))[0]
    there = frame.to_enu(np.array([other_deg]), np.array([11.0]), np.array([heights_m[1]]))[0]
    found_m = float(ground_distance_m(here, there, frame.curvature_per_m))
    assert found_m == pytest.approx(geodesic_distance_m(latitude_deg, 11.0, other_deg, 11.0), abs=1.0)


def test_numpy_and_torch_measure_alike_and_single_precision_to_a_metre() -> None:
    frame = LocalFrame(48.0, 11.0)
    here = _places(frame, 1e6)
    there = here[::-1].copy()
    distance_m = ground_distance_m(here.T, there.T, frame.curvature_per_m)
    curvature = [torch.tensor(each, dtype=torch.float64) for each in frame.curvature_per_m]
    as_torch = ground_distance_m(torch.as_tensor(here).unbind(-1), torch.as_tensor(there).unbind(-1), curvature)
    np.testing.assert_allclose(as_torch.numpy(), distance_m, rtol=1e-12, atol=1e-6)
    single = ground_distance_m(here.T.astype(np.float32), there.T.astype(np.float32), frame.curvature_per_m)
    np.testing.assert_allclose(single, distance_m, atol=2.0)


def test_a_place_beyond_the_rim_of_the_globe_is_said_to_be_none() -> None:
    east_m = np.array([0.0, 6.2e6, 6.5e6])
    assert on_near_side(east_m, 0 * east_m, LocalFrame(10.0, 0.0).curvature_per_m).tolist() == [True, True, False]


def test_a_hop_is_two_straight_rays_to_the_layer() -> None:
    """Against coordinates in the plane of the earth's centre, and straight up and back near by."""
    distance_m, height_m, radius_m = np.array([1e3, 800e3, 3000e3]), 300e3, EARTH_MEAN_RADIUS_M
    for hops in (1, 2):
        path_m, secant, rise = hop_path(distance_m, height_m, hops)
        half = distance_m / (2 * hops * radius_m)
        top = (radius_m + height_m) * np.stack([np.sin(half), np.cos(half)], axis=-1)
        ray = top - np.array([0.0, radius_m])
        length_m = np.linalg.norm(ray, axis=-1)
        np.testing.assert_allclose(path_m, 2 * hops * length_m, rtol=1e-9)
        np.testing.assert_allclose(rise, ray[:, 1] / length_m, atol=1e-9)
        along = np.sum(ray * top, axis=-1) / (length_m * (radius_m + height_m))
        np.testing.assert_allclose(1 / secant, along, rtol=1e-9)
    assert hop_path(np.array([1.0]), height_m, 1)[0][0] == pytest.approx(2 * height_m)
    assert hop_path(np.array([4500e3]), height_m, 1)[2][0] < 0
    assert math.isclose(float(hop_path(np.array([0.0]), height_m, 2)[0][0]), 4 * height_m)
