"""The position prior: a density, said aloud."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from heimdall.estimation.model import AIRBORNE, TERRESTRIAL, PropagationModel
from heimdall.estimation.prior import log_prior
from heimdall.estimation.search import square_grid
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]


@pytest.mark.parametrize("model", [TERRESTRIAL, AIRBORNE])
def test_the_prior_integrates_to_one_over_the_plane(make_evidence: MakeEvidence, model: PropagationModel) -> None:
    """On rings out to a thousand half widths, each of its own area."""
    batch = make_evidence(1)
    edge_m = np.concatenate([[0.0], np.geomspace(100.0, 1e8, 600)])
    radius_m, angle = (edge_m[1:] + edge_m[:-1]) / 2, np.linspace(0, 2 * math.pi, 90, endpoint=False)
    places = (radius_m[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).reshape(1, -1, 2)
    area_m2 = np.repeat(math.pi * np.diff(edge_m**2) / len(angle), len(angle))
    mass = np.sum(np.exp(log_prior(np.repeat(places, 3, axis=0), batch, model)) * area_m2, axis=-1)
    np.testing.assert_allclose(mass, 1.0, atol=0.01)


def test_the_prior_falls_off_and_never_ends(make_evidence: MakeEvidence) -> None:
    """Ten times as far out, a square metre is three thousand times less likely: no step anywhere, and never nothing."""
    batch = make_evidence(1, scenes=1)
    places = np.array([[[r, 0.0] for r in (90e3, 110e3, 1e6, 1e7)]])
    just_inside, just_outside, far, further = log_prior(places, batch, TERRESTRIAL)[0]
    assert 0 < just_inside - just_outside < 1
    assert far - further == pytest.approx(3.5 * math.log(10), abs=0.05)


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
