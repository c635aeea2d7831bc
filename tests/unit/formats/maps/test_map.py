"""What a map shows, and how it is put into words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.fix import Fix, ReceiverReport, Region, Status
from heimdall.formats.maps.map_drawing import _sampled
from heimdall.formats.maps.map_furniture import round_length
from heimdall.formats.maps.map_scene import EvidenceMap, View, map_scene
from heimdall.formats.maps.picture import png
from heimdall.formats.wording import coordinates_text, frequency_text, length_text, receiver_remark, span_m
from heimdall.geometry import LocalFrame
from heimdall.observation import Observation, Receiver, Reception

Located = tuple[Fix, Observation]


def test_the_overview_holds_receivers_estimate_and_truth(located: Located) -> None:
    """Whatever is used or known lies within the overview's square."""
    scene = map_scene(*located)
    places = [receiver.position_m for receiver in scene.receivers if receiver.report.used]
    for place in (*places, scene.estimate_m, scene.truth_m):
        assert place is not None
        assert scene.overview.covers(place)


def test_a_receiver_without_a_place_is_not_on_the_map(located: Located) -> None:
    """It stays in the list, with its report."""
    lost = map_scene(*located).receivers[3]
    assert lost.position_m is None
    assert lost.report.reason == "its position is not known"


def test_a_flagged_receiver_far_away_does_not_shrink_the_map(located: Located) -> None:
    """A wrong position on another continent leaves the overview as it was."""
    fix, observation = located
    stray = Reception(Receiver("stray", -33.0, 151.0), toa_s=0.001, flaw="odd")
    report = ReceiverReport("stray", False, "odd")
    before = map_scene(fix, observation).overview
    after = map_scene(
        replace(fix, receivers=(*fix.receivers, report)),
        replace(observation, receptions=(*observation.receptions, stray)),
    ).overview
    assert after == before


def test_a_small_region_gets_a_close_up(located: Located) -> None:
    """A region of 10 km in a network of 70 km is shown again, with the truth beside it; one as large as the map is not."""
    scene = map_scene(*located)
    assert scene.close_up is not None
    assert scene.close_up.half_m < 0.35 * scene.overview.half_m
    assert scene.truth_m is not None
    assert scene.close_up.covers(scene.truth_m)
    fix, observation = located
    assert fix.region_95 is not None
    center = np.array([8.2, 47.2])
    large = Region(0.95, tuple((center + 12 * (ring - center),) for (ring,) in fix.region_95.polygons))
    assert map_scene(replace(fix, region_95=large), observation).close_up is None


def test_a_huge_region_does_not_hide_the_network(located: Located) -> None:
    """A region of a thousand km leaves the receivers at least a fifth of the map."""
    fix, observation = located
    small = map_scene(replace(fix, region_68=None, region_95=None), observation).overview
    ring = np.array([[0.0, 40.0], [16.0, 40.0], [16.0, 54.0], [0.0, 54.0], [0.0, 40.0]])
    huge = map_scene(replace(fix, region_95=Region(0.95, ((ring,),))), observation).overview
    assert small.half_m < huge.half_m < 5 * small.half_m


def test_many_receivers_are_numbered(located: Located) -> None:
    """More than eight, or long names, would cover the map."""
    fix, observation = located
    receptions = tuple(Reception(Receiver(f"R{index}", 47 + index, 8), rssi_dbm=-80.0) for index in range(9))
    scene = map_scene(replace(fix, receivers=()), replace(observation, receptions=receptions))
    assert [receiver.label for receiver in scene.receivers] == [str(number) for number in range(1, 10)]


def test_a_map_across_the_date_line_is_one_map(located: Located) -> None:
    """Receivers at both sides of 180 degrees are neighbours."""
    receptions = tuple(
        Reception(Receiver(f"R{index}", -17.0, place), toa_s=0.0) for index, place in enumerate((179.8, -179.8))
    )
    reports = (ReceiverReport("R0", True), ReceiverReport("R1", True))
    fix = Fix("fiji", Status.OK, "", "likelihood", reports, -17.0, 180.0)
    observation = replace(located[1], receptions=receptions, truth=None)
    assert map_scene(fix, observation).overview.half_m < 50_000
    assert png(fix, observation)[:4] == b"\x89PNG"


@settings(max_examples=12, deadline=None)
@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), spread=st.floats(0, 5))
def test_any_place_on_earth_can_be_drawn(latitude: float, longitude: float, spread: float) -> None:
    """Poles, date line and receivers at one place give a picture without a warning."""
    other = max(-90.0, latitude - spread)
    receptions = (
        Reception(Receiver("a$b", latitude, longitude), toa_s=0.0),
        Reception(Receiver("_", other, longitude), toa_s=0.0),
    )
    fix = Fix("x", Status.OK, "", "m", (ReceiverReport("a$b", True), ReceiverReport("_", True)), latitude, longitude)
    assert png(fix, Observation("x", 1e6, 1e3, receptions))[:4] == b"\x89PNG"


