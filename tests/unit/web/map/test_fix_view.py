"""What the page shows of a fix is what the fix says."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.region import GridPosterior
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.service.concurrent_locating import LocatedSession
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.web.map.evidence_grid import evidence_grid
from heimdall.web.map.fix_view import cut_at_edge, details_of, receivers_scene, scene_of

TRUTH = Place(50.02, 10.05, 0.0)
PLACES = [(50.2, 10.1), (49.8, 10.3), (50.1, 9.6), (49.9, 9.7)]


def observation(flaw: str | None = None, truth: Place | None = TRUTH) -> Observation:
    receptions = [
        Reception(
            Receiver(f"R{index}", *place, 0.0, 5e-8),
            toa_s=geodesic_distance_m(*place, TRUTH.latitude_deg, TRUTH.longitude_deg) * 1.0003 / SPEED_OF_LIGHT_M_S,
            flaw=flaw if index == 3 else None,
        )
        for index, place in enumerate(PLACES)
    ]
    return Observation("o", 150e6, 25e3, tuple(receptions), truth=truth)


def answer_for(each: Observation) -> LocatedSession:
    return LocatedSession([each], locate([each]), None)


def test_the_scene_holds_everything_that_has_a_place_and_is_json():
    scene = scene_of(answer_for(observation()), 0)
    kinds = [feature["properties"]["kind"] for feature in scene["features"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"estimate": 1, "region": 2, "receiver": 4, "truth": 1}
    json.dumps(scene, allow_nan=False)


def test_the_view_holds_receivers_estimate_and_truth():
    (south, west), (north, east) = scene_of(answer_for(observation()), 0)["bounds"]
    for latitude, longitude in [*PLACES, (TRUTH.latitude_deg, TRUTH.longitude_deg)]:
        assert south < latitude < north
        assert west < longitude < east


def test_figures_name_the_error_and_the_bound_only_where_the_truth_is_known():
    names = [
        {figure.name for figure in details_of(answer_for(observation(truth=truth)), 0)[0]} for truth in (TRUTH, None)
    ]
    assert {"from the truth", "error to the bound"} <= names[0]
    assert not {"from the truth", "error to the bound"} & names[1]
    assert "bound (rms)" in names[1]


def test_every_receiver_has_a_row_and_an_unused_one_says_why():
    rows = details_of(answer_for(observation(flaw="its antenna fell off")), 0)[1]
    assert [row.used for row in rows] == [True, True, True, False]
    assert "its antenna fell off" in rows[3].remark
    assert sum(row.share for row in rows) == pytest.approx(1)


def test_a_fix_without_a_position_still_has_its_receivers_on_the_map():
    flawed = [Reception(Receiver(f"R{i}", *PLACES[i], 0.0, 5e-8), toa_s=0.0, flaw="broken") for i in range(3)]
    answer = answer_for(Observation("o", 150e6, 25e3, tuple(flawed)))
    scene = scene_of(answer, 0)
    assert [feature["properties"]["kind"] for feature in scene["features"]] == ["receiver"] * 3
    assert scene["evidence"] is None
    assert details_of(answer, 0)[0][0].value == "insufficient"


def test_without_receivers_the_map_is_empty():
    assert receivers_scene([])["bounds"] is None


def test_one_receiver_is_shown_with_its_surroundings():
    (south, west), (north, east) = receivers_scene(
        [RegisteredReceiver(name="a", latitude_deg=50.0, longitude_deg=9.0)]
    )["bounds"]
    assert 0.5 < north - south < 3
    assert 0.5 < east - west < 3
    assert (south < 50.0 < north, west < 9.0 < east) == (True, True)


def test_the_evidence_reaches_the_page_as_it_is():
    """Cell by cell, finely where places are likely."""
    axis = np.linspace(-10e3, 10e3, 61)
    east, north = np.meshgrid(axis, axis)
    density = np.exp(-((east - 5e3) ** 2 + (north - 5e3) ** 2) / (2 * 800.0**2))
    posterior = GridPosterior(LocalFrame(50.0, 9.0), 0.0, axis, axis, density / density.sum())
    grid = evidence_grid(posterior)
    depth = np.frombuffer(base64.b64decode(grid["depth"]), "<u2").reshape(61, 61) * grid["step"]
    log_density = np.log(posterior.density_per_m2)
    likely = log_density > log_density.max() - 30
    assert (depth**2)[likely] == pytest.approx((log_density.max() - log_density)[likely], abs=0.01)
    assert np.argmin(depth) == np.argmax(density)


@pytest.mark.parametrize(("middle_m", "cut"), [(0.0, False), (9.5e3, True)])
def test_a_region_that_ends_with_the_searched_area_is_called_cut(middle_m, cut):
    axis = np.linspace(-10e3, 10e3, 61)
    east, north = np.meshgrid(axis, axis)
    density = np.exp(-((east - middle_m) ** 2 + north**2) / (2 * 1500.0**2))
    posterior = GridPosterior(LocalFrame(50.0, 9.0), 0.0, axis, axis, density / density.sum())
    assert cut_at_edge(posterior, posterior.region(0.95)) is cut
