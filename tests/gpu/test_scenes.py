"""Simulator and evidence on the card: the same evidence of the same scenes, and scenes of the same statistics."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from scipy.stats import ks_2samp

from heimdall.learning.data.simulated import LabelledEvidence, SceneSource, _on, centred, evidence_of, simulate
from heimdall.simulation import SCENES_PER_DRAW, draw, scenario, stream

_LEAST_P = 1e-3
"""Seeds are fixed: a test passes always or never, and by chance it would fail once in a thousand of devices."""
_DRAWS = {"cpu": 6, "cuda": 40}
STATISTICS: dict[str, Callable[[LabelledEvidence], torch.Tensor]] = {
    "missed_cells": lambda part: part.missed_cells,
    "core_m": lambda part: part.frame.core_m,
    "snr": lambda part: part.evidence.snr[part.evidence.present],
    "arrival_sigma_s": lambda part: part.evidence.arrival_sigma_s[part.evidence.has_arrival],
    "level_db": lambda part: part.evidence.level_db[part.evidence.has_level],
}


def _of_draws(seed: int, device: torch.device, count: int) -> list[list[LabelledEvidence]]:
    threads = (os.cpu_count() or 1) if device.type == "cpu" else 1
    draws = [[index] for index in range(count)]
    source = SceneSource({"matched": 1.0}, seed, "statistics", 16)
    with ThreadPoolExecutor(threads) as workers:
        return list(workers.map(lambda draw: simulate(source, draw, device), draws))


def _medians(draws: list[list[LabelledEvidence]], statistic: Callable[[LabelledEvidence], torch.Tensor]) -> list[float]:
    """One number a draw: the scenes of a draw share their band and their number of receivers."""
    return [float(torch.cat([statistic(part).double() for part in parts]).median()) for parts in draws]


def test_scenes_have_the_statistics_of_the_cpus(device: torch.device) -> None:
    count = _DRAWS[device.type]
    of_cpu = _of_draws(1, torch.device("cpu"), count)
    # A card draws others by itself; where the CPU stands in, another seed does.
    of_card = _of_draws(1 if device.type == "cuda" else 2, device, count)
    for name, statistic in STATISTICS.items():
        both = [_medians(draws, statistic) for draws in (of_cpu, of_card)]
        assert ks_2samp(*both).pvalue > _LEAST_P, name
        assert both[0] != both[1], name


def test_the_same_scenes_have_the_same_evidence(device: torch.device) -> None:
    chance: Any = stream(3, 0)
    scenes = centred(draw(scenario("matched"), SCENES_PER_DRAW, chance, "cpu"))
    of_cpu, of_card = evidence_of(scenes), _on(evidence_of(_on(scenes, device)), "cpu")
    assert torch.equal(of_card.has_arrival, of_cpu.has_arrival)
    heard, levels = of_cpu.has_arrival, of_cpu.has_level
    # A thousandth of the standard deviation: less than anything that is estimated from it can see.
    late = (of_card.arrival_s - of_cpu.arrival_s)[heard] / of_cpu.arrival_sigma_s[heard]
    assert float(late.abs().max()) < 1e-3
    torch.testing.assert_close(of_card.arrival_sigma_s[heard], of_cpu.arrival_sigma_s[heard], rtol=1e-3, atol=0)
    torch.testing.assert_close(of_card.level_db[levels], of_cpu.level_db[levels], rtol=0, atol=1e-3)
    torch.testing.assert_close(of_card.snr, of_cpu.snr, rtol=1e-3, atol=1e-3)
