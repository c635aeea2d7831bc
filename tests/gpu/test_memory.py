"""The plan of a training's memory is what the card gives out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from heimdall.benchmark.gpu_measured import peak_of_step
from heimdall.learning.model.memory import CONTEXT_BYTES, plan_memory
from heimdall.recipes import Recipe, recipe

_TOLERANCE = 0.10


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["base", "large"])
def test_the_memory_used_is_the_memory_planned(name: str, real_card: torch.device) -> None:
    plan = replace(recipe(name), batch_size=32)
    total = torch.cuda.get_device_properties(0).total_memory
    planned = plan_memory(plan.network.shape, 32, plan.gpu_precision, total, recompute=False)
    used = peak_of_step(plan, real_card)
    # The context is no tensor: torch does not count it.
    assert used == pytest.approx(planned.needed_bytes - CONTEXT_BYTES, rel=_TOLERANCE)


def test_a_cpu_counts_no_bytes_and_does_the_step(tiny: Recipe) -> None:
    assert peak_of_step(replace(tiny, batch_size=2), torch.device("cpu"), steps=1) is None
