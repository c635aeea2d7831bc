"""Simulator and evidence on the card: the same evidence of the same scenes, and scenes of the same statistics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scipy.stats import ks_2samp

from heimdall.learning.data.simulated import LabelledEvidence, _on, centred, evidence_of, simulate
from heimdall.simulation import SCENES_PER_DRAW, draw, scenario, stream

_LEAST_P = 1e-3
"""Seeds are fixed: a test passes always or never, and by chance it would fail once in a thousand of devices."""
_DRAWS = {"cpu": 2, "cuda": 16}
STATISTICS: dict[str, Callable[[LabelledEvidence], torch.Tensor]] = {
    "missed_cells": lambda part: part.missed_cells,
    "core_m": lambda part: part.frame.core_m,
    "snr": lambda part: part.evidence.snr[part.evidence.present],
    "arrival_sigma_s": lambda part: part.evidence.arrival_sigma_s[part.evidence.has_arrival],
    "level_db": lambda part: part.evidence.level_db[part.evidence.has_level],
    "receivers": lambda part: part.evidence.present.sum(1),
}


def test_scenes_have_the_statistics_of_the_cpus(device: torch.device) -> None:
    draws = range(_DRAWS[device.type])
    of_cpu = simulate({"matched": 1.0}, 1, "statistics", draws, 16, "cpu")
    # A card draws others by itself; where the CPU stands in, another seed does.
    seed = 1 if device.type == "cuda" else 2
    of_card = simulate({"matched": 1.0}, seed, "statistics", draws, 16, device)
    for name, statistic in STATISTICS.items():
        both = [torch.cat([statistic(part).double().cpu() for part in parts]) for parts in (of_cpu, of_card)]
        assert ks_2samp(*(each.numpy() for each in both)).pvalue > _LEAST_P, name
        assert not torch.equal(*both), name


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
