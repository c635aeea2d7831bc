"""A radio map finds what a site was made of, and its likelihood is that of the normal law it states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from heimdall.errors import InputError
from heimdall.estimation.likelihood.arrival_times import link_distance_m
from heimdall.estimation.likelihood.power import level_log_likelihood, mapped_log_likelihood
from heimdall.estimation.model import LOCAL
from heimdall.evidence.batch import concatenate
from heimdall.evidence.collect import Collected, collect
from heimdall.evidence.mapping import mapped
from heimdall.evidence.radio_map import RadioMap
from heimdall.geometry import LocalFrame
from heimdall.inference.bundle import Bundle, read_bundle
from heimdall.inference.calibration import Calibration
from heimdall.learning.data.radio_map_fit import fit_radio_map, shadowing_of, survey
from heimdall.learning.data.recorded import collected_of, folds_by_place, recorded_scenes
from heimdall.locating.by_likelihood import locate_by_likelihood
from heimdall.observation import Observation, Place, Receiver, Reception

FRAME = LocalFrame(47.0, 8.0)
EXPONENT = 2.6
OFFSET_DB = np.array([3.0, -12.0, 6.0, 0.0, -4.0, 7.0])
RECEIVERS_M = np.array([[-900, -800], [850, -700], [-700, 900], [800, 800], [0, -950], [0, 100]], dtype=float)
SHADOWING_DB, RANGE_M = 6.0, 300.0


def _place(east_m: float, north_m: float) -> tuple[float, float]:
    latitude, longitude, _ = FRAME.to_geodetic(np.array([east_m, north_m, 0.0]))
    return float(latitude), float(longitude)


def _observed(place_m: NDArray[np.float64], level_db: NDArray[np.float64], number: int) -> Collected:
    receptions = [
        Reception(Receiver(f"r{index}", *_place(*at)), rssi_dbm=float(level))
        for index, (at, level) in enumerate(zip(RECEIVERS_M, level_db, strict=True))
    ]
    return collect(Observation(f"row-{number}", 460e6, 12e3, tuple(receptions), truth=Place(*_place(*place_m))))


@pytest.fixture(scope="module")
def walked() -> list[Collected]:
    """300 places of a square kilometre with shadowing that belongs to the places."""
    chance = np.random.default_rng(5)
    places = chance.uniform(-700, 700, (300, 2))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    root = np.linalg.cholesky(SHADOWING_DB**2 * np.exp(-apart / RANGE_M) + 1e-6 * np.eye(len(places)))
    distance = np.maximum(np.linalg.norm(places[:, None] - RECEIVERS_M, axis=-1), 20.0)
    levels = OFFSET_DB - 10 * EXPONENT * np.log10(distance) + root @ chance.standard_normal((300, 6))
    return [_observed(place, level, row) for row, (place, level) in enumerate(zip(places, levels, strict=True))]


def _fitted(known: list[Collected]) -> RadioMap:
    surveyed = survey(known)
    return fit_radio_map(surveyed, shadowing_of(surveyed))


@pytest.fixture(scope="module")
def radio_map(walked: list[Collected]) -> RadioMap:
    return _fitted(walked[:250])


def test_offsets_and_exponent_are_found_where_nothing_shadows() -> None:
    places = np.random.default_rng(2).uniform(-700, 700, (60, 2))
    distance = np.maximum(np.linalg.norm(places[:, None] - RECEIVERS_M, axis=-1), 20.0)
    levels = OFFSET_DB - 10 * EXPONENT * np.log10(distance)
    found = _fitted([_observed(*each, 0) for each in zip(places, levels, strict=True)])
    assert found.exponent == pytest.approx(EXPONENT, abs=0.01)
    np.testing.assert_allclose(found.offset_db[:-1], OFFSET_DB, atol=0.2)


def test_at_places_it_knows_the_map_is_surer_than_far_from_them(radio_map: RadioMap, walked: list[Collected]) -> None:
    seen = mapped(walked[0], radio_map).evidence
    assert seen.mapped is not None
    here = _enu(walked[0])
    distance = link_distance_m(here[None], seen, LOCAL)
    _, sigma = seen.mapped.excess_db(here[None], distance, seen.level_db)
    assert np.max(sigma) < 0.8 * np.max(radio_map.sigma_db[:-1])


def _enu(collected: Collected) -> NDArray[np.float64]:
    truth = collected.observation.truth
    assert truth is not None
    return collected.frame.to_enu(np.array(truth.latitude_deg), np.array(truth.longitude_deg), np.array(0.0))[None, :2]


def _without(each: Collected, receiver: int) -> Collected:
    receptions = list(each.observation.receptions)
    receptions[receiver] = replace(receptions[receiver], rssi_dbm=None)
    return collect(replace(each.observation, receptions=tuple(receptions)))


def test_a_receiver_never_heard_in_the_survey_is_a_stranger(walked: list[Collected]) -> None:
    """It is in every row and silent: its bias is unknown, not 0 dB."""
    found = _fitted([_without(each, 5) for each in walked[:250]])
    assert found.receivers == ("r0", "r1", "r2", "r3", "r4")
    apart = [
        _errors_m([mapped(each, found) for each in rows])
        for rows in (walked[250:], [_without(each, 5) for each in walked[250:]])
    ]
    assert np.median(apart[0]) < 1.15 * np.median(apart[1])


def test_a_level_that_says_it_is_uncertain_hardly_counts(radio_map: RadioMap, walked: list[Collected]) -> None:
    """One reading 25 dB off: told to be good to 30 dB it does no harm; told to be good to 2 dB it does."""
    errors = {}
    for sigma_db in (None, 30.0):
        rows = []
        for each in walked[250:]:
            receptions = list(each.observation.receptions)
            off = replace(receptions[0], rssi_dbm=receptions[0].rssi_dbm + 25.0, rssi_sigma_db=sigma_db)
            rows.append(mapped(collect(replace(each.observation, receptions=(off, *receptions[1:]))), radio_map))
        errors[sigma_db] = np.median(_errors_m(rows))
    plain = np.median(_errors_m([mapped(each, radio_map) for each in walked[250:]]))
    assert errors[30.0] < 1.4 * plain
    assert errors[None] > 1.5 * errors[30.0]


def _errors_m(members: list[Collected]) -> NDArray[np.float64]:
    checks = [located.fix.truth for located in locate_by_likelihood(members, LOCAL)]
    return np.array([check.error_m for check in checks if check is not None])


def test_places_it_has_not_seen_are_located_better_with_the_map(radio_map: RadioMap, walked: list[Collected]) -> None:
    plain = _errors_m(walked[250:])
    known = _errors_m([mapped(each, radio_map) for each in walked[250:]])
    assert np.median(known) < 0.8 * np.median(plain)


def test_the_likelihood_is_that_of_a_normal_law_with_a_common_power(
    radio_map: RadioMap, walked: list[Collected]
) -> None:
    evidence = mapped(walked[3], radio_map).evidence
    assert evidence.mapped is not None
    places = np.array([[[100.0, -200.0], [-400.0, 350.0], [20.0, 5.0]]])
    distance = link_distance_m(places, evidence, LOCAL)
    value = mapped_log_likelihood(places, distance, evidence, evidence.mapped)[0]
    excess, sigma = evidence.mapped.excess_db(places, distance, evidence.level_db)
    power = radio_map.power_sigma_db**2 * np.ones((6, 6))
    direct = [
        multivariate_normal.logpdf(e, cov=np.diag(s**2) + power) for e, s in zip(excess[0], sigma[0], strict=True)
    ]
    np.testing.assert_allclose(value - value[0], direct - direct[0], rtol=1e-6, atol=1e-6)


def test_torch_reads_the_map_as_numpy_does(radio_map: RadioMap, walked: list[Collected]) -> None:
    batch = concatenate([mapped(each, radio_map).evidence for each in walked[:3]])
    places = np.random.default_rng(1).uniform(-1200, 1200, (3, 40, 2))
    distance = link_distance_m(places, batch, LOCAL)
    arrays = level_log_likelihood(places, distance, batch, LOCAL)
    tensors = batch.changed(torch.as_tensor)
    value = level_log_likelihood(torch.as_tensor(places), torch.as_tensor(distance), tensors, LOCAL)
    np.testing.assert_allclose(value.numpy(), arrays, rtol=1e-5)


def test_receivers_the_map_does_not_know_leave_the_evidence_as_it_was(
    radio_map: RadioMap, walked: list[Collected]
) -> None:
    """A stranger by name, and one that has been carried elsewhere."""
    renamed = replace(radio_map, receivers=tuple(f"other {name}" for name in radio_map.receivers))
    moved = replace(radio_map, place_m=radio_map.place_m + 500.0)
    assert mapped(walked[0], radio_map).evidence.mapped is not None
    assert all(mapped(walked[0], other) is walked[0] for other in (renamed, moved))


def test_scenes_with_and_without_a_map_are_not_put_together(radio_map: RadioMap, walked: list[Collected]) -> None:
    with pytest.raises(ValueError, match="without a radio map"):
        concatenate([mapped(walked[0], radio_map).evidence, walked[1].evidence])


def test_a_bundle_carries_the_map(radio_map: RadioMap, tmp_path) -> None:
    path = tmp_path / "site.heimdall"
    Bundle("site", b"onnx", 24, Calibration(), {}, {}, "# site\n", radio_map=radio_map).save(path)
    read = read_bundle(path).radio_map
    assert read is not None
    assert read.header() == radio_map.header()
    np.testing.assert_allclose(read.correction_db, radio_map.correction_db, atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"raster": [3, 3]}, "not of the size"),
        ({"raster": [1, 3]}, "raster.0 must be at least 2"),
        ({"step_m": 0.0}, "step_m must be more than 0"),
        ({"offset_db": [1.0]}, "row for each receiver"),
        ({"power_sigma_db": float("nan")}, "power_sigma_db must be a number"),
        ({"frame": {"latitude_deg": 91.0, "longitude_deg": 0.0}}, "frame.latitude_deg must be at most 90"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(
    radio_map: RadioMap, wrong: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        RadioMap.read(radio_map.header() | wrong, radio_map.content())
    assert "\n" not in str(caught.value)


def test_rasters_that_are_no_numbers_are_refused(radio_map: RadioMap) -> None:
    with pytest.raises(ValueError, match="finite"):
        RadioMap.read(radio_map.header(), b"\xff" * len(radio_map.content()))


def test_places_near_each_other_are_held_out_together_and_never_trained_on(walked: list[Collected]) -> None:
    fold = folds_by_place(walked)
    twice = folds_by_place([*walked, *walked])
    np.testing.assert_array_equal(twice[:300], twice[300:])
    assert max(np.bincount(fold)) < 0.35 * len(walked)
    scenes = recorded_scenes(walked, 16)
    assert scenes.held_out is not None
    assert len(scenes.held_out) == int(np.sum(fold == 0))
    assert len(scenes.training) + len(scenes.held_out) == len(walked)
    assert scenes.radio_map is not None
    assert all(part.evidence.mapped is not None for part in (*scenes.training.parts, *scenes.held_out.parts))


def test_few_recordings_are_all_trained_on_and_make_no_map(walked: list[Collected]) -> None:
    scenes = recorded_scenes(walked[:20], 16)
    assert scenes.held_out is None
    assert len(scenes.training) == 20
    assert scenes.radio_map is None


def test_recordings_of_fewer_places_than_folds_are_all_trained_on_and_make_no_map(walked: list[Collected]) -> None:
    """A beacon heard often says nothing about other places."""
    scenes = recorded_scenes(walked[:1] * 250, 16)
    assert scenes.held_out is None
    assert len(scenes.training) == 250
    assert scenes.radio_map is None
    assert all(part.evidence.mapped is None for part in scenes.training.parts)


def test_an_observation_without_truth_is_left_out(walked: list[Collected]) -> None:
    with pytest.raises(InputError, match="--data"):
        collected_of([replace(walked[0].observation, truth=None)])
