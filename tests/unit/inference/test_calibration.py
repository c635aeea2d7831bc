"""Calibration is data that survives a file, and decides as it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from heimdall.estimation.model import LOCAL, TERRESTRIAL
from heimdall.inference.calibration import ALL, HYBRID, PROBABILITIES, Blend, Calibration, Regions, kind_of, pooled
from heimdall.inference.mixture import Mixture

_KINDS = {"terrestrial, time": {"likelihood": 900.0, "network": 950.0, "hybrid": 880.0, "scenes": 100.0}}


def test_masses_are_interpolated_between_nothing_and_everything() -> None:
    assert [Regions().mass(p) for p in (0.0, 0.68, 0.7, 1.0)] == pytest.approx([0.0, 0.68, 0.7, 1.0])
    shifted = Regions(tuple(p**2 for p in PROBABILITIES))
    assert shifted.mass(0.95) == pytest.approx(0.9025)


def test_a_calibration_read_back_from_json_is_the_same() -> None:
    regions = {"hybrid": {"all": Regions(tuple(p / 2 for p in PROBABILITIES))}}
    calibration = Calibration(regions, {"all": Blend(0.3, 2.0, 0.7)}, _KINDS, 100)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_the_method_with_the_least_median_is_taken_and_the_likelihood_where_nothing_is_known() -> None:
    calibration = Calibration(kinds=_KINDS)
    assert calibration.best_method("terrestrial, time") == "hybrid"
    assert calibration.best_method("airborne, time") == "likelihood"
    assert calibration.best_method("airborne, time", with_likelihood=False) == "hybrid"


def test_regions_are_those_of_the_kind_or_of_all_kinds_or_uncalibrated() -> None:
    narrow, wide = Regions(tuple(p / 2 for p in PROBABILITIES)), Regions(tuple(p**0.5 for p in PROBABILITIES))
    calibration = Calibration({"network": {"all": wide, "terrestrial, time": narrow}})
    assert calibration.regions_of("network", "terrestrial, time") is narrow
    assert calibration.regions_of("network", "airborne, time") is wide
    assert calibration.regions_of("hybrid", "terrestrial, time") == Regions()


def test_the_blend_is_that_of_the_kind_or_of_all_kinds_or_half_and_half() -> None:
    of_all, of_power = Blend(0.1, 1.0, 0.2), Blend(0.3, 2.0, 0.4)
    calibration = Calibration(blends={"all": of_all, "terrestrial, power": of_power})
    assert calibration.blend_of("terrestrial, power") == of_power
    assert calibration.blend_of("terrestrial, time") == of_all
    assert Calibration().blend_of("terrestrial, time") == Blend(0.5, 1.0, 0.5)


def test_kinds_tell_models_apart_and_time_from_power() -> None:
    assert len({kind_of(model, timed) for model in (TERRESTRIAL, LOCAL) for timed in (2, 3)}) == 4
    assert kind_of(LOCAL, 3) == kind_of(LOCAL, 16)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_pooled_weights_are_normalised_and_lie_between_their_sources(share: float) -> None:
    chance = np.random.default_rng(0)
    weight = chance.dirichlet(np.ones(5))
    mixture = Mixture(
        np.log(weight[None, :4]),
        np.zeros((1, 4, 2)),
        np.ones((1, 4, 3)),
        np.log(weight[4:]),
        np.zeros((1, 2)),
        np.ones(1),
    )
    mass = np.log(chance.dirichlet(np.ones(4)))[None]
    joined = pooled(mixture, mass, share)
    assert np.exp(joined.log_weight).sum() + np.exp(joined.log_background).sum() == pytest.approx(1.0)
    expected = (1 - share) * mixture.log_weight + share * mass
    np.testing.assert_allclose(np.diff(joined.log_weight), np.diff(expected))


@pytest.mark.parametrize(
    "change",
    [
        {"regions": {"hybrid": {"all": {"masses": [0.5]}}}},
        {"regions": {"hybrid": {"all": {"masses": [*PROBABILITIES[:-1], 2.0]}}}},
        {"regions": {"hybrid": {"all": {"masses": [*PROBABILITIES[:-1], float("nan")]}}}},
        {"regions": {"hybrid": {"all": {"masses": list(reversed(PROBABILITIES))}}}},
        {"blends": {"all": {"likelihood_share": -1.0}}},
        {"blends": {"all": {"blur": float("inf")}}},
        {"kinds": {"terrestrial, time": {"likelihood": 900.0}}},
        {"kinds": {"terrestrial, time": "good"}},
        {"scenes": -1},
    ],
)
def test_a_calibration_that_no_fit_can_have_made_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence is the bundle's
        Calibration.from_json(Calibration().to_json() | change)


@pytest.mark.parametrize("part", ["regions", "blends", "kinds", "scenes"])
def test_a_calibration_that_lacks_a_part_is_refused_in_one_line(part: str) -> None:
    document = {name: value for name, value in Calibration().to_json().items() if name != part}
    with pytest.raises(ValueError, match="parts that this version") as caught:
        Calibration.from_json(document)
    assert "\n" not in str(caught.value)


def test_a_blend_that_lacks_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="parts that this version"):
        Calibration.from_json(Calibration().to_json() | {"blends": {"all": {"blur": 1.0}}})


def test_a_mass_that_rounding_has_carried_above_1_is_all_of_it() -> None:
    masses = (*PROBABILITIES[:-1], 1.0000001192092896)
    written = Calibration(regions={HYBRID: {ALL: Regions(masses)}})
    read = Calibration.from_json(json.loads(json.dumps(written.to_json())))
    assert read.regions_of(HYBRID, ALL).mass(0.99) == 1.0
