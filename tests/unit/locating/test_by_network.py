"""A network that says what the likelihood says is as good as the likelihood, and methods are chosen as calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from heimdall.fix import Status
from heimdall.geometry import geodesic_distance_m
from heimdall.inference.bundle import Bundle
from heimdall.inference.calibration import PROBABILITIES, Calibration, Regions
from heimdall.inference.window import LOG_MASS, LOG_MASS_SCALE, Window
from heimdall.locating.by_network import Learned
from heimdall.locating.pipeline import locate
from heimdall.observation import Observation
from heimdall.simulation import draw, scenario, stream, to_observation

CELLS = 24
_MEDIANS = {"likelihood": 900.0, "network": 800.0, "hybrid": 850.0, "scenes": 500.0}


@dataclass(frozen=True)
class _Echo:
    """Stands in for the network: the likelihood's own masses, each a round component as wide as its cell."""

    def run(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        log_mass = LOG_MASS_SCALE * window.maps[:, LOG_MASS]
        nothing, wide = np.zeros_like(log_mass), 0.5 * np.ones_like(log_mass)
        return np.stack([log_mass, nothing, nothing, wide, nothing, wide], axis=1), np.full(len(log_mass), -9.0)


def _learned(calibration: Calibration) -> Learned:
    return Learned(Bundle("echo", b"", CELLS, calibration, {}, {}, ""), _Echo())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def observations() -> list[Observation]:
    batch = draw(scenario("matched"), 6, stream(5, 0))
    return [to_observation(batch, index, f"scene {index}") for index in range(len(batch))]


@pytest.mark.parametrize("method", ["network", "hybrid"])
def test_the_likelihoods_own_masses_lead_to_the_likelihoods_places(
    observations: list[Observation], method: str
) -> None:
    expected = locate(observations)
    for got, want in zip(_learned(Calibration()).locate_by(observations, method), expected, strict=True):
        assert (got.fix.id, got.fix.method) == (want.fix.id, method)
        assert want.posterior is not None
        spread_m = float(np.sqrt(np.trace(want.posterior.moments()[1])))
        apart_m = geodesic_distance_m(
            got.fix.latitude_deg, got.fix.longitude_deg, want.fix.latitude_deg, want.fix.longitude_deg
        )
        assert apart_m < spread_m


def test_without_a_choice_the_better_of_network_and_hybrid_is_taken(observations: list[Observation]) -> None:
    calibration = Calibration(kinds={"terrestrial, time": _MEDIANS, "terrestrial, power": _MEDIANS})
    assert {each.fix.method for each in _learned(calibration).locate_each(observations)} == {"network"}


def test_given_the_choice_a_kind_that_was_never_seen_is_left_to_the_likelihood(observations: list[Observation]) -> None:
    located = list(_learned(Calibration()).locate_each(observations, choose=True))
    assert {each.fix.method for each in located} == {"likelihood"}
    assert [each.fix.id for each in located] == [observation.id for observation in observations]


def test_kinds_are_chosen_for_apart(observations: list[Observation]) -> None:
    calibration = Calibration(kinds={"terrestrial, time": _MEDIANS})
    clockless = [replace(o, receptions=tuple(_without_clock(r) for r in o.receptions)) for o in observations[:2]]
    located = list(_learned(calibration).locate_each([*observations, *clockless], choose=True))
    assert [each.fix.method for each in located[-2:]] == ["likelihood"] * 2
    assert "network" in {each.fix.method for each in located}


def test_regions_have_the_masses_that_calibration_says(observations: list[Observation]) -> None:
    wide = Regions(tuple(min(1.0, 1.3 * p) for p in PROBABILITIES))
    plain, calibrated = (
        list(_learned(Calibration({"network": {"all": regions}})).locate_by(observations, "network"))
        for regions in (Regions(), wide)
    )
    assert calibrated[0].mass(0.5) == pytest.approx(0.65)
    for one, other in zip(plain, calibrated, strict=True):
        assert one.fix.region_68 is not None
        assert other.fix.region_68 is not None
        assert _extent(other.fix.region_68) >= _extent(one.fix.region_68)


def test_too_few_receivers_are_a_fix_that_says_so(observations: list[Observation]) -> None:
    lonely = replace(observations[0], receptions=observations[0].receptions[:1])
    located = list(_learned(Calibration()).locate_each([lonely, observations[1]]))
    assert located[0].fix.status is Status.INSUFFICIENT
    assert located[1].fix.latitude_deg is not None


def _without_clock(reception):
    return replace(reception, receiver=replace(reception.receiver, clock_sigma_s=None))


def _extent(region) -> float:
    points = np.concatenate([ring for polygon in region.polygons for ring in polygon])
    return float(np.ptp(points[:, 1]))
