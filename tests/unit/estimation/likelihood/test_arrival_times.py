"""Arrival times against quadrature and exhaustive search, numpy against torch, and laws that received powers obey as well."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.likelihood.arrival_times import (
    _LinkTerms,
    arrival_log_likelihood,
    arrival_residual_s,
    echo_sigma_s,
    link_distance_m,
    link_sigma_s,
)
from heimdall.estimation.likelihood.power import power_law_log_likelihood
from heimdall.estimation.model import GROUND_WAVE, TERRESTRIAL, PropagationModel
from heimdall.evidence.batch import EvidenceBatch
from heimdall.geometry import columns, surface_up_m

MakeEvidence = Callable[..., EvidenceBatch]
HALF_WIDTH_M = np.array(50e3)
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]
PLACES = np.random.default_rng(7).uniform(-60e3, 60e3, (3, 11, 2))


def _density_by_quadrature(late_s: float, sigma_s: float, model: PropagationModel) -> float:
    """Clear, blocked (a normal folded with an exponential, integrated numerically), astray, or simply wrong."""
    clear = (1 - model.blocked_probability - model.stray_probability) * norm.pdf(late_s, scale=sigma_s)

    def folded(excess_s: float) -> float:
        exponential = math.exp(-excess_s / model.excess_delay_s) / model.excess_delay_s
        return float(exponential * norm.pdf(late_s - excess_s, scale=sigma_s))

    middle = max(late_s, 0.0)
    edges = sorted({0.0, max(0.0, middle - 9 * sigma_s), middle + 9 * sigma_s, middle + 60e-6})
    blocked = sum(quad(folded, low, high, limit=200)[0] for low, high in itertools.pairwise(edges))
    width_s = model.stray_width_s
    stray = model.stray_probability / (math.pi * width_s * (1 + (late_s / width_s) ** 2))
    return float(clear + model.blocked_probability * blocked + stray + float(model.fault_density_per_s(HALF_WIDTH_M)))


@given(late_us=st.floats(-3, 20), sigma_us=st.floats(0.03, 4), stray=st.sampled_from([0.0, 0.1]))
@settings(max_examples=60)
def test_a_links_density_is_the_mixture_integrated_numerically(late_us: float, sigma_us: float, stray: float) -> None:
    """Within 0.4 %, the error of the approximation of the scaled error function."""
    model = PropagationModel("any", stray_probability=stray)
    terms = _LinkTerms(np, np.array([sigma_us * 1e-6]), model, HALF_WIDTH_M)
    value = terms.log_density(np.array([late_us * 1e-6]))[0][0]
    assert value == pytest.approx(math.log(_density_by_quadrature(late_us * 1e-6, sigma_us * 1e-6, model)), abs=5e-3)


def test_a_links_density_integrates_to_one() -> None:
    """Without faults, which no time axis could hold."""
    model = PropagationModel("any", outlier_density_per_s=1e-9, fault_probability=0.0)
    late = np.linspace(-5e-6, 80e-6, 200_001)
    density = np.exp(_LinkTerms(np, np.array([0.3e-6]), model, HALF_WIDTH_M).log_density(late)[0])
    assert np.trapezoid(density, late) == pytest.approx(1, abs=3e-3)


def test_a_link_is_surely_clear_when_early_and_surely_blocked_when_late() -> None:
    terms = _LinkTerms(np, np.array([0.1e-6]), TERRESTRIAL, HALF_WIDTH_M)
    clear = terms.log_density(np.array([-0.1e-6, 0.0, 5e-6]))[1]
    assert clear[0] > 0.95
    assert 0.85 < clear[1] < 1
    assert clear[2] < 1e-6


def test_the_profile_is_the_best_of_all_times_of_emission(make_evidence: MakeEvidence) -> None:
    """Never better than a dense search, and worse by more than 0.3 at hardly any place."""
    batch, model = make_evidence(1), TERRESTRIAL
    distance = link_distance_m(PLACES, batch, model)
    residual = batch.arrival_s[:, None] - distance * model.refractive_index / SPEED_OF_LIGHT_M_S
    sigma = np.sqrt(link_sigma_s(batch, model))[:, None] ** 2
    terms = _LinkTerms(np, sigma, model, batch.half_width_m[:, None, None])
    weight = batch.has_arrival[:, None]
    best = np.full(PLACES.shape[:2], -np.inf)
    around = np.concatenate([np.linspace(-1.5e-6, 1.5e-6, 121), np.linspace(-20e-6, 20e-6, 81)])
    for receiver in range(residual.shape[-1]):
        for shift in around:
            late = residual - residual[..., receiver, None] - shift
            total = np.sum(np.where(weight, terms.log_density(late)[0], 0), axis=-1)
            best = np.maximum(best, np.where(batch.has_arrival[:, receiver, None], total, -np.inf))
    chosen = arrival_residual_s(PLACES, batch, model)
    reached = np.sum(np.where(weight, terms.log_density(chosen)[0], 0), axis=-1)
    assert np.all(reached <= best + 0.02)
    assert np.mean(best - reached > 0.3) < 0.15


def test_at_the_truth_the_residuals_are_the_errors_of_the_clocks(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(2, clock_sigma_s=1e-12)
    rng = np.random.default_rng(2)
    rng.uniform(size=(3, 6, 2)), rng.uniform(size=(3, 6, 1))
    place = rng.uniform(-40e3, 40e3, (3, 1, 2))
    flat = replace(batch, curvature_per_m=np.zeros((3, 2)))
    late = arrival_residual_s(place, flat, TERRESTRIAL)[:, 0]
    assert np.max(np.abs(late[batch.has_arrival])) < 1e-9


def test_a_common_shift_of_all_arrival_times_changes_nothing(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(3)
    shifted = replace(batch, arrival_s=batch.arrival_s + 0.0123)
    distance = link_distance_m(PLACES, batch, TERRESTRIAL)
    np.testing.assert_allclose(
        arrival_log_likelihood(distance, shifted, TERRESTRIAL),
        arrival_log_likelihood(distance, batch, TERRESTRIAL),
        rtol=1e-5,
        atol=1e-4,
    )


@given(angle=st.floats(0, 2 * math.pi), mirrored=st.booleans())
@settings(max_examples=20)
def test_turning_or_mirroring_everything_changes_nothing(
    make_evidence: MakeEvidence, angle: float, mirrored: bool
) -> None:
    batch = make_evidence(4)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turn = turn @ np.diag([-1, 1]) if mirrored else turn
    position = np.concatenate([batch.position_enu_m[..., :2] @ turn.T, batch.position_enu_m[..., 2:]], axis=-1)
    turned = replace(batch, position_enu_m=position)
    for part in (arrival_log_likelihood, power_law_log_likelihood):
        before = part(link_distance_m(PLACES, batch, TERRESTRIAL), batch, TERRESTRIAL)
        after = part(link_distance_m(PLACES @ turn.T, turned, TERRESTRIAL), turned, TERRESTRIAL)
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-5)


def test_receivers_without_a_measurement_have_no_say(make_evidence: MakeEvidence) -> None:
    """Whatever stands in the fields that the masks rule out."""
    batch = make_evidence(5)
    nonsense = replace(
        batch,
        arrival_s=np.where(batch.has_arrival, batch.arrival_s, 123.0),
        level_db=np.where(batch.has_level, batch.level_db, 1e3),
        arrival_sigma_s=np.where(batch.has_arrival, batch.arrival_sigma_s, 5.0),
    )
    for part in (arrival_log_likelihood, power_law_log_likelihood):
        distance = link_distance_m(PLACES, batch, TERRESTRIAL)
        np.testing.assert_allclose(part(distance, nonsense, TERRESTRIAL), part(distance, batch, TERRESTRIAL))


@pytest.mark.parametrize("part", [arrival_log_likelihood, power_law_log_likelihood])
def test_fewer_than_two_measurements_say_nothing(make_evidence: MakeEvidence, part: Callable[..., np.ndarray]) -> None:
    batch = make_evidence(6)
    one = np.arange(batch.present.shape[1]) == 0
    alone = replace(batch, has_arrival=batch.present & one, has_level=batch.present & one)
    assert np.all(part(link_distance_m(PLACES, alone, TERRESTRIAL), alone, TERRESTRIAL) == 0)


def test_distances_are_the_straight_lines_and_along_ground_the_arcs(make_evidence: MakeEvidence) -> None:
    batch = replace(make_evidence(9), curvature_per_m=np.full((3, 2), 1 / 6.37e6))
    chord = link_distance_m(PLACES, batch, TERRESTRIAL)
    for scene in range(3):
        for index, (east, north) in enumerate(PLACES[scene]):
            up = -(east**2 + north**2) / (2 * 6.37e6)
            offset = np.array([east, north, up]) - batch.position_enu_m[scene]
            np.testing.assert_allclose(chord[scene, index], np.linalg.norm(offset, axis=-1), atol=0.5)
    east, north = batch.position_enu_m[..., 0], batch.position_enu_m[..., 1]
    up = surface_up_m(east, north, columns(batch.curvature_per_m), np.zeros_like(east))
    grounded = replace(batch, position_enu_m=np.stack([east, north, up], axis=-1))
    chord, arc = (link_distance_m(PLACES, grounded, model) for model in (TERRESTRIAL, GROUND_WAVE))
    np.testing.assert_allclose(arc, 2 * 6.37e6 * np.arcsin(chord / 2 / 6.37e6), rtol=1e-6)
    # A mast makes no ground wave longer.
    np.testing.assert_allclose(link_distance_m(PLACES, batch, GROUND_WAVE), arc, atol=5.0)


def test_a_blur_is_noise_added_to_every_link(make_evidence: MakeEvidence) -> None:
    batch, blur_m = make_evidence(10), 300.0
    noisy = replace(
        batch,
        arrival_sigma_s=np.hypot(batch.arrival_sigma_s, blur_m * TERRESTRIAL.refractive_index / SPEED_OF_LIGHT_M_S),
    )
    distance = link_distance_m(PLACES, batch, TERRESTRIAL)
    blurred = arrival_log_likelihood(distance, batch, TERRESTRIAL, np.full(3, blur_m))
    np.testing.assert_allclose(blurred, arrival_log_likelihood(distance, noisy, TERRESTRIAL), rtol=1e-9)


@pytest.mark.parametrize("model", [TERRESTRIAL, replace(TERRESTRIAL, stray_probability=0.1), GROUND_WAVE])
def test_numpy_and_torch_agree_to_rounding(
    make_evidence: MakeEvidence, to_torch: ToTorch, model: PropagationModel
) -> None:
    import torch

    batch = make_evidence(11)
    tensors, places = to_torch(batch), torch.as_tensor(PLACES)
    distance, distance_torch = link_distance_m(PLACES, batch, model), link_distance_m(places, tensors, model)
    np.testing.assert_allclose(distance_torch.numpy(), distance, rtol=1e-12)
    for part in (arrival_log_likelihood, power_law_log_likelihood):
        np.testing.assert_allclose(
            part(distance_torch, tensors, model).numpy(), part(distance, batch, model), rtol=1e-9, atol=1e-9
        )
    np.testing.assert_allclose(
        arrival_residual_s(places, tensors, model).numpy(), arrival_residual_s(PLACES, batch, model), atol=1e-15
    )


def test_without_arrival_times_nothing_is_computed_for_them(make_evidence: MakeEvidence, monkeypatch) -> None:
    """Power alone locates several times as fast, and the answer is the same zero."""
    evidence = make_evidence()
    silent = replace(evidence, has_arrival=np.zeros_like(evidence.has_arrival))
    monkeypatch.setattr(
        "heimdall.estimation.likelihood.arrival_times._emission_time",
        lambda *_: pytest.fail("it searched for an emission time"),
    )
    distance = np.full((len(silent), 7, silent.present.shape[1]), 1e4)
    assert np.all(arrival_log_likelihood(distance, silent, TERRESTRIAL) == np.zeros((len(silent), 7)))


def test_echoes_move_a_narrow_signal_by_their_delay_and_a_wide_one_within_its_resolution() -> None:
    narrow, wide = echo_sigma_s(np.array([1.0, 1e9]), TERRESTRIAL)
    assert narrow == pytest.approx(TERRESTRIAL.multipath_sigma_s, rel=1e-3)
    assert wide == pytest.approx(TERRESTRIAL.multipath_cycles / 1e9, rel=1e-3)
    assert np.all(echo_sigma_s(np.array([1.0, 1e9]), GROUND_WAVE) == GROUND_WAVE.multipath_sigma_s)
