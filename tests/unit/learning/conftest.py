"""Evidence drawn straight from the likelihood's own model: no IQ, so it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from heimdall.constants import SPEED_OF_LIGHT_M_S
from heimdall.estimation.model import TERRESTRIAL
from heimdall.estimation.posterior_window import frame_around
from heimdall.evidence.batch import EvidenceBatch
from heimdall.learning.data.simulated import LabelledEvidence, SceneSource
from heimdall.recipes import Recipe, recipe
from heimdall.simulation import SCENES_PER_DRAW

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


def _scenes(source: SceneSource, draws: Sequence[int], *_: object) -> list[LabelledEvidence]:
    """Stands in for the simulator: evidence from the likelihood's model, for the same draws the same."""
    first = 10_000 * len(source.purpose) + 1000 * source.seed
    return [_labelled(first + index, source.cells) for index in draws]


def _labelled(seed: int, cells: int) -> LabelledEvidence:
    drawn, place = _draw(SCENES_PER_DRAW, 5, seed)
    evidence, truth = _single(drawn), torch.from_numpy(place).float()
    # Near the truth serves as the mode: searching for it would take longer than the tests.
    return LabelledEvidence(evidence, TERRESTRIAL, truth, frame_around(truth + 300.0, evidence, TERRESTRIAL, cells))


def _single(evidence: EvidenceBatch) -> EvidenceBatch:
    return evidence.changed(torch.from_numpy).changed(lambda v: v.float() if v.is_floating_point() else v)


@pytest.fixture
def synthetic_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training scenes without IQ."""
    monkeypatch.setattr("heimdall.learning.data.pools.simulate", _scenes)


@pytest.fixture
def tiny() -> Recipe:
    """A recipe that trains in seconds."""
    changes = {
        "steps": "6",
        "batch_size": "4",
        "validate_every": "3",
        "network.cells": "16",
        "network.decoder_width": "8",
        "network.token_width": "8",
        "network.drop_path": "0.2",
        "scenes.pool": "16",
        "scenes.passes": "1",
        "scenes.validation": "16",
        "scenes.calibration": "32",
    }
    return recipe("quick", changes)
