"""The window shows all of the posterior, sharp or wide."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from heimdall.estimation.model import TERRESTRIAL
from heimdall.estimation.posterior_window import frame_around, posterior_mass
from heimdall.estimation.search import find_mode, log_posterior, square_grid
from heimdall.evidence.batch import EvidenceBatch

MakeEvidence = Callable[..., EvidenceBatch]
ToTorch = Callable[[EvidenceBatch], EvidenceBatch]


def test_masses_sum_to_one_and_none_lies_further_than_a_signal_comes_from(make_evidence: MakeEvidence) -> None:
    batch = replace(make_evidence(1), has_arrival=np.zeros((3, 6), dtype=bool))
    density = log_posterior(batch, TERRESTRIAL)
    mode, _ = find_mode(batch, density)
    frame = frame_around(mode, batch, TERRESTRIAL, 48)
    mass = posterior_mass(batch, density, frame, 48, np.full(3, 120e3))
    np.testing.assert_allclose(mass.sum(axis=(1, 2)), 1)
    distance_m = np.linalg.norm(frame.cell_middles_m(48).reshape(3, 48, 48, 2), axis=-1)
    assert np.all(mass[distance_m > 120e3] == 0)
    assert np.any(mass[distance_m > 100e3] > 0)


def test_the_window_finds_the_same_moments_as_an_even_map_of_everything(make_evidence: MakeEvidence) -> None:
    """By power alone the posterior is wide enough for a map of the whole area to be an oracle."""
    batch = replace(make_evidence(2), has_arrival=np.zeros((3, 6), dtype=bool))
    density = log_posterior(batch, TERRESTRIAL)
    mode, _ = find_mode(batch, density)
    frame = frame_around(mode, batch, TERRESTRIAL, 64)
    radius_m = batch.half_width_m
    place, mass = frame.cell_middles_m(64), posterior_mass(batch, density, frame, 64, radius_m).reshape(3, -1)
    everywhere = square_grid(np.zeros((3, 2)), batch.half_width_m, 300)
    log_density = density(everywhere, np.full(3, 200.0))
    share = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    share *= np.linalg.norm(everywhere, axis=-1) < radius_m[:, None]
    share /= share.sum(axis=-1, keepdims=True)
    (mean, spread), (true_mean, true_spread) = _moments(place, mass), _moments(everywhere, share)
    np.testing.assert_allclose(mean, true_mean, atol=0.15 * true_spread.max())
    np.testing.assert_allclose(spread, true_spread, rtol=0.15)


def _moments(place_BG2: np.ndarray, mass_BG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviations along both axes."""
    mean = np.sum(mass_BG[..., None] * place_BG2, axis=1)
    return mean, np.sqrt(np.sum(mass_BG[..., None] * (place_BG2 - mean[:, None]) ** 2, axis=1))


def test_a_sharp_posterior_gets_fine_cells(make_evidence: MakeEvidence) -> None:
    """The middle cell follows the clocks: a hundred times better clocks, many times smaller cells."""
    sizes = []
    for clock_sigma_s in (10e-6, 10e-9):
        batch = make_evidence(3, clock_sigma_s=clock_sigma_s)
        model = replace(TERRESTRIAL, multipath_sigma_s=1e-9)
        mode, _ = find_mode(batch, log_posterior(batch, model))
        sizes.append(frame_around(mode, batch, model, 64).core_m)
    assert np.all(sizes[1] < 0.2 * sizes[0])


def test_a_spread_still_to_come_gets_room(make_evidence: MakeEvidence) -> None:
    batch = make_evidence(4)
    mode, _ = find_mode(batch, log_posterior(batch, TERRESTRIAL))
    plain, roomy = (frame_around(mode, batch, TERRESTRIAL, 64, spread_m) for spread_m in (None, np.full(3, 5e3)))
    reach = [frame.axis(64)[0][:, -1] * frame.core_m for frame in (plain, roomy)]
    assert np.all(reach[1] > reach[0] + 10e3)


def test_numpy_and_torch_agree_to_rounding(make_evidence: MakeEvidence, to_torch: ToTorch) -> None:
    batch = make_evidence(5)
    tensors = to_torch(batch)
    density = log_posterior(batch, TERRESTRIAL, single=False)
    mode, _ = find_mode(batch, density)
    frame = frame_around(mode, batch, TERRESTRIAL, 32, density=density)
    frame_torch = frame_around(torch.as_tensor(mode), tensors, TERRESTRIAL, 32)
    np.testing.assert_allclose(frame_torch.core_m.numpy(), frame.core_m, rtol=1e-9)
    np.testing.assert_allclose(
        posterior_mass(tensors, log_posterior(tensors, TERRESTRIAL), frame_torch, 32).numpy(),
        posterior_mass(batch, density, frame, 32),
        rtol=1e-6,
        atol=1e-12,
    )
