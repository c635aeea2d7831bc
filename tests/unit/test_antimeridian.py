"""Regions keep to the longitudes of a map: cut at 180 degrees, led to the pole where they lie around it."""

import numpy as np
import pytest

from heimdall.antimeridian import Ring, cut
from heimdall.fix import Region


def _circle(latitude_deg: float, longitude_deg: float, radius_deg: float, count: int = 72) -> Ring:
    """A ring of directions, counterclockwise, as the sphere has it."""
    angle = np.linspace(0, 2 * np.pi, count + 1)
    north, across = np.radians(latitude_deg), np.radians(radius_deg)
    latitude = np.arcsin(np.sin(north) * np.cos(across) + np.cos(north) * np.sin(across) * np.sin(angle))
    east = np.arctan2(np.sin(across) * np.cos(angle) * np.cos(north), np.cos(across) - np.sin(north) * np.sin(latitude))
    longitude = (longitude_deg + np.degrees(east) + 180) % 360 - 180
    return np.stack([longitude, np.degrees(latitude)], axis=-1)


def _area(polygons: list[tuple[Ring, ...]]) -> float:
    def signed(ring: Ring) -> float:
        x, y = ring[:, 0], ring[:, 1]
        return 0.5 * abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])))

    return sum(signed(polygon[0]) - sum(signed(hole) for hole in polygon[1:]) for polygon in polygons)


def test_a_region_away_from_the_date_line_is_left_as_it_is() -> None:
    ring = _circle(50.0, 10.0, 3.0)
    assert cut((ring,)) == [(ring,)]


@pytest.mark.parametrize("longitude_deg", [179.0, -179.5, 180.0])
def test_a_region_across_the_date_line_is_two_that_end_there(longitude_deg: float) -> None:
    """No step of more than half a turn, and the same area as anywhere else, with its hole."""
    pieces = cut((_circle(10.0, longitude_deg, 3.0), _circle(10.0, longitude_deg, 1.0)))
    assert len(pieces) == 2
    for polygon in pieces:
        assert len(polygon) == 2
        for ring in polygon:
            assert np.all(np.abs(ring[:, 0]) <= 180)
            assert np.all(np.abs(np.diff(ring[:, 0])) < 10)
            np.testing.assert_allclose(ring[0], ring[-1])
    assert _area(pieces) == pytest.approx(_area([(_circle(10.0, 20.0, 3.0), _circle(10.0, 20.0, 1.0))]), rel=1e-3)


@pytest.mark.parametrize("latitude_deg", [89.0, -89.0])
def test_a_region_around_a_pole_reaches_it(latitude_deg: float) -> None:
    pieces = cut((_circle(latitude_deg, 30.0, 5.0),))
    corners = np.concatenate([ring for polygon in pieces for ring in polygon])
    assert np.all(np.abs(corners[:, 0]) <= 180.0)
    assert np.max(np.abs(corners[:, 1])) == 90
    assert _area(pieces) == pytest.approx(360 * 5.0, rel=0.1)


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg"), [(89.0, 30.0), (-88.0, 180.0), (10.0, 179.0), (-50.0, 10.0)]
)
@pytest.mark.parametrize("radius_deg", [0.01, 3.0])
def test_a_region_holds_what_is_nearer_to_its_middle(
    latitude_deg: float, longitude_deg: float, radius_deg: float
) -> None:
    """Also the pole, and across the date line, whichever way longitudes are counted."""
    region = Region(0.95, ((_circle(latitude_deg, longitude_deg, radius_deg),),))
    near, far = (_circle(latitude_deg, longitude_deg, factor * radius_deg, 40) for factor in (0.98, 1.02))
    assert all(region.contains(y, x + turn) for x, y in near for turn in (0, 360))
    assert not any(region.contains(y, x) for x, y in far)
    if radius_deg > 90 - abs(latitude_deg):
        assert all(region.contains(np.copysign(90.0, latitude_deg), x) for x in (-180.0, 0.0, 77.0))


def test_the_reach_is_that_of_the_furthest_corner() -> None:
    """One corner of 1000 sticks out by a tenth."""
    ring = _circle(50.0, 10.0, 1.0, 1000)
    ring[507] = [10.0 - 0.3, 48.9]
    reach_m = Region(0.95, ((ring,),)).reach_m(50.0, 10.0)
    assert reach_m > 1.08 * 111_200
