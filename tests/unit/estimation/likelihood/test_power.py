"""Received powers against a sum over a grid, and what neighbours and silence tell."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from heimdall.estimation.likelihood.arrival_times import link_distance_m
from heimdall.estimation.likelihood.power import power_law_log_likelihood
from heimdall.estimation.model import TERRESTRIAL, PropagationModel
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
PLACES = np.random.default_rng(7).uniform(-60e3, 60e3, (3, 11, 2))


def test_level_likelihood_is_the_integral_over_power_and_exponent(make_evidence: MakeEvidence) -> None:
    """The closed form against a sum over a grid of transmit powers and exponents, shadowing by shadowing, half of it common
    to neighbours."""
    batch, model = make_evidence(7, scenes=1, receivers=5), TERRESTRIAL
    batch = replace(batch, position_enu_m=batch.position_enu_m * [[[0.3, 0.3, 1.0]]])
    places = PLACES[:1, :4]
    distance = link_distance_m(places, batch, model)[0]
    heard = batch.has_level[0]
    power, step_db = np.linspace(-200, 200, 801, retstep=True)
    exponent, step_n = np.linspace(model.exponent_mean - 4, model.exponent_mean + 4, 161, retstep=True)
    prior = norm.pdf(exponent, model.exponent_mean, model.exponent_sigma)
    totals = []
    for distances in distance:
        total = 0.0
        for share, shadowing_db in model.shadowing_db:
            covariance = _level_covariance(batch, model, shadowing_db)[np.ix_(heard, heard)]
            decades = np.log10(np.maximum(distances[heard], model.min_distance_m))
            expected = power[:, None, None] - 10 * exponent[None, :, None] * decades
            density = multivariate_normal(cov=covariance).pdf(batch.level_db[0, heard] - expected)
            total += share * np.sum(density * prior) * step_db * step_n
        totals.append(math.log(total))
    closed = power_law_log_likelihood(distance[None], batch, model)[0]
    # The closed form leaves out factors that no place changes.
    np.testing.assert_allclose(closed - closed[0], np.array(totals) - totals[0], atol=2e-3)


def _level_covariance(batch: EvidenceBatch, model: PropagationModel, shadowing_db: float) -> np.ndarray:
    place = batch.position_enu_m[0, :, :2]
    apart = np.linalg.norm(place[:, None] - place, axis=-1)
    common = (
        model.shadowing_common * shadowing_db**2 * np.exp(-apart / (model.shadowing_length * batch.half_width_m[0]))
    )
    own = (1 - model.shadowing_common) * shadowing_db**2 + model.blocked_loss_sigma_db**2 + batch.level_sigma_db[0] ** 2
    return common + np.diag(own)


def test_neighbours_that_hear_alike_count_less_than_receivers_far_apart(make_evidence: MakeEvidence) -> None:
    """Four receivers on one roof and one elsewhere: their level is told four times, their shadow is one."""
    batch = make_evidence(7, scenes=1, receivers=5)
    batch = replace(batch, has_level=np.ones((1, 5), dtype=bool))
    roof = np.concatenate([np.zeros((4, 3)), [[40e3, 0.0, 0.0]]])[None]
    places = np.array([[[10e3, 0.0], [30e3, 0.0]]])
    levels = np.array([[-20.0] * 4 + [0.0]])
    steps = []
    for common in (0.0, 0.9):
        model = replace(TERRESTRIAL, shadowing_common=common)
        there = replace(batch, position_enu_m=roof, level_db=levels)
        value = power_law_log_likelihood(link_distance_m(places, there, model), there, model)[0]
        steps.append(value[1] - value[0])
    assert 0 < steps[1] < 0.85 * steps[0]


@pytest.mark.parametrize("limit_db", [-140.0, -90.0])
def test_a_receiver_that_heard_nothing_speaks_against_places_near_it(
    make_evidence: MakeEvidence, limit_db: float
) -> None:
    """As far as it would have heard them: its limit is a little below what the others heard, or far above."""
    batch = make_evidence(7, scenes=1, receivers=5)
    position = np.array([[[0.0, 0, 0], [20e3, 0, 0], [0, 20e3, 0], [0, -20e3, 0], [-30e3, 0, 0]]])
    level = -30 * np.log10(np.linalg.norm(position[..., :2] - [12e3, 0.0], axis=-1))
    level[0, 4] = limit_db
    quiet = np.array([[False] * 4 + [True]])
    heard = replace(
        batch, position_enu_m=position, level_db=level, has_level=~quiet, present=np.ones((1, 5), dtype=bool)
    )
    places = np.array([[[-20e3, 0.0], [12e3, 0.0]]])
    distance = link_distance_m(places, heard, TERRESTRIAL)
    without, with_it = (
        power_law_log_likelihood(distance, replace(heard, silent=silent), TERRESTRIAL)[0] for silent in (None, quiet)
    )
    against = (with_it - without)[1] - (with_it - without)[0]
    assert against > 1.0 if limit_db < -100 else 0 <= against < 0.1
    assert np.all(with_it - without >= math.log(TERRESTRIAL.deaf_probability) - 0.5)


def test_levels_do_not_change_with_the_transmit_power(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(8)
    louder = replace(batch, level_db=batch.level_db + 17.0)
    distance = link_distance_m(PLACES, batch, TERRESTRIAL)
    np.testing.assert_allclose(
        power_law_log_likelihood(distance, louder, TERRESTRIAL),
        power_law_log_likelihood(distance, batch, TERRESTRIAL),
        atol=1e-6,
    )
