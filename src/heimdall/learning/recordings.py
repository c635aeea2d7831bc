"""Recordings with known transmitters as training scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from heimdall.errors import InputError
from heimdall.estimation.locate import model_of
from heimdall.estimation.model import PropagationModel
from heimdall.evidence.batch import EvidenceBatch, concatenate
from heimdall.evidence.collect import Collected, collect
from heimdall.formats.read import read_observations
from heimdall.learning.data import ScenePool
from heimdall.learning.evidence import labelled
from heimdall.observation import Observation


def recorded_pool(paths: Sequence[Path], cells: int, device: torch.device | str = "cpu") -> ScenePool:
    """Every usable observation below the paths that says where its transmitter was."""
    known = [each for path in paths for each in read_observations(path) if each.truth is not None]
    return pool_of(known, cells, device)


def pool_of(observations: Sequence[Observation], cells: int, device: torch.device | str = "cpu") -> ScenePool:
    """The observations as scenes, without those that have too few receivers. Raises InputError where none is left."""
    groups: dict[PropagationModel, list[tuple[EvidenceBatch, torch.Tensor]]] = {}
    for observation in observations:
        try:
            collected = collect(observation)
        except InputError:
            continue
        groups.setdefault(model_of(collected), []).append((_tensors(collected, device), _truth_m(collected, device)))
    if not groups:
        raise InputError(
            "no recording with a known transmitter and enough receivers to train on; name some with --data"
        )
    parts = [
        labelled(
            concatenate([evidence for evidence, _ in members]),
            torch.stack([truth for _, truth in members]),
            model,
            cells,
        )
        for model, members in groups.items()
    ]
    return ScenePool(parts, cells)


def _tensors(collected: Collected, device: torch.device | str) -> EvidenceBatch:
    values = {field.name: np.asarray(getattr(collected.evidence, field.name)) for field in fields(EvidenceBatch)}
    single = {name: value if value.dtype == bool else value.astype(np.float32) for name, value in values.items()}
    return EvidenceBatch(**{name: torch.from_numpy(value).to(device) for name, value in single.items()})


def _truth_m(collected: Collected, device: torch.device | str) -> torch.Tensor:
    truth = collected.observation.truth
    assert truth is not None
    height_m = 0.0 if truth.height_m is None else truth.height_m
    place = collected.frame.to_enu(np.array(truth.latitude_deg), np.array(truth.longitude_deg), np.array(height_m))
    return torch.tensor(place[:2], dtype=torch.float32, device=device)
