"""Regions from a mixture hold what they say, when the mixture is the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from heimdall.estimation.frame import spanning
from heimdall.inference.mixture import Mixture
from heimdall.inference.posterior import posterior_of


def _scenes(count: int) -> tuple[Mixture, np.ndarray]:
    """Two-peaked mixtures, and a place drawn from each."""
    chance = np.random.default_rng(4)
    weight = np.repeat(np.array([[0.7, 0.3]]), count, axis=0)
    mean = np.stack([chance.uniform(-1, 1, (count, 2)), chance.uniform(-5, 5, (count, 2))], axis=1)
    factor = np.repeat(np.array([[[1.0, 0.4, 0.8], [1.5, -0.5, 1.0]]]), count, axis=0)
    mixture = Mixture(np.log(weight), mean, factor, np.full(count, -12.0), np.zeros((count, 2)), np.full(count, 100.0))
    which = (chance.random(count) > 0.7).astype(int)
    normal, rows = chance.standard_normal((count, 2)), np.arange(count)
    ee, ne, nn = factor[rows, which].T
    drawn = mean[rows, which] + np.stack([ee * normal[:, 0], ne * normal[:, 0] + nn * normal[:, 1]], axis=-1)
    return mixture, drawn


def test_the_rank_of_places_drawn_from_the_mixture_is_uniform() -> None:
    mixture, drawn = _scenes(400)
    frame = spanning(np.zeros((400, 2)), np.full(400, 0.8), np.full(400, 14.0), 24)
    unit = frame.core_m[:, None]
    scaled = Mixture(
        mixture.log_weight,
        mixture.mean / unit[..., None],
        mixture.cholesky / unit[..., None],
        mixture.log_background,
        mixture.background_mean,
        mixture.background_sigma,
    )
    rank = np.concatenate(
        [posterior_of(scaled.select(s), frame.select(s), 24).rank(drawn[s]) for s in np.array_split(np.arange(400), 40)]
    )
    for probability in (0.5, 0.68, 0.95):
        # Four standard deviations of a binomial of 400.
        assert abs(np.mean(rank <= probability) - probability) < 4 * np.sqrt(probability * (1 - probability) / 400)


def test_the_cells_hold_all_the_probability() -> None:
    mixture, _ = _scenes(3)
    frame = spanning(np.zeros((3, 2)), np.ones(3), np.full(3, 30.0), 24)
    np.testing.assert_allclose(posterior_of(mixture, frame, 24).mass.sum(axis=(1, 2)), 1.0)


def test_a_place_outside_the_window_is_in_no_region() -> None:
    mixture, _ = _scenes(2)
    frame = spanning(np.zeros((2, 2)), np.ones(2), np.full(2, 30.0), 24)
    np.testing.assert_array_equal(posterior_of(mixture, frame, 24).rank(np.array([[500.0, 0], [0, -500.0]])), [1, 1])


def test_no_rank_is_above_1_in_single_precision() -> None:
    mixture, _ = _scenes(2)
    frame = spanning(np.zeros((2, 2)), np.full(2, 0.8), np.full(2, 14.0), 24)
    posterior = posterior_of(mixture, frame, 24)
    falling = np.exp(-np.linspace(0, 30, posterior.mass.shape[-1]))
    mass = np.broadcast_to(np.outer(falling, falling) / falling.sum() ** 2, posterior.mass.shape)
    rounded = replace(posterior, mass=(mass * (1 + 1e-6)).astype(np.float32))
    assert (rounded.mass.sum(axis=(1, 2)) > 1).all()
    np.testing.assert_array_equal(rounded.rank(np.full((2, 2), 13.9)), [1, 1])
