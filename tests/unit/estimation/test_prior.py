"""The position prior: a density, said aloud."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.model import AIRBORNE, TERRESTRIAL
from heimdall.estimation.prior import log_prior
from heimdall.estimation.search import square_grid
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]


@pytest.mark.parametrize("model", [TERRESTRIAL, AIRBORNE])
def test_the_prior_integrates_to_one_over_the_area_searched(make_evidence: MakeEvidence, model: object) -> None:
    """Less what the normal part has outside of it."""
    batch = make_evidence(1)
    cells = 200
    grid = square_grid(np.zeros((3, 2)), batch.half_width_m, cells)
    area_m2 = (2 * batch.half_width_m / cells) ** 2
    mass = np.sum(np.exp(log_prior(grid, batch, model)), axis=-1) * area_m2
    assert np.all(mass < 1.001)
    assert np.all(mass > 0.97)


def test_inside_the_prior_has_the_moments_of_a_random_mixture_of_the_receivers(make_evidence: MakeEvidence) -> None:
    """Weights uniform on the simplex, drawn; the area is so small that its floor does not count."""
    batch = replace(make_evidence(2, scenes=1, receivers=5), half_width_m=np.full(1, 1.0))
    model = replace(TERRESTRIAL, inside_probability=1 - 1e-12)
    rng = np.random.default_rng(3)
    places = batch.position_enu_m[0, batch.present[0], :2]
    drawn = rng.dirichlet(np.ones(len(places)), 200_000) @ places
    mean, covariance = drawn.mean(axis=0), np.cov(drawn.T)
    at = np.concatenate([mean[None], mean + np.array([[20e3, 5e3], [-8e3, 25e3]])])[None]
    offset = at[0] - mean
    expected = -0.5 * np.einsum("gi,ij,gj->g", offset, np.linalg.inv(covariance), offset)
    density = log_prior(at, batch, model)[0]
    np.testing.assert_allclose(density - density[0], expected - expected[0], rtol=0.02, atol=0.02)


def test_padding_does_not_move_the_prior(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(3)
    moved = np.where(batch.present[..., None], batch.position_enu_m, 7e6)
    places = square_grid(np.zeros((3, 2)), batch.half_width_m, 5)
    np.testing.assert_allclose(
        log_prior(places, replace(batch, position_enu_m=moved), TERRESTRIAL), log_prior(places, batch, TERRESTRIAL)
    )


def test_a_network_on_a_line_leaves_room_across_it(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(4, scenes=1)
    line = batch.position_enu_m * np.array([1.0, 0.0, 0.0])
    places = np.array([[[0.0, 0.0], [0.0, 4e3]]])
    density = log_prior(places, replace(batch, position_enu_m=line), TERRESTRIAL)[0]
    assert np.all(np.isfinite(density))
    assert density[0] - density[1] < 1


def test_numpy_and_torch_agree_to_rounding(make_evidence: MakeEvidence, to_torch: ToTorch) -> None:
    import torch

    batch = make_evidence(5)
    places = square_grid(np.zeros((3, 2)), batch.half_width_m, 7)
    np.testing.assert_allclose(
        log_prior(torch.as_tensor(places), to_torch(batch), TERRESTRIAL).numpy(),
        log_prior(places, batch, TERRESTRIAL),
        rtol=1e-12,
    )
