"""Single precision, which the search on numpy arrays takes, says what the reference in double precision says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.likelihood.arrival_times import arrival_log_likelihood, link_distance_m
from heimdall.estimation.likelihood.power import level_density
from heimdall.estimation.likelihood.single_precision import arrival_density
from heimdall.estimation.model import AIRBORNE, GROUND_WAVE, LOCAL, SHORT_WAVE, TERRESTRIAL, PropagationModel
from heimdall.estimation.search import find_mode, log_posterior, square_grid
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
MODELS = [TERRESTRIAL, LOCAL, AIRBORNE, GROUND_WAVE]
OF_INTEREST = 30.0
"""Log densities further than this below the best decide nothing."""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("blurred", [False, True], ids=["sharp", "blurred"])
@pytest.mark.parametrize("seed", [6, 8])
def test_arrival_times_are_as_likely_as_the_reference_has_them(
    make_evidence: MakeEvidence, model: PropagationModel, blurred: bool, seed: int
) -> None:
    """Also where two receivers' own emission times are as likely: one of them counts."""
    batch = make_evidence(seed)
    batch = replace(batch, has_arrival=batch.has_arrival & (np.arange(batch.has_arrival.shape[1]) != 1))
    density = arrival_density(batch, model)
    assert density is not None
    places = square_grid(np.zeros((len(batch), 2)), batch.half_width_m, 70)
    distance = link_distance_m(places, batch, model)
    blur = np.full(places.shape[:2], 400.0) if blurred else None
    reference, value = arrival_log_likelihood(distance, batch, model, blur), density(distance, blur)
    near = reference > reference.max(axis=1, keepdims=True) - OF_INTEREST
    np.testing.assert_allclose(value[near], reference[near], atol=1e-3)


def test_what_lies_far_below_the_best_stays_far_below(make_evidence: MakeEvidence) -> None:
    """Places that decide nothing are not looked at as closely; none of them may seem better than it is."""
    batch, model = make_evidence(11), TERRESTRIAL.without_faults
    density = arrival_density(batch, model)
    assert density is not None
    places = square_grid(np.zeros((len(batch), 2)), 3 * batch.half_width_m, 60)
    distance = link_distance_m(places, batch, model)
    reference, value = arrival_log_likelihood(distance, batch, model), density(distance, None)
    far = reference < reference.max(axis=1, keepdims=True) - OF_INTEREST
    assert np.any(far)
    assert np.all(value[far] < reference[far] + 1e-2)


def test_fewer_than_two_arrival_times_say_nothing(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(4)
    alone = replace(batch, has_arrival=batch.has_arrival & (np.arange(batch.has_arrival.shape[1]) == 0))
    distance = link_distance_m(np.zeros((len(batch), 5, 2)), alone, TERRESTRIAL)
    density = arrival_density(alone, TERRESTRIAL)
    assert density is not None
    assert np.all(density(distance, None) == 0)


def test_waves_by_the_ionosphere_stay_with_the_reference(make_evidence: MakeEvidence) -> None:
    assert arrival_density(make_evidence(4), SHORT_WAVE) is None


def test_powers_are_as_likely_as_the_reference_has_them(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(6)
    places = square_grid(np.zeros((len(batch), 2)), batch.half_width_m, 20)
    distance = link_distance_m(places, batch, TERRESTRIAL)
    single, double = (level_density(batch, TERRESTRIAL, dtype)(places, distance) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, atol=1e-3)


def test_the_place_found_is_that_of_the_reference(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(7)
    place, _ = find_mode(batch, log_posterior(batch, TERRESTRIAL))
    reference, value = find_mode(batch, log_posterior(batch, TERRESTRIAL, single=False))
    exact = log_posterior(batch, TERRESTRIAL, single=False)(place[:, None], np.zeros((len(batch), 1)))[:, 0]
    np.testing.assert_allclose(exact, value, atol=1e-3)
    assert np.max(np.linalg.norm(place - reference, axis=1)) < 3.0
