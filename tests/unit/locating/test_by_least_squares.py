"""Robust least squares: the derivatives, the start, and what is made of outliers."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import link_sigma_s
from heimdall.estimation.model import TERRESTRIAL
from heimdall.evidence.batch import EvidenceBatch
from heimdall.evidence.collect import collect
from heimdall.locating.by_least_squares import Solution, _Problem, conclude, locate_each, solve
from heimdall.observation import Observation

MakeEvidence = Callable[..., EvidenceBatch]
MakeObservation = Callable[..., Observation]


def _exact(batch: EvidenceBatch, place_m: np.ndarray, **changes: Any) -> EvidenceBatch:
    """Arrival times and powers of a transmitter at (east, north, up), without any error, by everybody."""
    distance = np.linalg.norm(batch.position_enu_m - place_m, axis=-1)
    everybody = np.ones_like(batch.present)
    return replace(
        batch,
        arrival_s=distance * TERRESTRIAL.refractive_index / SPEED_OF_LIGHT_M_S + 0.3,
        level_db=-10 * TERRESTRIAL.exponent_mean * np.log10(distance),
        present=everybody,
        has_arrival=everybody,
        has_level=everybody,
        curvature_per_m=np.zeros_like(batch.curvature_per_m),
        **changes,
    )


@pytest.mark.parametrize("by_time", [True, False])
def test_the_derivatives_are_those_of_the_residuals(make_evidence: MakeEvidence, by_time: bool) -> None:
    batch = make_evidence(1, scenes=1)
    timed = np.full_like(batch.present, by_time)
    problem = _Problem(replace(batch, has_arrival=timed), TERRESTRIAL)
    at = np.array([12e3, -7e3, 40.0])
    columns = []
    for axis in range(len(at)):
        step = 0.5 * np.eye(len(at))[axis]
        columns.append(problem.residual(at + step) - problem.residual(at - step))
    jacobian = problem.jacobian(at)
    np.testing.assert_allclose(jacobian, np.stack(columns, axis=-1), rtol=1e-4, atol=1e-4 * np.abs(jacobian).max())


@given(east_km=st.floats(-45, 45), north_km=st.floats(-45, 45))
@settings(max_examples=20)
def test_exact_arrival_times_give_the_place(make_evidence: MakeEvidence, east_km: float, north_km: float) -> None:
    """Wherever the transmitter is in the area of six receivers; a hyperbola's other branch fits worse."""
    place = np.array([1e3 * east_km, 1e3 * north_km, 0.0])
    batch = _exact(make_evidence(2, scenes=1), place)
    solution = solve(batch, TERRESTRIAL)
    np.testing.assert_allclose(solution.place_m, place[:2], atol=1.0)
    assert solution.cost < 1e-3


def test_exact_powers_give_the_place_where_there_are_no_arrival_times(make_evidence: MakeEvidence) -> None:
    place = np.array([11e3, 6e3, 0.0])
    batch = _exact(make_evidence(3, scenes=1), place)
    solution = solve(replace(batch, has_arrival=batch.has_arrival & False), TERRESTRIAL)
    np.testing.assert_allclose(solution.place_m, place[:2], atol=50.0)


def test_one_late_arrival_of_six_moves_the_place_little(make_evidence: MakeEvidence) -> None:
    """30 us, 9 km of detour: less than 500 m, where plain least squares is off by kilometres."""
    place = np.array([5e3, -3e3, 0.0])
    batch = _exact(make_evidence(5, scenes=1), place)
    late = replace(batch, arrival_s=batch.arrival_s + 30e-6 * (np.arange(6) == 2))
    assert np.linalg.norm(solve(late, TERRESTRIAL).place_m - place[:2]) < 500


def test_the_covariance_is_that_of_repeated_measurements(make_evidence: MakeEvidence) -> None:
    """Forty times the same scene with other normal errors: scatter and covariance agree within a third."""
    rng = np.random.default_rng(6)
    batch = _exact(make_evidence(6, scenes=1, clock_sigma_s=1e-6), np.array([4e3, 9e3, 0.0]))
    sigma = link_sigma_s(batch, TERRESTRIAL)
    tries = [
        solve(replace(batch, arrival_s=batch.arrival_s + sigma * rng.standard_normal((1, 6))), TERRESTRIAL)
        for _ in range(40)
    ]
    places, covariance = (
        np.array([each.place_m for each in tries]),
        np.mean([each.covariance_m2 for each in tries], axis=0),
    )
    measured = np.cov(places.T)
    assert math.sqrt(np.trace(measured) / np.trace(covariance)) == pytest.approx(1, abs=0.33)


def test_the_fix_says_by_which_method_it_was_made(make_observation: MakeObservation) -> None:
    good = make_observation()
    lonely = replace(good, receptions=good.receptions[:1])
    assert [located.fix.method for located in locate_each([good, lonely])] == ["least-squares"] * 2


def test_a_direction_left_open_is_as_wide_as_the_area(make_observation: MakeObservation) -> None:
    """Two receivers give one equation: the region reaches across the area searched."""
    located = next(iter(locate_each([make_observation(places=[(50.2, 10.1), (49.8, 10.3)])])))
    assert located.posterior is not None
    assert located.fix.covariance_enu_m2 is not None
    half_width_m = float(collect(make_observation(places=[(50.2, 10.1), (49.8, 10.3)])).evidence.half_width_m[0])
    assert np.sqrt(np.linalg.eigvalsh(located.fix.covariance_enu_m2)[-1]) > 0.5 * half_width_m


def test_a_covariance_narrower_than_a_cell_has_regions(make_observation: MakeObservation) -> None:
    """400 km along and a metre across, aslant to the grid: no cell's middle lies inside."""
    collected = collect(make_observation([(50.2, 10.1), (49.8, 10.3), (50.1, 9.6)]))
    along = np.array([math.cos(0.47), math.sin(0.47)])
    across = np.array([-along[1], along[0]])
    covariance_m2 = 4e5**2 * np.outer(along, along) + np.outer(across, across)
    fix = conclude(collected, Solution(np.array([1e3, 2e3]), covariance_m2, 0.0), TERRESTRIAL).fix
    assert fix.region_95 is not None
    assert fix.region_95.polygons
