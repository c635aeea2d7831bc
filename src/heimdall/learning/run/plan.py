"""What a training would do, without doing it: where it runs, in how much memory, and for how long."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from heimdall.learning.accelerator import Accelerator
from heimdall.learning.data.pools import pool_size, steps_per_pool
from heimdall.learning.model.memory import GIB, MemoryPlan, plan_memory
from heimdall.learning.model.shape import shape_of
from heimdall.recipes import Recipe

_SCENE_S = 0.034
"""One core: simulate a scene, correlate it, find the likelihood's mode (measured, `matched`)."""
_WINDOW_S = 0.003
"""One core: evaluate a window of 24 x 24 cells (measured); grows with the number of cells."""
_CALIBRATION_S = 0.03
"""One core: the regions of a held-out scene (measured)."""
_CORE_FLOPS = 40e9
"""What a CPU core makes of a ConvNeXt (measured: atto, 24 x 24)."""
_GPU_FLOPS = 15e12
"""What a card of the size of an RTX 3090 is taken to make of a ConvNeXt in bf16. Not measured."""
_GPU_SPEEDUP = 30.0
"""Assumed speed of simulation and windows relative to one core; not measured."""


def plan(recipe: Recipe, accelerator: Accelerator, card_gib: float) -> dict[str, Any]:
    """The document of `heimdall train --plan --json`.

    Memory is planned for a card of `card_gib` in the recipe's GPU precision, also where there is none.
    """
    card_bytes = int(card_gib * GIB)
    if accelerator.used == "gpu":
        card_bytes = torch.cuda.get_device_properties(0).total_memory
    memory = plan_memory(
        shape_of(recipe.network), recipe.batch_size, recipe.gpu_precision, card_bytes, recipe.recompute_activations
    )
    return {
        "recipe": recipe.name,
        "purpose": recipe.purpose,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "scenes": scenes_simulated(recipe),
        "accelerator": accelerator.record,
        "needed_bytes": memory.needed_bytes,
        "advice": memory.advice,
        "memory": memory.to_json(),
        "estimated_s": estimate_s(recipe, accelerator, memory),
        "fields": asdict(recipe),
    }


def scenes_simulated(recipe: Recipe) -> int:
    pools = -(-recipe.steps // steps_per_pool(recipe))
    return pools * pool_size(recipe.scenes) + recipe.scenes.calibration + recipe.scenes.validation


def estimate_s(recipe: Recipe, accelerator: Accelerator, memory: MemoryPlan) -> float:
    """Seconds from start to bundle, rough: within a factor of two on a CPU, a guess on a GPU."""
    shown = recipe.steps * recipe.batch_size
    window_s = _WINDOW_S * (recipe.network.cells / 24) ** 2
    evidence_s = scenes_simulated(recipe) * _SCENE_S + shown * window_s + recipe.scenes.calibration * _CALIBRATION_S
    operations = shown * memory.flops_per_scene
    if accelerator.used == "gpu":
        return round((evidence_s / _GPU_SPEEDUP + operations / _GPU_FLOPS) / accelerator.count, 1)
    cores = torch.get_num_threads()
    return round((evidence_s + operations / _CORE_FLOPS) / cores, 1)
