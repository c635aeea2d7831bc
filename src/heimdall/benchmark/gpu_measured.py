"""What a card makes of a training's parts: steps against the bare network, data, memory; all of it runs on a CPU as well."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heimdall.errors import HeimdallError
from heimdall.execution.own_program import HEIMDALL
from heimdall.learning.data.pools import SceneStream, TrainingBatch, pool_size, steps_per_pool
from heimdall.learning.data.simulated import SceneSource, draws_for, simulate
from heimdall.learning.model.loss import negative_log_likelihood
from heimdall.learning.model.memory import CONTEXT_BYTES, GIB, plan_memory
from heimdall.learning.model.network import EvidenceNetwork
from heimdall.learning.model.shape import shape_of
from heimdall.learning.run.module import make_optimizer
from heimdall.recipes import Recipe

_WARM_UP = 3
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Effort:
    """How much is measured: enough for a figure on a card, or just enough to see that it runs."""

    steps: int
    pool: int
    """Scenes of the pool that batches come from."""
    batch_size: int | None = None
    """None: the recipe's own."""


FULL, SMALL = Effort(steps=20, pool=1024), Effort(steps=1, pool=16, batch_size=2)


class Steps:
    """One network and its optimiser on a device, in the precision that a training there has."""

    def __init__(self, recipe: Recipe, network: nn.Module, device: torch.device, *, fused: bool = False) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.network, recipe)
        for group in self.optimizer.param_groups:
            group["fused"] = fused
        self.clip_norm, self.device = recipe.optimizer.clip_norm, device
        self.half = device.type == "cuda" and recipe.gpu_precision == "bf16-mixed"

    def step(self, loss: Callable[[], Tensor]) -> None:
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            value = loss()
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        self.optimizer.step()


def evidence_steps(
    recipe: Recipe, device: torch.device, batch: TrainingBatch, *, fused: bool = False
) -> Callable[[], None]:
    """The step of a training on a batch that is there."""
    network = EvidenceNetwork(shape_of(recipe.network))
    steps = Steps(recipe, network, device, fused=fused)

    def loss() -> Tensor:
        mixture = batch.mixture(network(*batch.network_input))
        return negative_log_likelihood(mixture, batch.truth_core).mean()

    return lambda: steps.step(loss)


def bare_steps(recipe: Recipe, device: torch.device, batch: TrainingBatch) -> Callable[[], None]:
    """Training steps of timm's ConvNeXt alone, with the stem that the window needs, to compare with."""
    backbone = EvidenceNetwork(shape_of(recipe.network)).backbone
    steps = Steps(recipe, backbone, device)
    return lambda: steps.step(lambda: backbone(batch.window.maps).float().square().mean())


def of_recipe(recipe: Recipe, device: torch.device, effort: Effort, card_bytes: int) -> dict[str, Any]:
    """Figures of one recipe; `batch_wait_share` is of a step together with all that prepares it."""
    recipe = _sized(recipe, effort)
    stream = SceneStream(recipe, 0, device)
    pool_s = taken_s(lambda: stream.pool(0), device)
    batch = stream.batch(0)
    window_s = median_s(lambda: stream.batch(0), device, effort.steps)
    begin_peak(device)
    step_s = median_s(evidence_steps(recipe, device, batch), device, effort.steps)
    used = peak_bytes(device)
    fused_s = median_s(evidence_steps(recipe, device, batch, fused=True), device, effort.steps)
    bare_s = median_s(bare_steps(recipe, device, batch), device, effort.steps)
    data_s = window_s + pool_s / steps_per_pool(recipe)
    precision = recipe.gpu_precision if device.type == "cuda" else "32-true"
    planned = plan_memory(shape_of(recipe.network), recipe.batch_size, precision, card_bytes, recompute=False)
    return {
        "batch_size": recipe.batch_size,
        "steps_per_s": 1 / step_s,
        "scenes_per_s": recipe.batch_size / step_s,
        "bare_steps_per_s": 1 / bare_s,
        "ratio_to_bare": bare_s / step_s,
        "fused_steps_per_s": 1 / fused_s,
        "batch_wait_share": data_s / (data_s + step_s),
        "window_s": window_s,
        "pool_scenes_per_s": pool_size(recipe.scenes) / pool_s,
        "memory_planned_gib": (planned.needed_bytes - CONTEXT_BYTES) / GIB,
        "memory_used_gib": None if used is None else used / GIB,
    }


def peak_of_step(recipe: Recipe, device: torch.device, steps: int = 3) -> int | None:
    """Most bytes that tensors have in a training step, the optimiser's state among them; None on a CPU, which does not count."""
    shape, batch_size = shape_of(recipe.network), recipe.batch_size
    begin_peak(device)
    network = EvidenceNetwork(shape)
    training = Steps(recipe, network, device)
    maps = torch.randn(batch_size, shape.map_channels, shape.cells, shape.cells, device=device)
    tokens = torch.randn(batch_size, 16, shape.token_features, device=device)
    present = torch.ones(batch_size, 16, device=device)

    def loss() -> Tensor:
        mixture, log_background = network(maps, tokens, present)
        return mixture.sum() + log_background.sum()

    for _ in range(steps):
        training.step(loss)
    return peak_bytes(device)


def scenes_per_s(recipe: Recipe, device: torch.device, scenes: int) -> float:
    """Simulation, evidence and the likelihood's mode, of the recipe's own scenarios."""

    source = SceneSource(recipe.scenes.scenarios, recipe.seed, "benchmark", recipe.network.cells)

    def draw(first: int, count: int) -> None:
        simulate(source, range(first, first + count), device)

    count = draws_for(scenes)
    draw(0, 1)
    return scenes / taken_s(lambda: draw(1, count), device)


def first_step_s(device: torch.device, effort: Effort) -> float:
    """Seconds from `heimdall train --recipe quick` to the checkpoint of its first step, start of the interpreter and all."""
    accelerator = "gpu" if device.type == "cuda" else "cpu"
    changes = {"checkpoint_every_s": 0.001, "steps": 2, "validate_every": 2}
    if effort.batch_size is not None:
        changes |= {"scenes.pool": effort.pool, "batch_size": effort.batch_size}
    words = ["train", "--recipe", "quick", "--accelerator", accelerator, "--track", "off"]
    words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("w+b") as said:
        checkpoint = Path(folder) / "run" / "checkpoints" / "last.ckpt"
        begun = time.perf_counter()
        command = [*HEIMDALL, *words, "--run-dir", str(checkpoint.parent.parent)]
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            while not checkpoint.exists():
                if process.poll() is not None or time.perf_counter() - begun > _LIMIT_S:
                    said.seek(0)
                    raise HeimdallError(
                        f"a training came to no first step: {said.read().decode(errors='replace')[-300:]}"
                    )
                time.sleep(0.01)
            return time.perf_counter() - begun
        finally:
            process.kill()
            process.wait()


def median_s(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    for _ in range(min(_WARM_UP, repeats)):
        work()
    times = sorted(taken_s(work, device) for _ in range(repeats))
    return times[len(times) // 2]


def taken_s(work: Callable[[], object], device: torch.device) -> float:
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begun


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def begin_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_bytes(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else None


def _sized(recipe: Recipe, effort: Effort) -> Recipe:
    scenes = replace(recipe.scenes, pool=effort.pool)
    return replace(recipe, scenes=scenes, batch_size=effort.batch_size or recipe.batch_size)
