"""The search finds the highest peak, whatever else there is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from heimdall.arrays import Array
from heimdall.estimation.model import TERRESTRIAL
from heimdall.estimation.search import find_mode, log_likelihood, log_posterior, square_grid
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]


def _peaks(centers_BK2: np.ndarray, heights_BK: np.ndarray, widths_BK: np.ndarray) -> Callable[[Array, Array], Array]:
    """A log density with round normal peaks, blurred as the likelihood blurs."""

    def density(place_BG2: Array, blur_m_B: Array) -> Array:
        square = np.sum((place_BG2[:, :, None] - centers_BK2[:, None]) ** 2, axis=-1)
        width2 = widths_BK[:, None] ** 2 + blur_m_B.reshape(len(place_BG2), -1, 1) ** 2
        return np.log(np.sum(heights_BK[:, None] * np.exp(-0.5 * square / width2), axis=-1) + 1e-300)

    return density


def test_the_grid_has_north_in_the_slow_axis_and_starts_south_west() -> None:
    grid = square_grid(np.array([[10.0, 20.0]]), np.array([2.0]), 2)
    np.testing.assert_allclose(grid[0], [[9, 19], [11, 19], [9, 21], [11, 21]])


@pytest.mark.parametrize("seed", range(4))
def test_the_highest_of_several_peaks_is_found_to_a_metre(make_evidence: MakeEvidence, seed: int) -> None:
    rng = np.random.default_rng(seed)
    batch = make_evidence(seed, scenes=8)
    centers, widths = rng.uniform(-90e3, 90e3, (8, 4, 2)), rng.uniform(1e3, 6e3, (8, 4))
    heights = rng.uniform(0.3, 0.7, (8, 4))
    winner = rng.integers(0, 4, 8)
    heights[np.arange(8), winner] = 1.0
    place, value = find_mode(batch, _peaks(centers, heights, widths))
    exact = _peaks(centers, heights, widths)(place[:, None], np.zeros(8))[:, 0]
    np.testing.assert_allclose(value, exact, atol=1e-9)
    miss_m = np.linalg.norm(place - centers[np.arange(8), winner], axis=-1)
    lone = np.min(
        np.where(np.arange(4) == winner[:, None], np.inf, np.linalg.norm(centers - place[:, None], axis=-1)), -1
    )
    assert np.all(miss_m[lone > 30e3] < 5)


@pytest.mark.parametrize("cells_away", [2.3, 4.6, 7.5])
def test_a_narrow_peak_on_the_slope_of_a_broad_one_is_found(make_evidence: MakeEvidence, cells_away: float) -> None:
    """Three times as high; but blurred to a cell of the map it is a local maximum at the foot only, 7.5 cells away."""
    batch = make_evidence(3, scenes=1)
    cell_m = 2 * batch.half_width_m[0] / 64
    narrow = np.array([[0.7, 0.4]]) * cell_m
    centers = np.stack([narrow + np.array([cells_away * cell_m, 0]), narrow], axis=1)
    widths = np.array([[3.0, 0.08]]) * cell_m

    def density(place_BG2: Array, blur_m_B: Array) -> Array:
        square = np.sum((place_BG2[:, :, None] - centers[:, None]) ** 2, axis=-1)
        blur2 = np.broadcast_to(blur_m_B.reshape(1, -1, 1) ** 2, square.shape)
        heights = np.array([1.0, 3.0]) * np.where([False, True], widths**2 / (widths**2 + blur2), 1.0)
        return np.log(np.sum(heights * np.exp(-0.5 * square / (widths**2 + blur2)), axis=-1) + 1e-300)

    place, _ = find_mode(batch, density)
    np.testing.assert_allclose(place, narrow, atol=0.01 * cell_m)


def test_the_mode_of_a_posterior_is_not_below_a_dense_map(make_evidence: MakeEvidence) -> None:
    """200 x 200 cells looked at one by one never show a place more likely than the one found, but for a little."""
    batch = make_evidence(5, scenes=4)
    density = log_posterior(batch, TERRESTRIAL)
    _, value = find_mode(batch, density)
    dense = density(square_grid(np.zeros((4, 2)), batch.half_width_m, 200), np.zeros(4))
    assert np.all(value > np.max(dense, axis=-1) - 0.05)


@pytest.mark.parametrize("bearing", [0.3, 2.0, 4.4])
@pytest.mark.parametrize("distance_m", [130e3, 300e3])
def test_a_peak_far_beyond_the_square_is_found(make_evidence: MakeEvidence, distance_m: float, bearing: float) -> None:
    """A hundredth of its distance wide; the square has a lower one."""
    batch = make_evidence(4, scenes=2)
    far = distance_m * np.array([np.cos(bearing), np.sin(bearing)])
    centers, widths = np.broadcast_to([[20e3, 10e3], far], (2, 2, 2)), np.full((2, 2), 0.01 * distance_m)
    place, _ = find_mode(batch, _peaks(centers, np.array([[0.5, 1.0]]), widths), np.full(2, 1e6))
    np.testing.assert_allclose(place, centers[:, 1], atol=0.001 * distance_m)


def test_the_mode_turns_with_the_scene(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(6)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    position = np.concatenate([batch.position_enu_m[..., :2] @ turn.T, batch.position_enu_m[..., 2:]], axis=-1)
    turned = replace(batch, position_enu_m=position)
    before, _ = find_mode(batch, log_posterior(batch, TERRESTRIAL))
    after, _ = find_mode(turned, log_posterior(turned, TERRESTRIAL))
    np.testing.assert_allclose(after, before @ turn.T, atol=5.0)


def test_scenes_of_a_batch_do_not_meet(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(7)
    together, _ = find_mode(batch, log_posterior(batch, TERRESTRIAL))
    for index in range(3):
        alone = batch.select(slice(index, index + 1))
        place, _ = find_mode(alone, log_posterior(alone, TERRESTRIAL))
        np.testing.assert_allclose(place[0], together[index], atol=1e-6)


def test_without_the_prior_the_density_is_the_likelihood_alone(make_evidence: MakeEvidence) -> None:
    """Far outside the network the two differ by what the prior takes off."""
    batch = make_evidence(8)
    places = np.full((3, 1, 2), 95e3)
    with_prior, without = (of(batch, TERRESTRIAL)(places, np.zeros(3)) for of in (log_posterior, log_likelihood))
    assert np.all(with_prior < without - 15)


def test_numpy_and_torch_find_the_same_place(make_evidence: MakeEvidence, to_torch: ToTorch) -> None:
    batch = make_evidence(9)
    tensors = to_torch(batch)
    place, value = find_mode(batch, log_posterior(batch, TERRESTRIAL, single=False))
    place_torch, value_torch = find_mode(tensors, log_posterior(tensors, TERRESTRIAL))
    assert isinstance(place_torch, torch.Tensor)
    np.testing.assert_allclose(place_torch.numpy(), place, atol=1e-6)
    np.testing.assert_allclose(value_torch.numpy(), value, atol=1e-9)
