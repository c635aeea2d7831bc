"""Distances and bearings on the map are those of the geodesic."""

from __future__ import annotations

import pytest
from geographiclib.geodesic import Geodesic

from heimdall.web.map.measure import drawing, measure


def test_a_degree_of_the_equator_to_the_east() -> None:
    found = measure((0.0, 0.0), (0.0, 1.0))
    assert found.distance_m == pytest.approx(111_319.49, abs=0.01)
    assert (found.bearing_deg, found.back_bearing_deg) == pytest.approx((90.0, 270.0))
    assert found.text == "111.32 km, bearing 90.0°, back 270.0°"


@pytest.mark.parametrize(("a", "b"), [((50.0, 9.0), (47.4, 8.5)), ((10.0, 179.0), (-10.0, -178.0)), ((50.0, 9.0),) * 2])
def test_the_bearing_leads_from_the_first_to_the_second_and_back(a, b) -> None:
    found = measure(a, b)
    for start, end, bearing_deg in ((a, b, found.bearing_deg), (b, a, found.back_bearing_deg)):
        reached = Geodesic.WGS84.Direct(*start, bearing_deg, found.distance_m)
        assert (reached["lat2"], reached["lon2"]) == pytest.approx(end, abs=1e-9)
    assert found.path[0] == pytest.approx(a)
    assert max(abs(one[1] - other[1]) for one, other in zip(found.path, found.path[1:], strict=False)) < 1  # no jump


def test_one_place_has_no_distance_and_none_draws_nothing() -> None:
    assert drawing([]) is None
    one = drawing([(50.0, 9.0)])
    assert one is not None
    assert one["path"] == []
    two = drawing([(50.0, 9.0), (51.0, 9.0)])
    assert two is not None
    assert "bearing 0.0°, back 180.0°" in str(two["label"])
