"""A mixture is a density: it integrates to one, adds variances when blurred, and agrees with a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from heimdall.estimation.frame import WindowFrame, spanning
from heimdall.inference.mixture import Mixture, from_network


def _mixture(seed: int = 0, components: int = 5) -> Mixture:
    chance = np.random.default_rng(seed)
    weight = chance.dirichlet(np.ones(components + 1))
    factor = chance.uniform(0.5, 2.0, (1, components, 3)) * np.array([1, chance.choice([-1, 1]), 1])
    return Mixture(
        log_weight=np.log(weight[None, :-1]),
        mean=chance.uniform(-4, 4, (1, components, 2)),
        cholesky=factor,
        log_background=np.log(weight[-1:]),
        background_mean=np.array([[1.0, -2.0]]),
        background_sigma=np.array([6.0]),
    )


def _plane(reach: float, points: int) -> tuple[np.ndarray, float]:
    axis = np.linspace(-reach, reach, points)
    east, north = np.meshgrid(axis, axis)
    return np.stack([east.ravel(), north.ravel()], axis=-1)[None], (axis[1] - axis[0]) ** 2


def test_the_density_of_cells_and_background_integrates_to_one() -> None:
    place, area = _plane(40.0, 401)
    assert np.exp(_mixture().log_density(place)).sum() * area == pytest.approx(1.0, abs=1e-4)


def test_the_density_is_the_sum_of_scipys_normal_densities() -> None:
    mixture, places = _mixture(seed=3), np.random.default_rng(1).uniform(-5, 5, (1, 20, 2))
    expected = np.zeros(20)
    for k in range(mixture.log_weight.shape[1]):
        ee, ne, nn = mixture.cholesky[0, k]
        factor = np.array([[ee, 0], [ne, nn]])
        normal = multivariate_normal(mixture.mean[0, k], factor @ factor.T)
        expected += np.exp(mixture.log_weight[0, k]) * normal.pdf(places[0])
    broad = multivariate_normal(mixture.background_mean[0], 36.0 * np.eye(2))
    expected += np.exp(mixture.log_background[0]) * broad.pdf(places[0])
    np.testing.assert_allclose(np.exp(mixture.log_density(places))[0], expected, rtol=1e-9)


def test_blurring_adds_the_blurs_variance_to_every_component() -> None:
    mixture = _mixture(seed=5)
    blurred = mixture.smoothed(np.array([1.5]))
    for before, after in zip(mixture.cholesky[0], blurred.cholesky[0], strict=True):
        factors = [np.array([[ee, 0], [ne, nn]]) for ee, ne, nn in (before, after)]
        covariances = [factor @ factor.T for factor in factors]
        np.testing.assert_allclose(covariances[1], covariances[0] + 1.5**2 * np.eye(2), rtol=1e-9)
    np.testing.assert_allclose(blurred.background_sigma, np.hypot(6.0, 1.5))


def test_the_strongest_components_are_those_of_greatest_weight() -> None:
    mixture = _mixture(seed=7, components=9)
    kept = mixture.strongest(4)
    order = np.argsort(mixture.log_weight[0])[::-1][:4]
    np.testing.assert_array_equal(kept.log_weight[0], mixture.log_weight[0, order])
    np.testing.assert_array_equal(kept.mean[0], mixture.mean[0, order])


def test_numpy_and_torch_give_the_same_density_for_the_same_output() -> None:
    chance = np.random.default_rng(0)
    output = chance.normal(size=(2, 6, 8, 8))
    output[:, 3], output[:, 5] = np.exp(output[:, 3]), np.exp(output[:, 5])
    background, center, core_m = np.array([-3.0, -2.0]), np.zeros((2, 2)), np.array([100.0, 30.0])
    half_m, place = np.array([50e3, 80e3]), chance.uniform(-9, 9, (2, 7, 2))
    arrays = from_network(output, background, spanning(center, core_m, 9 * core_m, 8), half_m).log_density(place)
    to = torch.from_numpy
    frame = spanning(to(center), to(core_m), to(9 * core_m), 8)
    tensors = from_network(to(output), to(background), frame, to(half_m)).log_density(to(place))
    np.testing.assert_allclose(arrays, tensors.numpy(), rtol=1e-9)


def test_a_component_without_offset_sits_in_the_middle_of_its_cell() -> None:
    output = np.zeros((1, 6, 4, 4))
    output[:, 3], output[:, 5] = 1.0, 1.0
    frame = WindowFrame(np.array([[500.0, -200.0]]), np.array([10.0]), np.array([1.5]))
    mixture = from_network(output, np.zeros(1), frame, np.array([1e4]))
    np.testing.assert_allclose(frame.place_m(mixture.mean), frame.cell_middles_m(4), rtol=1e-12)
    np.testing.assert_allclose(frame.place_m(mixture.background_mean[:, None]), np.zeros((1, 1, 2)), atol=1e-9)