@given(length=st.floats(1e-6, 1e8))
def test_a_scale_is_round_and_fits(length: float) -> None:
    """The bar is 1, 2 or 5 times a power of ten, no longer than asked and at least 0.4 of it."""
    bar = round_length(length)
    assert f"{bar:.0e}"[0] in "125"
    assert 0.399 * length <= bar <= length * (1 + 1e-6)


@pytest.mark.parametrize(
    ("length_m", "text"),
    [
        (0.0, "0 m"),
        (0.4, "0.4 m"),
        (12.34, "12 m"),
        (994, "990 m"),
        (996, "1 km"),
        (1255, "1.3 km"),
        (123_456, "120 km"),
    ],
)
def test_lengths_have_two_digits(length_m: float, text: str) -> None:
    """More digits than a fix deserves are not shown."""
    assert length_text(length_m) == text


def test_the_span_of_a_region_is_its_diameter() -> None:
    """A circle of 5 km radius spans 10 km, wherever it lies."""
    angle = np.linspace(0, 2 * np.pi, 129)
    frame = LocalFrame(60.0, 179.99)
    circle = np.stack([5000 * np.cos(angle), 5000 * np.sin(angle), 0 * angle], axis=-1)
    latitude, longitude, _ = frame.to_geodetic(circle)
    assert span_m(Region(0.95, ((np.stack([longitude, latitude], axis=-1),),))) == pytest.approx(10_000, rel=1e-3)


def test_words_for_places_frequencies_and_receivers() -> None:
    """South and west, units by size, and a remark for a receiver of every kind."""
    assert coordinates_text(-33.5, -70.25) == "33.5000° S 70.2500° W"
    assert [frequency_text(value) for value in (77_500, 462.7e6, 1.09e9)] == ["77.5 kHz", "462.7 MHz", "1.09 GHz"]
    assert receiver_remark(ReceiverReport("a", True, None, -120.0)) == "−120 m"
    assert receiver_remark(ReceiverReport("a", True, None, None)) == "power only"
    assert receiver_remark(ReceiverReport("a", False, "no clock")) == "not used: no clock"


def test_evidence_on_uneven_cells_is_drawn_where_it_lies() -> None:
    """A density that is linear in the place comes back at every place of the view, and nothing beyond the grid."""
    east_m, north_m = np.array([-900.0, -100.0, 0.0, 50.0, 1000.0]), np.array([-1000.0, 0.0, 10.0, 1000.0])
    density = 0.01 * east_m - 0.02 * north_m[:, None]
    sampled = _sampled(EvidenceMap(LocalFrame(47.0, 8.0), east_m, north_m, density), View(100.0, -50.0, 500.0))
    unit = (2 * np.arange(len(sampled)) + 1) / len(sampled) - 1
    expected = 0.01 * (100 + 500 * unit) - 0.02 * (-50 + 500 * unit[:, None])
    np.testing.assert_allclose(sampled, expected, atol=1e-9)
    beyond = _sampled(EvidenceMap(LocalFrame(47.0, 8.0), east_m, north_m, density), View(9000.0, 0.0, 500.0))
    assert np.all(np.isnan(beyond))


def test_a_place_of_no_density_is_the_least_likely() -> None:
    """Minus infinity in a cell does not spread to its neighbours as NaN."""
    density = np.array([[0.0, -np.inf], [-3.0, np.nan]])
    axis = np.array([-100.0, 100.0])
    sampled = _sampled(EvidenceMap(LocalFrame(47.0, 8.0), axis, axis, density), View(0.0, 0.0, 100.0))
    assert np.all(np.isfinite(sampled))
    assert np.min(sampled) >= -3.0


def test_a_high_transmitters_evidence_lies_on_its_estimate(located: Located) -> None:
    """The cell of the estimate, 60 km from the frame's origin and 9 km high, is drawn where the estimate is drawn."""
    fix, observation = located
    frame = LocalFrame(47.7, 8.3)
    assert fix.latitude_deg is not None
    cell_m = frame.to_enu(np.array(fix.latitude_deg), np.array(8.2), np.array(9000.0))[:2]
    axis = np.array([-1000.0, 1000.0])
    evidence = EvidenceMap(frame, cell_m[0] + axis, cell_m[1] + axis, np.zeros((2, 2)), height_m=9000.0)
    scene = map_scene(fix, observation, [evidence])
    np.testing.assert_allclose(scene.estimate_m, cell_m, atol=1e-6)
