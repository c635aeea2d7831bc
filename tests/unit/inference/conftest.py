"""Evidence drawn straight from the likelihood's own model: no IQ, so it costs nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import TERRESTRIAL
from heimdall.evidence.batch import EvidenceBatch

Drawn = tuple[EvidenceBatch, NDArray[np.float64]]


def _draw(scenes: int, receivers: int, seed: int) -> Drawn:
    """Evidence in numpy, and where the transmitters are (B, 2) in m."""
    chance = np.random.default_rng(seed)
    half_width_m = np.full(scenes, 120e3)
    ground = chance.uniform(-60e3, 60e3, (scenes, receivers, 2))
    truth = chance.uniform(-30e3, 30e3, (scenes, 2))
    present = np.ones((scenes, receivers), dtype=bool)
    distance_m = np.maximum(np.linalg.norm(ground - truth[:, None], axis=-1), 300.0)
    sigma_s = chance.uniform(0.1e-6, 0.5e-6, (scenes, receivers))
    late_s = sigma_s * chance.standard_normal(sigma_s.shape)
    arrival_s = distance_m * TERRESTRIAL.refractive_index / SPEED_OF_LIGHT_M_S + late_s
    level_db = 60 - 30 * np.log10(distance_m / 1e3) + 6 * chance.standard_normal(sigma_s.shape)
    evidence = EvidenceBatch(
        position_enu_m=np.concatenate([ground, np.zeros((scenes, receivers, 1))], axis=-1),
        present=present,
        arrival_s=arrival_s - arrival_s.mean(axis=1, keepdims=True),
        arrival_sigma_s=sigma_s,
        clock_sigma_s=np.full_like(sigma_s, 100e-9),
        has_arrival=present.copy(),
        level_db=level_db,
        level_sigma_db=np.full_like(sigma_s, 2.0),
        has_level=present.copy(),
        snr=np.full_like(sigma_s, 10.0),
        bandwidth_hz=np.full(scenes, 25e3),
        curvature_per_m=np.zeros((scenes, 2)),
        transmitter_height_m=np.zeros(scenes),
        half_width_m=half_width_m,
    )
    return evidence, truth


@pytest.fixture
def draw_evidence() -> Callable[[int, int, int], Drawn]:
    return _draw


@pytest.fixture
def as_torch() -> Callable[[EvidenceBatch], EvidenceBatch]:
    def convert(evidence: EvidenceBatch) -> EvidenceBatch:
        return evidence.changed(torch.from_numpy)

    return convert
