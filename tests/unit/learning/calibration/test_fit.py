"""Calibration makes regions hold what they say, whatever the network says."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from heimdall.inference.answer import best_place, smoothing_core
from heimdall.inference.posterior import posterior_of
from heimdall.inference.window import TOKENS
from heimdall.learning.calibration.fit import calibrate, scores_of
from heimdall.learning.data.pools import ScenePool, calibration_pool
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.recipes import Recipe, recipe_from

pytestmark = pytest.mark.usefixtures("synthetic_scenes")


class _Overconfident(torch.nn.Module):
    """Spreads three times too small."""

    def __init__(self, network: EvidenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mixture, background = self.network(*window)
        return torch.cat([mixture[:, :3], mixture[:, 3:] / 3], dim=1), background


@pytest.fixture
def many(tiny: Recipe) -> Recipe:
    values = asdict(tiny)
    values["scenes"]["calibration"] = 192
    return recipe_from(values)


@torch.no_grad()
def test_calibrated_regions_of_an_overconfident_network_hold_the_stated_share(many: Recipe) -> None:
    pool = calibration_pool(many)
    network = _Overconfident(EvidenceNetwork(shape_of(many.network)).eval())
    regions = calibrate(network, pool).regions_of("network", "all")
    batch = pool.windows(torch.arange(len(pool)))
    mixture = batch.mixture(network(*batch.network_input))
    rank = posterior_of(mixture, batch.window.frame, many.network.cells).rank(batch.truth_m).numpy()
    for probability in (0.5, 0.68, 0.95):
        assert np.mean(rank <= regions.mass(probability)) == pytest.approx(probability, abs=0.01)
    assert regions.mass(0.68) > 0.68


def test_masses_rise_with_the_probability(many: Recipe) -> None:
    calibration = calibrate(EvidenceNetwork(shape_of(many.network)).eval(), calibration_pool(many))
    for method in ("network", "hybrid"):
        regions = calibration.regions_of(method, "all")
        assert list(regions.masses) == sorted(regions.masses)


def test_a_kind_with_enough_scenes_has_regions_of_its_own(many: Recipe) -> None:
    pool = calibration_pool(many)
    calibration = calibrate(EvidenceNetwork(shape_of(many.network)).eval(), pool)
    assert set(calibration.regions["network"]) == {"all", "terrestrial, time"}
    few = calibration_pool(replace(many, scenes=replace(many.scenes, calibration=48)))
    assert set(calibrate(EvidenceNetwork(shape_of(many.network)).eval(), few).regions["network"]) == {"all"}


class _WrongWithoutTime(torch.nn.Module):
    """Sure of a corner of the window when no receiver has an arrival time."""

    def __init__(self, network: EvidenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, maps: torch.Tensor, *receivers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mixture, background = self.network(maps, *receivers)
        by_power = receivers[0][:, :, TOKENS.index("has_arrival")].amax(dim=1) == 0
        mixture[by_power, 0] = -40.0
        mixture[by_power, 0, 0, 0] = 0.0
        return mixture, background


def _without_arrivals(pool: ScenePool) -> ScenePool:
    parts = [
        replace(part, evidence=replace(part.evidence, has_arrival=torch.zeros_like(part.evidence.has_arrival)))
        for part in pool.parts
    ]
    return ScenePool(parts, pool.cells)


def test_each_kind_is_joined_with_the_likelihood_as_its_own_scenes_say(many: Recipe) -> None:
    by_time = calibration_pool(many)
    both = ScenePool([*by_time.parts, *_without_arrivals(by_time).parts], by_time.cells)
    network = _WrongWithoutTime(EvidenceNetwork(shape_of(many.network)).eval())
    calibration = calibrate(network, both)
    assert calibration.blend_of("terrestrial, power").likelihood_share == 1.0
    alone = calibrate(network, by_time)
    assert calibration.blend_of("terrestrial, time") == alone.blend_of("terrestrial, time")
    assert calibration.regions_of("hybrid", "terrestrial, time") == alone.regions_of("hybrid", "terrestrial, time")


def test_recordings_held_out_where_it_is_hard_count_as_if_they_were_as_hard_as_all(many: Recipe) -> None:
    """All scenes that the likelihood misses by more than the median are held out, and a quarter of the others."""
    everything = calibration_pool(replace(many, scenes=replace(many.scenes, calibration=400)))
    (part,) = everything.parts
    hard = part.missed_cells > part.missed_cells.median()
    held_out = hard | (torch.arange(len(part)) % 4 == 0)
    recorded, trained = (ScenePool([part.select(chosen)], everything.cells) for chosen in (held_out, ~held_out))
    simulated = _without_arrivals(calibration_pool(many))
    network = EvidenceNetwork(shape_of(many.network)).eval()

    def mass(*pools: ScenePool) -> float:
        return calibrate(network, *pools).regions_of("network", "terrestrial, time").mass(0.5)

    expected = mass(everything)
    assert mass(simulated, recorded) > 1.3 * expected
    assert mass(simulated, recorded, trained) == pytest.approx(expected, rel=0.1)


def test_scores_compare_the_medians_with_the_likelihoods(many: Recipe) -> None:
    pool = calibration_pool(many)
    network = EvidenceNetwork(shape_of(many.network)).eval()
    scores = scores_of(calibrate(network, pool))
    assert scores["network_ratio"] == pytest.approx(scores["network_median_m"] / scores["likelihood_median_m"])
    batch = pool.windows(torch.arange(len(pool)))
    with torch.no_grad():
        place = best_place(batch.mixture(network(*batch.network_input)), smoothing_core(many.network.cells))
    error_m = (place - batch.truth_core).norm(dim=1) * batch.window.frame.core_m
    assert scores["network_median_m"] == pytest.approx(float(np.median(error_m.numpy())), rel=1e-4)
