"""What the page shows of a fix is what the fix says."""

from __future__ import annotations

import base64
import io
import json

import matplotlib.image
import numpy as np
import pytest

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.locate import locate
from heimdall.estimation.region import GridPosterior
from heimdall.geometry import LocalFrame, geodesic_distance_m
from heimdall.observation import Observation, Place, Receiver, Reception
from heimdall.service.concurrent_locating import Answer
from heimdall.web.evidence_image import overlays
from heimdall.web.fix_view import details_of, scene_of, stations_scene

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


def answer_for(each: Observation) -> Answer:
    return Answer([each], locate([each]), None)


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
    assert scene["overlays"] == []
    assert details_of(answer, 0)[0][0].value == "insufficient"


def test_without_receivers_the_map_is_empty():
    assert stations_scene([])["bounds"] is None


def test_evidence_is_drawn_where_the_posterior_is_and_nowhere_else():
    """A peak in the north-east of its frame: the picture's upper right quarter."""
    axis = np.linspace(-10e3, 10e3, 61)
    east, north = np.meshgrid(axis, axis)
    density = np.exp(-((east - 5e3) ** 2 + (north - 5e3) ** 2) / (2 * 800.0**2))
    posterior = GridPosterior(LocalFrame(50.0, 9.0), 0.0, axis, axis, density / density.sum())
    (overlay,) = overlays(posterior, None)
    alpha = read_png(overlay.address)[..., 3]
    row, column = np.unravel_index(np.argmax(alpha), alpha.shape)
    assert row < 0.4 * len(alpha)
    assert column > 0.6 * len(alpha)
    assert alpha[len(alpha) * 3 // 4, len(alpha) // 4] == 0


def test_a_small_region_gets_a_picture_of_its_own_and_the_large_one_a_hole_there():
    axis = np.linspace(-50e3, 50e3, 201)
    east, north = np.meshgrid(axis, axis)
    density = np.exp(-(east**2 + north**2) / (2 * 1500.0**2))
    posterior = GridPosterior(LocalFrame(50.0, 9.0), 0.0, axis, axis, density / density.sum())
    whole, close = overlays(posterior, posterior.region(0.95))
    assert whole.box.west < close.box.west < close.box.east < whole.box.east
    pixels = read_png(whole.address)[..., 3]
    assert pixels[len(pixels) // 2, len(pixels) // 2] == 0
    assert read_png(close.address)[..., 3].max() > 0


def read_png(address: str) -> np.ndarray:
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return matplotlib.image.imread(io.BytesIO(content), format="png")
